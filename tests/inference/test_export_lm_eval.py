import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from helpers.runs import call
from helpers.tiny import TOY

from cultural_sp.config.groups import SurveyConfig
from cultural_sp.inference.export import survey_scores
from cultural_sp.lm.readout import make_readout
from cultural_sp.lm.survey_respondent import Condition, SurveyRespondent
from cultural_sp.survey.instrument import DATA, load_survey
from cultural_sp.survey.scoring import dimension_scores


def likelihood(lm, text, choice):
    """Return the log-likelihood as the harness defines it: of the tokens that a choice adds to the text."""
    ids = lm.tokenizer(text + choice, add_special_tokens=False)["input_ids"]
    start = len(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
    with torch.inference_mode():
        log_probs = lm.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return sum(float(log_probs[i - 1, ids[i]]) for i in range(start, len(ids)))


@pytest.mark.parametrize("scoring", ["label", "number", "list"])
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
        tiny_lm, toy_survey, SurveyConfig(instrument="toy", scoring=scoring), Condition(wordings=(1,))
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


ODD = "EVS/WVS 7, *wave* [a]"


def odd_survey(folder, name=ODD, dimension="Power, distance/PDI"):
    """The toy survey under a name, and with a first dimension, that a file system or the harness takes for something else."""
    table = (DATA / "hofstede.csv").read_text(encoding="utf-8-sig").replace("PDI", f'"{dimension}"', 1)
    (folder / "targets.csv").write_text(table, encoding="utf-8")
    survey = yaml.safe_load(TOY) | {"name": name, "targets": "targets.csv"}
    for part in ("dimensions", "poles"):
        survey[part] = {dimension if key == "PDI" else key: value for key, value in survey[part].items()}
    (folder / "odd.yaml").write_text(yaml.safe_dump(survey))
    return f"survey.instrument={folder}/odd.yaml"


@pytest.mark.slow  # the harness takes seconds to import
def test_a_survey_of_any_name_becomes_tasks_that_the_harness_scores(monkeypatch, capsys, tmp_path):
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    output = tmp_path / "with space"
    code, out, err = call(
        monkeypatch, capsys, "to=lm_eval", "region=us", odd_survey(tmp_path), f"output={output}", entry="export"
    )
    assert code == 0, err
    assert f"--include_path '{output}' --tasks EVS_WVS_7_wave_a__us " in out
    names = ["EVS_WVS_7_wave_a__us", "EVS_WVS_7_wave_a__us_wording_1"]
    assert {path.name for path in output.iterdir()} == {
        "survey_scores.py",
        *(f"{name}.{kind}" for name in names for kind in ("yaml", "jsonl")),
    }
    manager = TaskManager(include_path=str(output), include_defaults=False)
    found = simple_evaluate(model="dummy", tasks=names, task_manager=manager, limit=None, bootstrap_iters=0)
    for name in names:
        assert {"Power_distance_PDI,none", "IDV,none", "loss,none", "valid_mass,none"} <= set(found["results"][name])
    assert f"tag: {names[0]}_wordings" in (output / f"{names[1]}.yaml").read_text()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "*/*"}, r"the survey's name can't become names of the harness, .*: '\*/\*' has no letter or digit"),
        ({"dimension": "I.D/V"}, None),
        (
            {"dimension": "loss"},
            r"dimensions can't become .*: 'loss' and 'loss' are both 'loss'; rename it in the survey file$",
        ),
        (
            {"dimension": "valid mass"},
            r"dimensions can't .*: 'valid mass' and 'valid_mass' are both 'valid_mass'; rename",
        ),
    ],
)
def test_names_that_would_be_equal_are_refused(monkeypatch, capsys, tmp_path, changes, expected):
    survey = odd_survey(tmp_path, **changes)
    code, _, err = call(
        monkeypatch, capsys, "to=lm_eval", "region=us", survey, f"output={tmp_path}/out", entry="export"
    )
    assert code == (0 if expected is None else 2), err
    if expected:
        (line,) = err.splitlines()
        assert re.match(f"error: to=lm_eval: {expected}", line), line


def test_the_task_of_another_survey_is_not_replaced(monkeypatch, capsys, tmp_path):
    def exported(name):
        survey = odd_survey(tmp_path, name)
        return call(monkeypatch, capsys, "to=lm_eval", "region=us", survey, f"output={tmp_path}/out", entry="export")

    assert exported("a/b")[0] == exported("a/b")[0] == 0
    before = (tmp_path / "out" / "a_b_us.yaml").read_bytes()
    code, _, err = exported("a b")
    assert code == 2
    assert (
        err == f"error: output={tmp_path}/out has a_b_us.yaml of the survey 'a/b', not 'a b'; choose another output=\n"
    )
    assert (tmp_path / "out" / "a_b_us.yaml").read_bytes() == before


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
