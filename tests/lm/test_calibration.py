"""What a Respondent does with the tree's rows, checked against other Respondents and against rendered texts."""

import dataclasses

import numpy as np
import pytest
import torch

from cultural_sp.config.groups import SurveyConfig
from cultural_sp.lm.forward import PaddedForward, TreeForward
from cultural_sp.lm.forward_selection import make_forward
from cultural_sp.lm.survey_respondent import Condition, SurveyRespondent
from cultural_sp.survey.render import CONTENT_FREE

SOFT = (0.5 * np.random.default_rng(5).standard_normal((2, 3, 32))).astype(np.float32)
PERSONA = "You like bread."


def label(survey, lm, calibrate, placement="prefix"):
    config = SurveyConfig(instrument="toy", scoring="label", calibrate=calibrate)
    return SurveyRespondent(lm, survey, config, Condition(placement=placement, persona=PERSONA)).answer(SOFT)


def content_free(survey):
    """The same survey with every item's text taken away, so that it asks the content-free question itself."""
    items = tuple(dataclasses.replace(item, wordings=(CONTENT_FREE,) * survey.n_wordings) for item in survey.items)
    return dataclasses.replace(survey, items=items)


@pytest.mark.parametrize("placement", ["prefix", "system", "user"])
def test_calibrated_is_asked_less_content_free(tiny_lm, toy_survey, placement):
    """Under the same soft prompt and persona, and for every item its own scale's content-free question."""
    raw = label(toy_survey, tiny_lm, False, placement)
    neutral = label(content_free(toy_survey), tiny_lm, False, placement)
    found = label(toy_survey, tiny_lm, True, placement).log_probs["none"]
    real = np.isfinite(found)
    np.testing.assert_array_equal(real, np.broadcast_to(~np.isnan(toy_survey.codes()), found.shape))
    difference = raw.log_probs["none"][real] - neutral.log_probs["none"][real]
    np.testing.assert_allclose(found[real], difference, atol=1e-4)
    assert (found[~real] == -np.inf).all()


def test_calibration_leaves_the_valid_mass_alone(tiny_lm, toy_survey):
    raw, calibrated = (label(toy_survey, tiny_lm, calibrate) for calibrate in (False, True))
    by_hand = np.exp(raw.log_probs["none"]).sum(axis=-1)
    for answers in (raw, calibrated):
        np.testing.assert_allclose(answers.valid_mass["none"], by_hand, rtol=1e-4)


@pytest.mark.parametrize("calibrate", [False, True])
def test_number_scoring_is_never_calibrated(tiny_lm, toy_survey, calibrate):
    config = SurveyConfig(instrument="toy", scoring="number", calibrate=calibrate)
    respondent = SurveyRespondent(tiny_lm, toy_survey, config)
    assert [len(part) for part in respondent.tokenized] == [4, 4]
    answers = respondent.answer(SOFT)
    for order, log_probs in answers.log_probs.items():
        np.testing.assert_allclose(answers.valid_mass[order], np.exp(log_probs).sum(axis=-1))


def test_descending_numbers_of_a_short_scale_come_back_in_code_order(tiny_lm, toy_survey):
    """With three options, 3 stands for code 1, and the padding stays behind."""
    legend = "1 = none\n2 = some\n3 = much"
    text = f"How much cheese?\n\n{legend}\n\nAnswer with one number from 1 to 3."
    text = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    ids = tiny_lm.tokenizer(text, add_special_tokens=False)["input_ids"]
    inputs = torch.cat([torch.from_numpy(SOFT[0]), tiny_lm.embeddings[torch.tensor(ids)]])[None]
    with torch.inference_mode():
        plain = tiny_lm.model(inputs_embeds=inputs).logits[0, -1].log_softmax(-1)
    numbers = [tiny_lm.tokenizer(n, add_special_tokens=False)["input_ids"][0] for n in "321"]
    config = SurveyConfig(instrument="toy", scoring="number", layout="question_first", option_order="descending")
    found = SurveyRespondent(tiny_lm, toy_survey, config).answer(SOFT).log_probs["descending"][0, 2]
    np.testing.assert_allclose(found[:3], plain[numbers], atol=1e-4)
    assert (found[3:] == -np.inf).all()


@pytest.mark.parametrize("shape", [(3, 32), (1, 3, 31), (1, 1, 3, 32)])
def test_prompts_of_another_shape_are_refused_in_one_line(tiny_lm, toy_survey, shape):
    respondent = SurveyRespondent(tiny_lm, toy_survey, SurveyConfig(instrument="toy"))
    with pytest.raises(ValueError, match=r"^soft prompts need shape \[N, P, 32\], got [^\n]+$"):
        respondent.answer(np.zeros(shape, dtype=np.float32))


def test_the_window_may_be_just_as_long_as_the_survey(tiny_lm, toy_survey, monkeypatch):
    respondent = SurveyRespondent(tiny_lm, toy_survey, SurveyConfig(instrument="toy"))
    needed = respondent.trees[0].longest + SOFT.shape[1]

    def kind(window, **more):
        for key, value in {"sliding_window": window, **more}.items():
            monkeypatch.setattr(tiny_lm.model.config, key, value, raising=False)
        return type(make_forward(tiny_lm, respondent.trees[0], SOFT.shape[1]))

    assert kind(needed) is TreeForward
    assert kind(needed - 1) is PaddedForward
    assert kind(needed - 1, use_sliding_window=False) is TreeForward, "the window is configured, but switched off"
