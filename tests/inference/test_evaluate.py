import json
import shutil

import pytest
import torch
from helpers.runs import call, without_bars
from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM

from cultural_sp.inference.inherit_config import run_of
from cultural_sp.runs.result import load_result


@pytest.fixture
def run(whole_run, tmp_path):
    """A finished run that a test may write into."""
    return shutil.copytree(whole_run, tmp_path / "run")


def evaluated(monkeypatch, capsys, prompt, *overrides):
    arguments = [f"soft_prompt.path={prompt}", *overrides]
    code, out, err = call(monkeypatch, capsys, *arguments, entry="evaluate")
    assert code == 0, err
    return load_result(next(line[8:] for line in out.splitlines()[::-1] if line.startswith("scores: ")))


def refused(monkeypatch, capsys, prompt, *overrides, entry="evaluate"):
    code, _, err = call(monkeypatch, capsys, f"soft_prompt.path={prompt}", *overrides, entry=entry)
    (line,) = without_bars(err)
    assert code == 2
    return line


def test_a_runs_soft_prompt_gets_the_scores_of_its_result(monkeypatch, capsys, run):
    before = load_result(run / "result.json")
    after = evaluated(monkeypatch, capsys, run / "soft_prompt")
    for method in ("midpoint", "naive", "persona", "aligned"):
        for wording, readout in (("tuned", "expected"), ("held_out_1", "argmax")):
            old, new = (result.score(method, wording, readout) for result in (before, after))
            assert new.dimensions == pytest.approx(old.dimensions, abs=1e-6)
            assert new.loss == pytest.approx(old.loss, abs=1e-6)
    elsewhere = evaluated(monkeypatch, capsys, run / "soft_prompt", "region=cn", "objective.constant=0")
    old, new = before.score("aligned"), elsewhere.score("aligned")
    assert elsewhere.region.code == "cn"
    assert new.dimensions == pytest.approx({d: score - 50 for d, score in old.dimensions.items()}, abs=1e-6)
    numbered = evaluated(
        monkeypatch, capsys, run / "soft_prompt", "survey.scoring=number", "survey.option_order=descending"
    )
    assert {r.option_order for r in numbered.scores if r.method == "aligned"} == {"descending"}
    assert len(list((run / "evaluations").iterdir())) == 3


@pytest.mark.parametrize("key", ["optimizer.budget=5", "tracker=disabled", "validity=false", "soft_prompt.n_tokens=3"])
def test_settings_without_effect_are_refused(monkeypatch, capsys, key):
    line = refused(monkeypatch, capsys, "nowhere", key)
    assert line.startswith(f"error: {key.partition('=')[0]} ")
    assert "leave it out" in line


def test_run_of_finds_the_run_of_a_soft_prompt(run, tmp_path):
    joint = tmp_path / "joint"
    (joint / "us").mkdir(parents=True)
    shutil.copy(run / "config.yaml", joint)
    shutil.copy(run / "result.json", joint / "us")
    assert run_of(str(joint / "us" / "soft_prompt")) == (joint / "us", joint)
    assert run_of(str(run / "soft_prompt")) == (run, run)
    assert run_of(str(joint / "exports" / "peft")) is None
    assert run_of(str(tmp_path / "elsewhere")) is None


def test_the_card_has_all_scores_of_the_run(run):
    text = (run / "soft_prompt" / "README.md").read_text()
    result = load_result(run / "result.json")
    assert text.startswith("---\nlibrary_name: peft\n")
    for record in result.scores:
        scores = " | ".join(f"{x:.1f}" for x in (record.loss, *record.dimensions.values()))
        assert f"| {record.method} | {record.wording} | {record.option_order} | {record.readout} | {scores} |" in text
    assert result.provenance["weights_hash_before"] in text


def test_a_prompt_that_peft_tuned_is_evaluated_and_other_adapters_are_not(
    monkeypatch, capsys, tiny_folder, toy_survey_file, tmp_path
):
    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        tuned = get_peft_model(model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5))
    theirs = tmp_path / "theirs"
    tuned.save_pretrained(theirs)
    survey = tmp_path / "points.yaml"
    survey.write_text(toy_survey_file.read_text() + "\nunit: points\npublished_range: [0, 10]\n")
    overrides = (f"survey.instrument={survey}", "readout.report_generate=false")
    result = evaluated(monkeypatch, capsys, theirs, *overrides)  # the model is the one that PEFT recorded
    assert (result.model, result.unit, result.published_range) == (str(tiny_folder), "points", (0.0, 10.0))
    assert result.score("aligned").dimensions != result.score("naive").dimensions
    settings = json.loads((theirs / "adapter_config.json").read_text())
    (theirs / "adapter_config.json").write_text(json.dumps({**settings, "base_model_name_or_path": None}))
    assert "names no base model" in refused(monkeypatch, capsys, theirs, *overrides)
    PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5).save_pretrained(theirs)
    assert "holds a PREFIX_TUNING adapter" in refused(monkeypatch, capsys, theirs, *overrides)
    code, _, err = call(monkeypatch, capsys, *overrides, entry="evaluate")
    assert (code, "soft_prompt.path is missing" in err) == (2, True)
