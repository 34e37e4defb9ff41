import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import cultural_sp

NOTEBOOK = Path(__file__).parent.parent / "docs" / "first_steps.ipynb"


def test_scores_are_those_of_a_run(whole_run, tiny_folder, toy_survey_file):
    result = cultural_sp.load_result(whole_run)
    lm, survey = cultural_sp.load_model(str(tiny_folder)), cultural_sp.load_survey(str(toy_survey_file))
    for method, prompt in (("naive", None), ("aligned", whole_run / "soft_prompt")):
        for wording, index in (("tuned", 0), ("held_out_1", 1)):
            for readout in ("expected", "argmax"):
                record = result.score(method, wording, readout)
                scores = cultural_sp.score(lm, survey, prompt, region="us", wording=index, readout=readout)
                assert scores.dimensions == pytest.approx(record.dimensions, abs=1e-4)
                assert scores.item_means == pytest.approx(record.item_means, abs=1e-4)
                assert (scores.loss, scores.valid_mass) == pytest.approx((record.loss, record.valid_mass), abs=1e-4)
    persona = cultural_sp.score(
        lm, survey, persona="You like bread.", constant=0, scoring="number", option_order="both"
    )
    assert persona.loss is None
    with pytest.raises(ValueError, match="survey settings"):
        cultural_sp.score(lm, survey, colour="red")
    with pytest.raises(ValueError, match="wording from 0 to 1"):
        cultural_sp.score(lm, survey, wording=2)
    with pytest.raises(ValueError, match="soft prompts need shape"):
        cultural_sp.score(lm, survey, np.zeros((2, 16)))


def test_a_finished_run_is_read(whole_run):
    config = yaml.safe_load((whole_run / "config.yaml").read_text())
    changed = ("model.name_or_path", "survey.instrument", "model.batch_size", "output_dir", "readout.report_generate")
    changed += ("optimizer.budget", "optimizer.population", "soft_prompt.n_tokens", "soft_prompt.dim")
    overrides = []
    for key in changed:
        value = config
        for part in key.split("."):
            value = value[part]
        overrides.append(f"{key}={value}")
    run = cultural_sp.align(*overrides)
    assert run.folder == whole_run
    assert run.result == cultural_sp.load_result(whole_run / "result.json")
    assert run.soft_prompt == whole_run / "soft_prompt"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: cultural_sp.align("region=xx"), "region"),
        (lambda: cultural_sp.align("optimizer.budget=0"), "optimizer.budget=0 is out of range"),
        (lambda: cultural_sp.load_model("nowhere/at-all"), "the hub can't be reached"),
        (lambda: cultural_sp.load_model("smollm2_135m", colour="red"), "colour"),
        (lambda: cultural_sp.load_survey("nothing"), "unknown"),
        (lambda: cultural_sp.load_result("nowhere"), "no result.json"),
    ],
)
def test_bad_input_is_one_line(wrong, message):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        wrong()
    assert message in str(error.value)


def test_only_what_is_documented_is_there():
    assert callable(cultural_sp.align)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        cultural_sp.nothing  # noqa: B018


@pytest.mark.slow
@pytest.mark.parametrize("embedded", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
def test_the_notebook_runs(tmp_path, monkeypatch, tiny_folder, embedded):
    """Every cell in an empty folder, on the embedded model as it stands and on a small one."""
    monkeypatch.chdir(tmp_path)
    cells = [
        "".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"
    ]
    if not embedded:
        small = f'"model.name_or_path={tiny_folder}", "readout.report_generate=false", "open_ended_questions=false"'
        assert '"smollm2_135m_control"' in cells[0]
        assert '"experiment=control"' in cells[2]
        cells[0] = cells[0].replace('"smollm2_135m_control"', f'"{tiny_folder}"')
        cells[2] = cells[2].replace('"experiment=control"', small)
    names: dict = {}
    for cell in cells:
        exec(cell, names)
    run, tuned = names["run"], names["aligned"]
    record = run.result.score("aligned")
    assert tuned.dimensions == pytest.approx(record.dimensions, abs=1e-4)
    assert names["naive"].dimensions == pytest.approx(run.result.score("naive").dimensions, abs=1e-4)
    assert tuned.loss == pytest.approx(record.loss, abs=1e-4)
