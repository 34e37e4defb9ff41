from weakref import WeakKeyDictionary

import numpy as np
import pytest
import torch

from cultural_sp.config.groups import ModelConfig, SurveyConfig
from cultural_sp.lm import forward_selection as choose_forward
from cultural_sp.lm.language_model import weights_hash
from cultural_sp.lm.load import load_model
from cultural_sp.lm.survey_respondent import Condition, SurveyRespondent

NO_PROMPT = np.zeros((1, 0, 32), dtype=np.float32)


def asked(lm, survey, **config):
    return SurveyRespondent(lm, survey, SurveyConfig(instrument="toy", **config)).answer(NO_PROMPT)


def next_token_log_probs(lm, text):
    ids = torch.tensor([lm.tokenizer(text, add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        return lm.model(ids).logits[0, -1].log_softmax(-1)


PERSONA_CHAT = (
    "<|im_start|>system\n{0}You like bread.<|im_end|>\n<|im_start|>user\n{1}{q}<|im_end|>\n<|im_start|>assistant\n"
)


@pytest.mark.parametrize("scoring", ["number", "label"])
@pytest.mark.parametrize("placement", ["prefix", "system", "user"])
def test_answers_are_those_of_a_text_written_by_hand(tiny_lm, toy_survey, scoring, placement):
    config = SurveyConfig(instrument="toy", scoring=scoring, option_order="ascending", calibrate=False)
    respondent = SurveyRespondent(
        tiny_lm, toy_survey, config, Condition(placement=placement, persona="You like bread.")
    )
    soft = (0.5 * np.random.default_rng(1).standard_normal((3, 32))).astype(np.float32)
    found = next(iter(respondent.answer(soft[None]).log_probs.values()))[0, 2]
    question = "How much cheese?"
    if scoring == "number":
        question += "\n\n1 = much\n2 = some\n3 = none\n\nAnswer with one number from 1 to 3."
    marks = {"prefix": ("", ""), "system": ("@", ""), "user": ("", "@")}[placement]
    text = PERSONA_CHAT.format(*marks, q=question)
    front, _, back = text.rpartition("@")
    back += "I think" if scoring == "label" else ""

    def vectors(part):
        ids = tiny_lm.tokenizer(part, add_special_tokens=False)["input_ids"]
        return ids, tiny_lm.embeddings[torch.tensor(ids, dtype=torch.long)]

    for index, option in enumerate(["1", "2", "3"] if scoring == "number" else [" much", " some", " none"]):
        ids, behind = vectors(back + option)
        n_option = len(ids) - len(vectors(back)[0])
        inputs = torch.cat([vectors(front)[1], torch.from_numpy(soft), behind])[None]
        with torch.inference_mode():
            log_probs = tiny_lm.model(inputs_embeds=inputs).logits[0].log_softmax(-1)
        by_hand = sum(float(log_probs[-1 - k, ids[-k]]) for k in range(1, n_option + 1))
        assert found[index] == pytest.approx(by_hand, abs=1e-4)
    assert (found[3:] == -np.inf).all()


def test_both_attention_implementations_give_the_same_answers(tiny_lm, tiny_folder, toy_survey):
    eager = load_model(ModelConfig(name_or_path=str(tiny_folder), attn_implementation="eager"))
    ours, theirs = (asked(lm, toy_survey).log_probs["none"] for lm in (tiny_lm, eager))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_descending_numbers_come_back_in_code_order(tiny_lm, toy_survey):
    legend = "1 = fifth\n2 = fourth\n3 = third\n4 = second\n5 = first\n\nAnswer with one number from 1 to 5."
    text = f"<|im_start|>user\n{legend}\n\nDo you like apples?<|im_end|>\n<|im_start|>assistant\n"
    plain = next_token_log_probs(tiny_lm, text)
    numbers = [tiny_lm.tokenizer(str(n), add_special_tokens=False)["input_ids"][0] for n in (5, 4, 3, 2, 1)]
    answers = asked(tiny_lm, toy_survey, scoring="number", layout="legend_first", option_order="descending")
    np.testing.assert_allclose(answers.log_probs["descending"][0, 0], plain[numbers], atol=1e-4)


def test_both_orders_are_the_two_single_ones(tiny_lm, toy_survey):
    both = asked(tiny_lm, toy_survey, scoring="number", option_order="both")
    assert list(both.log_probs) == ["ascending", "descending"]
    for order in both.log_probs:
        alone = asked(tiny_lm, toy_survey, scoring="number", option_order=order)
        np.testing.assert_allclose(both.log_probs[order], alone.log_probs[order], atol=1e-4)


def test_calibration_subtracts_the_content_free_question(tiny_lm, toy_survey):
    raw = asked(tiny_lm, toy_survey, calibrate=False)
    calibrated = asked(tiny_lm, toy_survey, calibrate=True)
    text = "<|im_start|>user\nN/A<|im_end|>\n<|im_start|>assistant\nI think"
    options = [" much", " some", " none"]
    neutral = []
    for option in options:
        ids = tiny_lm.tokenizer(text + option, add_special_tokens=False)["input_ids"]
        start = len(tiny_lm.tokenizer(text, add_special_tokens=False)["input_ids"])
        with torch.inference_mode():
            log_probs = tiny_lm.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        neutral.append(sum(float(log_probs[i - 1, ids[i]]) for i in range(start, len(ids))))
    difference = raw.log_probs["none"][0, 2, :3] - calibrated.log_probs["none"][0, 2, :3]
    np.testing.assert_allclose(difference, neutral, atol=1e-4)
    assert (calibrated.log_probs["none"][0, 2, 3:] == -np.inf).all()
    np.testing.assert_allclose(raw.valid_mass["none"], calibrated.valid_mass["none"], rtol=1e-4)


@pytest.mark.parametrize("scoring", ["number", "label"])
def test_valid_mass_is_a_probability(tiny_lm, toy_survey, scoring):
    for mass in asked(tiny_lm, toy_survey, scoring=scoring).valid_mass.values():
        assert mass.shape == (1, 4)
        assert (mass > 0).all()
        assert (mass <= 1).all()


def test_prompts_of_another_width_are_refused(tiny_lm, toy_survey):
    respondent = SurveyRespondent(tiny_lm, toy_survey, SurveyConfig(instrument="toy"))
    with pytest.raises(ValueError, match=r"\[N, P, 32\], got \[1, 3, 16\]"):
        respondent.answer(np.zeros((1, 3, 16), dtype=np.float32))


def test_a_window_shorter_than_the_survey_takes_padded_batches(tiny_lm, toy_survey, monkeypatch, caplog):
    expected = asked(tiny_lm, toy_survey).log_probs["none"]
    monkeypatch.setattr(choose_forward, "_warned", WeakKeyDictionary())
    monkeypatch.setattr(tiny_lm.model.config, "sliding_window", 16, raising=False)
    found = [asked(tiny_lm, toy_survey).log_probs["none"] for _ in range(2)]
    assert [r.message.count("attention window of 16") for r in caplog.records] == [1]
    np.testing.assert_allclose(found[0], expected, atol=1e-4)


def test_answering_changes_no_weight(tiny_lm, toy_survey):
    before = weights_hash(tiny_lm.model)
    asked(tiny_lm, toy_survey)
    assert weights_hash(tiny_lm.model) == before
