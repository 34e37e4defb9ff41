"""Several wordings at once, and the likeliest answers beside the probabilities."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.runs import call

from cultural_sp.config.groups import ObjectiveConfig, ReadoutConfig, SoftPromptConfig, SurveyConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.fitness import Fitness
from cultural_sp.runs.result import load_result
from cultural_sp.search.objective import Objective


def fitness(lm, survey, wordings=(0,), weight=0.0, kind="expected"):
    config = SimpleNamespace(
        survey=SurveyConfig(instrument=survey.name, tune_wordings=list(wordings)),
        readout=ReadoutConfig(kind=kind),
        objective=ObjectiveConfig(argmax_weight=weight),
        soft_prompt=SoftPromptConfig(),
        model=SimpleNamespace(memory_gib=None, batch_size=2, compile=False),
        seed=0,
    )
    return Fitness(SurveyEvaluator(lm, survey, config))


@pytest.fixture
def prompts(tiny_lm):
    return np.random.default_rng(0).standard_normal((2, 3, tiny_lm.hidden_size)).astype(np.float32)


def test_scores_are_those_of_item_means_averaged_over_wordings(tiny_lm, toy_survey, prompts):
    both = fitness(tiny_lm, toy_survey, (1, 0), 0.5)
    assert both.evaluator.tuned_wordings == {"tuned": 1, "tuned_2": 0}
    assert both.score_names == ("PDI", "IDV", "PDI, argmax", "IDV, argmax")
    found = both(prompts)
    for view, kind in enumerate(("expected", "argmax")):
        single = [fitness(tiny_lm, toy_survey, (wording,), kind=kind)(prompts) for wording in (0, 1)]
        means = (single[0].item_means + single[1].item_means) / 2
        # toy: PDI = 10 a - 10 b, IDV = 20 c - 5 d, and no constant beside
        pdi, idv = 10 * (means[:, 0] - means[:, 1]), 20 * means[:, 2] - 5 * means[:, 3]
        offset = toy_survey.scoring.constants
        assert found.dimensions[:, 2 * view : 2 * view + 2] == pytest.approx(np.stack([pdi, idv], 1) + offset, abs=1e-3)
        assert single[0].dimensions != pytest.approx(single[1].dimensions, abs=1e-3)


def test_wordings_that_are_tuned_on_are_not_held_out(tiny_lm, toy_survey):
    assert fitness(tiny_lm, toy_survey).evaluator.wordings == {"tuned": 0, "held_out_1": 1}
    assert fitness(tiny_lm, toy_survey, (1,)).evaluator.wordings == {"tuned": 1, "held_out_0": 0}
    assert fitness(tiny_lm, toy_survey, (0, 1)).evaluator.wordings == {"tuned": 0, "tuned_2": 1}


def test_the_loss_of_likeliest_answers_is_weighed():
    target = np.array([10.0, np.nan, 30.0])
    scores = np.array([[10, 0, 34, 50, 0, 30]], dtype=float)  # expected, then argmax
    mass = np.array([0.5])
    loss, l1 = Objective(target, ObjectiveConfig(argmax_weight=0.5))(scores, mass)
    assert l1 == pytest.approx([2])
    assert loss == pytest.approx([2 + 0.5 * 20])
    loss, l1 = Objective(target, ObjectiveConfig(kind="squared"))(scores[:, :3], mass)
    assert loss == pytest.approx([8])
    assert l1 == pytest.approx([2])


def test_a_run_on_two_wordings_goes_on(monkeypatch, capsys, short_run, no_figures, tmp_path):
    given = [
        *short_run,
        "survey.tune_wordings=[0,1]",
        "objective.argmax_weight=0.3",
        f"output_dir={tmp_path}",
        "validity=false",
    ]
    code, out, err = call(monkeypatch, capsys, *given)
    assert code == 0, err
    file = next(tmp_path.rglob("result.json"))
    result = load_result(file)
    assert {r.wording for r in result.scores} == {"tuned", "tuned_2", "tuned_pooled"}
    assert "tuned (2) expected" in out
    assert f"{result.score('aligned').loss:.1f}" == f"{min_l1(file.parent):.1f}"
    file.unlink()
    code, out, err = call(monkeypatch, capsys, *given)
    assert code == 0, err
    assert "going on: 24 of 24" in out
    assert load_result(file).scores == result.scores


def min_l1(folder):
    from helpers.journals import read_journal

    records = [r for r in read_journal(folder / "evaluations.jsonl") if r["search"] == "aligned"]
    return min(records, key=lambda r: r["loss"])["l1"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("survey.tune_wordings=[0,7]", "survey.tune_wordings=[0, 7] names wording 7; toy has the wordings 0 to 1"),
        ("survey.tune_wordings=[]", "survey.tune_wordings=[] is not allowed; give different numbers from 0"),
        ("survey.tune_wordings=[0,0]", "survey.tune_wordings=[0, 0] is not allowed"),
        ("objective.argmax_weight=-1", "objective.argmax_weight=-1.0 is out of range"),
    ],
)
def test_bad_settings_are_one_line(monkeypatch, capsys, short_run, tmp_path, override, message):
    code, _, err = call(monkeypatch, capsys, *short_run, f"output_dir={tmp_path}/out", override)
    assert code == 2
    assert message in err
    assert not (tmp_path / "out").exists()
