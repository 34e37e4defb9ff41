import json

import pytest
import torch
from helpers.runs import call

from cultural_sp.config.groups import SurveyConfig
from cultural_sp.lm.survey_respondent import SurveyRespondent
from cultural_sp.studies.benchmark import methods, run
from cultural_sp.survey.instrument import load_survey


@pytest.fixture
def tiny_bench(tiny_folder, tmp_path):
    return [
        f"model.name_or_path={tiny_folder}",
        f"output_dir={tmp_path}",
        "geometry=tiny",
        "model.device=cpu",
        "model.compile=false",
        "rounds=1",
        "max_new_tokens=1",
    ]


def test_the_benchmark_measures_all_methods_and_axes(monkeypatch, capsys, tiny_bench, tmp_path):
    code, out, err = call(monkeypatch, capsys, *tiny_bench, entry="bench")
    assert code == 0, err
    result = json.loads((tmp_path / "bench" / "bench.json").read_text())
    usual = {"generate", "per_item", "padded_all_logits", "padded", "peft"}
    assert set(result["candidates_per_second"]) == usual | {"tree", "bound"}
    assert set(result["speedup_over"]) == usual
    for name, ratio in result["speedup_over"].items():
        rates = result["candidates_per_second"]
        assert ratio == pytest.approx(rates["tree"] / rates[name])
    assert 0 < result["fraction_of_bound"] < 1
    assert result["max_abs_diff"] < 1e-4
    assert 2 * result["tokens"]["tree"] < result["tokens"]["sum"]
    assert {row["axis"] for row in result["growth"]} == {
        "items", "wordings", "option orders", "virtual tokens", "candidates per batch"
    }  # fmt: skip
    assert [row["value"] for row in result["growth"] if row["axis"] == "items"] == [24, 48, 96, 240]
    assert (tmp_path / "bench" / "bench.png").stat().st_size > 10_000
    assert "fraction of the bound" in out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rounds=0", "rounds=0 is out of range; give a number at least 1"),
        ("survey=vsm13", "survey.scoring=label can't be benchmarked"),
        ("geometry=huge", "geometry=huge is unknown; choose one of: llama3_8b, tiny"),
        ("speed=1", "unknown key speed; allowed: model, survey, geometry"),
    ],
)
def test_bad_input_is_one_line(monkeypatch, capsys, tiny_bench, override, message):
    code, _, err = call(monkeypatch, capsys, *tiny_bench, override, entry="bench")
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_the_usual_methods_agree_with_the_token_tree(tiny_lm):
    survey = load_survey("vsm13")
    respondent = SurveyRespondent(
        tiny_lm, survey, SurveyConfig(instrument="vsm13", scoring="number", layout="legend_first", option_order="both")
    )
    prompts = 0.3 * torch.randn(1, 1, 3, 32, generator=torch.Generator().manual_seed(0))
    _, expected = run.whole_batch(respondent, prompts)(0)
    with torch.inference_mode():
        for name, method in methods.usual_methods(respondent, 3, 1).items():
            log_probs = method(prompts[0, 0])
            if name != "generate":
                torch.testing.assert_close(log_probs, expected, atol=1e-4, rtol=0)


def test_options_of_several_tokens_are_refused(tiny_lm, toy_survey):
    respondent = SurveyRespondent(tiny_lm, toy_survey, SurveyConfig(instrument="toy", calibrate=False))
    with pytest.raises(ValueError, match="several tokens"):
        methods.usual_methods(respondent, 3, 1)
