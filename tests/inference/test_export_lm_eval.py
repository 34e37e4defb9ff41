import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from helpers.runs import call

from cultural_sp.config.groups import SurveyConfig
from cultural_sp.inference.export import survey_scores
from cultural_sp.lm.readout import make_readout
from cultural_sp.lm.survey_respondent import Condition, SurveyRespondent
from cultural_sp.survey.instrument import load_survey
from cultural_sp.survey.scoring import dimension_scores


def likelihood(lm, text, choice):
    """Return the log-likelihood as the harness defines it: of the tokens that a choice adds to the text."""
    ids = lm.tokenizer(text + choice, add_special_tokens=False)["input_ids"]
    start = len(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
    with torch.inference_mode():
        log_probs = lm.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return sum(float(log_probs[i - 1, ids[i]]) for i in range(start, len(ids)))


@pytest.mark.parametrize("scoring", ["label", "number"])
def test_task_files_give_the_scores_of_this_program(
    monkeypatch, capsys, tiny_lm, toy_survey, toy_survey_file, tmp_path, scoring
):
    overrides = (f"survey.instrument={toy_survey_file}", f"survey.scoring={scoring}", f"output={tmp_path}")
    code, out, err = call(monkeypatch, capsys, "to=lm_eval", "region=in", *overrides, entry="export")
    assert code == 0, err
    assert "toy_in, toy_in_wording_1" in out
    answers: dict[str, list] = {}
    for line in (tmp_path / "toy_in_wording_1.jsonl").read_text().splitlines():
        doc = json.loads(line)
        turn = [{"role": "user", "content": doc["question"]}]
        text = tiny_lm.tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        likelihoods = [(likelihood(tiny_lm, text, choice), False) for choice in doc["choices"]]
        for metric, answer in survey_scores.process_results({"doc": line}, likelihoods).items():
            answers.setdefault(metric, []).append(answer)
    ours = SurveyRespondent(
        tiny_lm, toy_survey, SurveyConfig(instrument="toy", scoring=scoring), Condition(wording=1)
    ).answer(np.zeros((1, 0, 32), dtype=np.float32))
    read = make_readout("expected", 1, 0)
    means = np.mean([read(x, toy_survey.codes())[0] for x in ours.log_probs.values()], axis=0)
    scores = dict(zip(toy_survey.dimension_names, dimension_scores(toy_survey.scoring, means), strict=True))
    for dimension, score in scores.items():
        assert survey_scores.index(answers[dimension]) == pytest.approx(score, abs=1e-4)
    expected = np.mean([abs(scores["PDI"] - 77), abs(scores["IDV"] - 48)])
    assert survey_scores.loss(answers["loss"]) == pytest.approx(expected, abs=1e-4)
    mass = np.mean([x.mean() for x in ours.valid_mass.values()])
    assert survey_scores.valid_mass(answers["valid_mass"]) == pytest.approx(mass, rel=1e-3)


def test_a_task_file_names_every_dimension(monkeypatch, capsys, tmp_path):
    code, _, err = call(monkeypatch, capsys, "to=lm_eval", "region=us", f"output={tmp_path}", entry="export")
    assert code == 0, err
    text = (tmp_path / "vsm13_us.yaml").read_text()
    assert text.count("!function 'survey_scores.index'") == 6
    task = yaml.safe_load(text.replace("!function ", ""))
    assert (task["task"], task["output_type"]) == ("vsm13_us", "multiple_choice")
    assert (tmp_path / "survey_scores.py").read_bytes() == Path(survey_scores.__file__).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["tiny", pytest.param("smollm2_135m_control", marks=pytest.mark.exhaustive)])
def test_the_harness_gives_the_scores_of_this_program(monkeypatch, capsys, tmp_path, tiny_folder, model):
    """The harness loads the exported model, the soft prompt by PEFT and the task files; all six scores are equal."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from cultural_sp import load_model, score
    from cultural_sp.config.groups import SoftPromptConfig
    from cultural_sp.lm.soft_prompt import initial_prompt, save_soft_prompt

    named, key = (tiny_folder, "model.name_or_path") if model == "tiny" else (model, "model")
    for what in ("to=model", "to=lm_eval"):
        call(monkeypatch, capsys, what, f"{key}={named}", f"output={tmp_path}/{what[3:]}", entry="export")
    lm = load_model(str(named))
    prompt = 4 * initial_prompt(SoftPromptConfig(n_tokens=8), lm, 0)
    save_soft_prompt(tmp_path / "prompt", prompt, lm, "prefix")
    harness_scores = simple_evaluate(
        model="hf",
        model_args={"pretrained": f"{tmp_path}/model", "peft": f"{tmp_path}/prompt", "dtype": "float32"},
        tasks=["vsm13_us"],
        task_manager=TaskManager(include_path=f"{tmp_path}/lm_eval", include_defaults=False),
        apply_chat_template=True,
        batch_size=16,
        device="cpu",
        bootstrap_iters=0,
    )["results"]["vsm13_us"]
    ours = score(lm, load_survey("vsm13"), tmp_path / "prompt", region="us")
    # An index sums four item means with weights of up to 40: means that agree to 1e-5 give scores that agree to 1e-3.
    for dimension, value in ours.dimensions.items():
        assert harness_scores[f"{dimension},none"] == pytest.approx(value, abs=1e-3)
    assert harness_scores["loss,none"] == pytest.approx(ours.loss, abs=1e-3)
    assert harness_scores["valid_mass,none"] == pytest.approx(ours.valid_mass, abs=1e-4)
