import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cultural_sp.config.regions import TABLE, region_options
from cultural_sp.survey.instrument import load_survey
from cultural_sp.survey.regions import load_region, region_code, region_codes, vintages
from cultural_sp.survey.targets import Targets

CONF = Path(__file__).parents[2] / "conf" / "region"
NAN = float("nan")
TARGETS = {
    ("sa", "matrix_2015"): [NAN, NAN, NAN, NAN, 36, 52],
    ("us", "matrix_2015"): [40, 91, 62, 46, 26, 68],
    ("cn", "matrix_2015"): [80, 20, 66, 30, 87, 24],
    ("in", "matrix_2015"): [77, 48, 56, 40, 51, 26],
    ("sa", "insights_2021"): [95, 25, 60, 80, 36, 52],
    ("us", "insights_2021"): [40, 91, 62, 46, 26, 68],
    ("cn", "insights_2021"): [80, 20, 66, 30, 87, 24],
    ("in", "insights_2021"): [77, 48, 56, 40, 51, 26],
    ("sa", "insights_2022"): [72, 48, 43, 64, 27, 14],
    ("us", "insights_2022"): [40, 91, 62, 46, 26, 68],
    ("cn", "insights_2022"): [80, 20, 66, 30, 87, 24],
    ("in", "insights_2022"): [77, 48, 56, 40, 51, 26],
    ("sa", "culture_factor_2023"): [72, 48, 43, 64, 27, 14],
    ("us", "culture_factor_2023"): [40, 60, 62, 46, 50, 68],
    ("cn", "culture_factor_2023"): [80, 43, 66, 30, 77, 24],
    ("in", "culture_factor_2023"): [77, 24, 56, 40, 51, 26],
}


@pytest.mark.parametrize(("code", "vintage"), TARGETS)
def test_published_scores(survey, code, vintage):
    region = load_region(survey, code, vintage)
    np.testing.assert_array_equal(region.target, TARGETS[code, vintage])


def test_the_order_of_china_and_india_on_individualism_depends_on_the_vintage(survey):
    idv = {
        v: [load_region(survey, c, v).target[1] for c in ("cn", "in")] for v in ("matrix_2015", "culture_factor_2023")
    }
    assert idv["matrix_2015"][0] < idv["matrix_2015"][1]
    assert idv["culture_factor_2023"][0] > idv["culture_factor_2023"][1]


@pytest.mark.parametrize(("code", "country"), [("no", "Norway"), ("in", "India"), ("na", "Namibia"), ("NO", "Norway")])
def test_codes_that_trip_parsers(survey, code, country):
    assert load_region(survey, code).country == country


def test_estimates_are_marked(survey):
    assert load_region(survey, "sa", "insights_2021").estimated
    assert not load_region(survey, "us", "insights_2021").estimated


@pytest.mark.parametrize(
    ("code", "vintage", "message"),
    [
        ("zz", None, "region.code='zz' is in no target table of vsm13"),
        ("us", "2015", "region.vintage='2015' is unknown; allowed: matrix_2015, insights_2021"),
        ("mn", "insights_2021", "it has in: culture_factor_2023"),
    ],
)
def test_unknown_regions_say_what_is_allowed(survey, code, vintage, message):
    with pytest.raises(ValueError, match=r"^region\.[^\n]+$") as error:
        load_region(survey, code, vintage)
    assert message in str(error.value)


def test_one_option_for_every_country_with_six_scores(survey):
    options = region_options()
    assert sorted(options) == region_codes(survey)
    assert len(options) == 99
    for name, vintage in options.items():
        if vintage is not None:  # only where the default vintage is incomplete
            assert name not in region_codes(survey, survey.default_vintage)
        assert not np.isnan(load_region(survey, name, vintage).target).any(), name


def test_table_is_clean(survey):
    rows = survey.targets.rows
    assert len({(r["vintage"], r["iso_alpha2"]) for r in rows}) == len(rows) == 456
    assert vintages(survey) == ["matrix_2015", "insights_2021", "insights_2022", "culture_factor_2023"]
    scores = [float(r[d]) for r in rows for d in survey.dimensions if r[d]]
    assert min(scores) >= 0
    assert max(scores) <= 120
    assert {len(r["iso_alpha2"]) for r in rows} == {2}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("hofstede.csv", "none.csv", "targets='none.csv' is unknown"), ("IDV:", "XYZ:", "dimensions XYZ are no columns")],
)
def test_surveys_whose_targets_do_not_fit_are_refused(toy_survey_file, tmp_path, old, new, message):
    (tmp_path / "misfit.yaml").write_text(toy_survey_file.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        load_region(load_survey(str(tmp_path / "misfit.yaml")), "us")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("USA", "us"),
        ("usa", "us"),
        ("US", "us"),
        ("united  states", "us"),
        ("Saudi Arabia", "sa"),
        ("São Tomé and Príncipe", "st"),
        ("Sao Tome And Principe", "st"),
    ],
)
def test_a_region_has_two_codes_and_a_name_in_any_case(survey, name, code):
    assert region_code(survey, name) == code
    assert load_region(survey, name, "culture_factor_2023").code == code


def test_every_row_is_found_by_every_name(survey):
    for row in csv.DictReader(TABLE.open(encoding="utf-8")):
        for column in ("iso_alpha2", "iso_alpha3", "country"):
            assert region_code(survey, row[column].upper()) == row["iso_alpha2"].lower()


def test_a_surveys_own_regions_come_first(toy_survey):
    rows = ({"vintage": "v", "iso_alpha2": "PER", "country": "Peru Street"},)
    survey = replace(toy_survey, targets=Targets("own", rows))
    assert region_code(survey, "per") == region_code(survey, "peru street") == "per"
    assert region_code(survey, "USA") is None


def test_an_unknown_name_is_one_line_with_similar_ones(survey):
    with pytest.raises(ValueError, match=r"region.code='Suadi Arabia' is in no .* do you mean sa \(Saudi Arabia\)\?$"):
        load_region(survey, "Suadi Arabia")
