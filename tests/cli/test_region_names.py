"""Regions by their names, wherever a program takes a region: the run is that of the code."""

import pytest
from helpers.runs import call

from cultural_sp.config.overrides import align_config
from cultural_sp.config.schema import AlignConfig
from cultural_sp.config.studies import PaperConfig
from cultural_sp.runs.folder import RunFolder
from cultural_sp.runs.inputs import with_region_codes
from cultural_sp.runs.provenance import config_hash


@pytest.mark.parametrize(
    ("names", "codes"),
    [
        (["region=USA"], ["region=us"]),
        (["region=usa"], ["region=us"]),
        (["region=Saudi Arabia"], ["region=sa"]),
        (["region='saudi arabia'"], ["region=sa"]),
        (["region.code=SAU"], ["region=sa"]),
        (["region.code=US"], ["region=us"]),
        (["region=Armenia"], ["region=am"]),  # whose option sets a vintage
        (["region=joint", "region.codes=[USA,Saudi Arabia]"], ["region=joint", "region.codes=[us,sa]"]),
        (["survey=inglehart_welzel", "region.code=palestine"], ["survey=inglehart_welzel", "region.code=ps"]),
    ],
)
def test_a_run_by_name_is_the_run_by_code(names, codes):
    by_name, by_code = (with_region_codes(align_config(given)) for given in (names, codes))
    assert by_name == by_code
    assert RunFolder(by_name).path == RunFolder(by_code).path
    assert config_hash(by_name) == config_hash(by_code)


@pytest.mark.parametrize("program", ["align", "validity", "evaluate", "ask", "side-effects", "export"])
def test_every_program_with_a_region_takes_names(monkeypatch, capsys, program):
    code, out, err = call(monkeypatch, capsys, "region=CHN", "--cfg", "job", "-p", "region", entry=program)
    assert code == 0, err
    assert "code: cn\n" in out


def test_a_grid_takes_names():
    assert PaperConfig("n", ["USA", "china", "joint"], [0], []).regions == ["us", "cn", "joint"]
    with pytest.raises(ValueError, match="each once"):
        PaperConfig("n", ["USA", "us"], [0], [])


def test_a_file_of_ones_own_goes_before_another_name(monkeypatch, capsys, tmp_path):
    (tmp_path / "region").mkdir()
    (tmp_path / "region" / "usa.yaml").write_text("code: harbour\n")
    (tmp_path / "region" / "cn.yaml").write_text("code: cn\nvintage: matrix_2015\n")
    for name, said in (("usa", "code: harbour"), ("USA", "code: us"), ("CHN", "vintage: matrix_2015")):
        given = [f"--config-dir={tmp_path}", f"region={name}", "--cfg", "job", "-p", "region"]
        code, out, err = call(monkeypatch, capsys, *given)
        assert code == 0, err
        assert f"{said}\n" in out


@pytest.mark.parametrize("path", ["../x", "a/b", "\u202egnp", "a\x1b[31m", ".", ""])
def test_a_region_name_is_no_path_and_has_no_control_characters(path):
    with pytest.raises(ValueError, match="letter or digit first"):
        align_config([f"region.code='{path}'"])


def test_a_survey_that_is_not_there_is_left_to_the_programs_that_read_it():
    config = align_config(["region.code=harbour", "survey.instrument=gone.yaml"])
    assert isinstance(config, AlignConfig)
    assert with_region_codes(config) == config
