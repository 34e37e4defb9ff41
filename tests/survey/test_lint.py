from pathlib import Path

import numpy as np
import pytest
from helpers.runs import call

from cultural_sp.survey.instrument import available, load_survey
from cultural_sp.survey.lint import overview, reachable
from cultural_sp.survey.regions import load_region, region_codes

EXAMPLE = Path(__file__).parents[2] / "docs" / "example_survey.yaml"


def changed_example(folder, old, new):
    """A copy of the example survey in which one text is another."""
    text = EXAMPLE.read_text()
    assert old in text
    path = folder / "own.yaml"
    path.write_text(text.replace(old, new))
    return path


def test_the_documented_example_is_a_survey():
    survey = load_survey(str(EXAMPLE))
    assert survey.dimension_names == ("closeness", "order")
    assert reachable(survey).tolist() == [[0, 100], [0, 100]]
    assert region_codes(survey) == ["harbour", "hill"]
    norway = load_region(survey, "no")
    assert (norway.country, norway.target[0], np.isnan(norway.target[1])) == ("Norway", 60, True)
    assert load_region(survey, "hill").estimated
    assert {item.id: item.scale.codes for item in survey.items}["tools"] == (1, 3, 5)


@pytest.mark.parametrize("name", available())
def test_no_shipped_survey_has_targets_out_of_reach(name):
    assert "note:" not in overview(load_survey(name))


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("closeness: 80", "closeness: 180", "closeness: no answers reach the target of harbour"),
        ("  order:\n    high: You come", "  tidiness:\n    high: You come", "no pole personas for order"),
        ("order: {quiet: -12.5, notices: -12.5}", "order: {notices: -12.5}", "items that measure no dimension: quiet"),
        (
            "labels: [never, sometimes, often]\n    codes: [1, 3, 5]             # three labelled points of a five-point scale",
            "labels: [a, b, c, d, e, f, g, h, i, j]",
            "more than nine options in tools: only survey.scoring=label takes it",
        ),
        ("[never, sometimes, often]", '["1", "5", "10"]', "'1' begins '10': only survey.scoring=number takes it"),
    ],
)
def test_what_will_not_work_is_said(tmp_path, old, new, note):
    path = changed_example(tmp_path, old, new)
    assert f"note: {note}" in overview(load_survey(str(path)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"no": {', "no: {", "targets, made_up, False: the code must be text"),
        (
            "country: the hill, closeness: 30",
            "country: the hill, closenes: 30",
            "unknown entry closenes; allowed: country,",
        ),
        ("closeness: 30", "closeness: many", "targets, made_up, hill, column closeness: 'many' is no plain number"),
        ("country: the hill, ", "", "needs a country and scores"),
        ("codes: [1, 3, 5]", "codes: [1, 3]", "scale frequency needs one code per label, each above the one before"),
        ("codes: [1, 3, 5]", "codes: [5, 3, 1]", "scale frequency needs one code per label, each above the one before"),
        (
            "constant: {closeness: 50, order: 125}",
            "constant: {order: 125}",
            "constant needs one number, or one for each of",
        ),
        ("unit: points", "units: points", "unknown entry units; allowed:"),
        ("title: How", "extends: own\ntitle: How", "extends='own' is unknown; allowed: inglehart_welzel"),
        (
            "default_vintage: made_up",
            "default_vintage: none",
            "default_vintage='none' is not in the targets; allowed: made_up",
        ),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, old, new, message):
    path = changed_example(tmp_path, old, new)
    code, _, errors = call(monkeypatch, capsys, str(path), entry="check-survey")
    assert code == 2
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert message in errors


def test_the_validator_describes_the_survey(monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, str(EXAMPLE), entry="check-survey")
    assert code == 0
    assert "2 wordings each: 1 to tune on, 0 to select on, 1 to test on" in out
    assert "closeness: 2 items; answers can reach 0 to 100" in out
