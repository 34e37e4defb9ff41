"""The files of a reproduction besides its table and its verdicts."""

import pytest
import yaml
from helpers.reports import two_analyses, write_analyses, write_run
from helpers.results import single_spaced

from cultural_sp.studies.paper.factors import write_factors
from cultural_sp.studies.paper.runs import Runs


def test_factor_analyses_are_extra_rows(tmp_path):
    runs = Runs([write_run(tmp_path / "a"), write_run(tmp_path / "b", region="in")])
    write_factors(runs, tmp_path)
    assert not (tmp_path / "factor_analysis.md").exists()
    analyses = two_analyses()
    write_analyses(tmp_path / "b", analyses)
    write_factors(runs, tmp_path)
    text = single_spaced((tmp_path / "factor_analysis.md").read_text())
    assert f"| IN seed 0, before | {analyses[0].exploration.kmo:.3f} |" in text
    assert "- IN seed 0, after, 5 respondents: not analysed: after: 5 respondents for 6 items" in text
    assert "US" not in text


def test_a_run_without_a_constant_of_its_own_has_its_surveys(tmp_path):
    folder = write_run(tmp_path / "a")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["objective"]["constant"] = None
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert Runs([folder]).setting.constant == 50
    config["survey"]["instrument"] = "inglehart_welzel"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(
        ValueError, match=r"^inglehart_welzel isn't scored by index formulas with one constant C[^\n]*$"
    ):
        _ = Runs([folder]).setting
