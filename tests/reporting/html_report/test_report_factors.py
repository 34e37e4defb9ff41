"""Runs whose numbers aren't index points, and those whose respondents were factor analysed."""

import json
from dataclasses import asdict

import pytest
from helpers.reports import two_analyses, write_analyses, write_run

from cultural_sp.reporting.html_report.build import write_report
from cultural_sp.reporting.html_report.collect import collect
from cultural_sp.reporting.html_report.groups import group_runs
from cultural_sp.reporting.html_report.message import comparisons, headline
from cultural_sp.stats.factor.analysis import from_json
from cultural_sp.utils.serialize import jsonable


@pytest.fixture(scope="module")
def analyses():
    return two_analyses()


def test_an_analysis_survives_its_file(analyses):
    again = from_json(json.loads(json.dumps(jsonable([asdict(a) for a in analyses]))))
    assert again[1] == analyses[1]
    assert again[0].fit.loadings == analyses[0].fit.loadings
    assert again[0].fit.indices.chi2 == analyses[0].fit.indices.chi2


def test_a_factor_analysis_in_the_run_folder_is_part_of_its_report(tmp_path, analyses):
    folder = write_run(tmp_path / "run")
    write_run(tmp_path / "other", seed=1)
    there = write_analyses(folder, analyses)
    page = write_report([tmp_path], tmp_path / "report").read_text()
    assert page.count("Factor analysis of simulated respondents, seed 0") == 1
    assert "before, 300 respondents" in page
    assert "5 respondents for 6 items" in page  # why there is none after
    indices = analyses[0].fit.indices
    for text in (f"{indices.chi2:.3f} (8)", f"{indices.cfi:.3f}", f"{analyses[0].exploration.kmo:.3f}", "one - c"):
        assert f">{text}" in page
    assert page.count("data:image/png;base64,YSBwaWN0dXJl") == 1
    assert f"| CFI | {indices.cfi:.3f} |" in (tmp_path / "report" / "report.md").read_text()
    for broken in ("{", "[]", '{"analyses": [{"fit": null}]}'):
        (there / "factor_analysis.json").write_text(broken)
        runs, left_out = collect([folder], tmp_path)
        assert left_out == []
        assert runs[0].factors is None
        assert "factor_analysis.json can't be read" in runs[0].notes[-1]


IN_UNITS = {"unit": "map units", "published_range": (-2.5, 2.5)}


def test_numbers_have_the_unit_and_the_decimals_of_their_survey(tmp_path):
    folder = write_run(tmp_path / "run", **IN_UNITS)
    page = write_report([tmp_path], tmp_path / "report").read_text()
    assert "index points" not in page
    assert "published scores: -2.5 to 2.5" in page
    (g,) = group_runs(collect([folder], tmp_path)[0])
    loss = g.losses["tuned"]["naive"]
    assert str(loss) == f"{loss.mean:.3f}"
    assert f"({loss.mean:.3f} → {g.losses['tuned']['aligned'].mean:.3f} map units)" in headline([g])
    rows = (tmp_path / "report" / "losses.csv").read_text().splitlines()
    assert rows[1].split(",")[-2] == "map units"


def test_losses_in_different_units_are_not_averaged(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", region="jp", **IN_UNITS)
    groups = group_runs(collect([tmp_path], tmp_path)[0])
    for against in comparisons(groups).values():
        assert {(c.of, c.change) for c in against} == {(2, None)}
    page = write_report([tmp_path], tmp_path / "report").read_text()
    assert "different units" in page
