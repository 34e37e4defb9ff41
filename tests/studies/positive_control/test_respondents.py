from dataclasses import replace

import numpy as np
import pytest

from cultural_sp.lm.soft_prompt import embedded_text
from cultural_sp.studies.positive_control.answer_rule import (
    DEFAULT_POSITION,
    answer_probabilities,
    default_positions,
)
from cultural_sp.studies.positive_control.curriculum import GRADED_STAGE, STAGES, CurriculumStage
from cultural_sp.studies.positive_control.descriptions import texts
from cultural_sp.studies.positive_control.respondents import SyntheticRespondents

CODES = np.arange(1, 6)


@pytest.fixture
def respondents(survey, tiny_lm):
    return SyntheticRespondents(survey, tiny_lm)


def words(text):
    return [w.strip(".,?!:;'\"").lower() for w in text.split()]


def runs(text, n):
    sequence = words(text)
    return {tuple(sequence[i : i + n]) for i in range(len(sequence) - n + 1)}


def test_answers_follow_the_rule():
    high, low, between = (
        answer_probabilities(5, 1.7, 0.8),
        answer_probabilities(5, -1.7, 0.8),
        answer_probabilities(5, 0.0, 0.8),
    )
    for answers in (high, low, between):
        assert answers.sum() == pytest.approx(1)
    assert high.argmax() == 4
    assert low == pytest.approx(high[::-1])
    assert between @ CODES == pytest.approx(3)
    assert high @ CODES == pytest.approx(4.477, abs=0.001)


def test_default_positions_alternate(survey):
    positions = default_positions(survey)
    assert [positions[d] for d in ("PDI", "IDV", "MAS", "UAI", "LTO", "IVR")] == [
        DEFAULT_POSITION,
        -DEFAULT_POSITION,
    ] * 3


def test_items_without_a_description_are_answered_by_default_positions(respondents, survey):
    batch = respondents.training_batch(replace(GRADED_STAGE, n_described=(0,), mix_share=0.0), np.random.default_rng(0))
    means = set(np.round(batch.answers @ CODES, 3).ravel().tolist())
    wanted = {round(float(answer_probabilities(5, 1.7 * side * DEFAULT_POSITION, 0.8) @ CODES), 3) for side in (1, -1)}
    assert means <= wanted | {3.0}  # 3 behind no question
    assert wanted <= means


def test_a_position_is_the_mean_of_the_statements(respondents, survey):
    item = next(item for item in survey.items if item.id == "m07")  # counts positively for PDI
    for statements, position in ([1.0], 1.0), ([-1.0, -1.0, 1.0], -1 / 3), ([0.5, -0.1], 0.2), ([1.0, -1.0], 0.0):
        answers = respondents._answers(item, {"PDI": np.array(statements)}, GRADED_STAGE)
        assert answers == pytest.approx(answer_probabilities(5, 1.7 * position, 0.8))


def test_a_mix_and_its_opposite_are_symmetric_about_the_middle_of_the_statements(respondents, tiny_lm):
    stage = CurriculumStage(1, 1, 0.0, (1,), (1,), mix_share=1.0)
    batch = respondents.training_batch(stage, np.random.default_rng(2))
    n_tokens = batch.prompts.shape[1]
    ends = [
        (embedded_text(poles["high"][0], n_tokens, tiny_lm), embedded_text(poles["low"][0], n_tokens, tiny_lm))
        for poles in texts()["phrasings"].values()
    ]
    high, low = min(ends, key=lambda pair: np.abs(pair[0] + pair[1] - batch.prompts.sum(0)).max())
    assert batch.prompts.sum(0) == pytest.approx(high + low, abs=1e-5)
    share = ((batch.prompts[0] - batch.prompts[1]) * (high - low)).sum() / ((high - low) ** 2).sum()
    assert batch.prompts[0] == pytest.approx((high + low) / 2 + share * (high - low) / 2, abs=1e-5)
    sides = np.abs(batch.answers @ CODES - 3).round(3)
    described = round(abs(float(answer_probabilities(5, 1.7 * share, 0.8) @ CODES) - 3), 3)
    assert np.isclose(sides, described, atol=0.002).sum() == 8
    assert batch.answers.shape == (2, len(batch.questions), 5)


def test_every_item_and_pole_has_texts_and_no_text_occurs_twice(survey):
    assert set(texts()["wordings"]) == {item.id for item in survey.items}
    assert set(texts()["phrasings"]) == set(survey.dimensions)
    wordings = [w for each in texts()["wordings"].values() for w in each]
    phrasings = [p for poles in texts()["phrasings"].values() for each in poles.values() for p in each]
    assert len(set(wordings)) == len(wordings) == 24 * 24
    assert len(set(phrasings)) == len(phrasings) == 6 * 2 * 32


def test_no_text_of_the_survey_is_trained_on(survey):
    tested = [w for item in survey.items for w in item.wordings]
    tested += [p for poles in survey.poles.values() for p in poles.values()]
    taught = [w for each in texts()["wordings"].values() for w in each]
    taught += [p for poles in texts()["phrasings"].values() for each in poles.values() for p in each]
    assert not set(map(str.lower, tested)) & set(map(str.lower, taught))
    shared = set().union(*(runs(t, 7) for t in tested)) & set().union(*(runs(t, 7) for t in taught))
    assert not shared


def test_opposite_respondents_give_opposite_answers(respondents, survey):
    batch = respondents.training_batch(STAGES[0], np.random.default_rng(0))
    means = batch.answers @ CODES
    described = np.abs(means - 3) > 1
    assert described.sum() == 3 * 2 * 4
    assert means[described].mean() == pytest.approx(3)
    assert means[~described] == pytest.approx(3)


def test_a_respondent_at_the_high_pole_has_a_high_index(respondents, survey):
    for dimension, weights in survey.dimensions.items():
        high = {item: answer_probabilities(5, 1.7 * np.sign(w), 0.8) @ CODES for item, w in weights.items()}
        assert sum(w * high[item] for item, w in weights.items()) > 150, dimension


def test_the_stage_sets_the_number_of_described_dimensions(respondents, tiny_lm):
    sentences = {p for poles in texts()["phrasings"].values() for each in poles.values() for p in each}
    for size, number in (0, 3), (1, 1), (2, 1), (6, 3):
        stage = replace(GRADED_STAGE, n_described=(size,), per_dimension=(number,), slot_share=0.0, mix_share=0.0)
        question = tiny_lm.tokenizer.decode(
            respondents.training_batch(stage, np.random.default_rng(1)).questions[0].after
        )
        assert sum(sentence in question for sentence in sentences) == size * number


def test_validation_texts_are_never_trained_on(respondents, tiny_lm):
    def questions(batch):
        return [tiny_lm.tokenizer.decode(q.after) for q in batch.questions]

    held_out = [w for each in texts()["wordings"].values() for w in each[-2:]]
    held_out += [p for poles in texts()["phrasings"].values() for each in poles.values() for p in each[-2:]]
    for number in range(8):
        for question in questions(
            respondents.training_batch(replace(GRADED_STAGE, mix_share=0.0), np.random.default_rng(number))
        ):
            assert not any(text in question for text in held_out)
    for size in (1, 6):
        for question in questions(respondents.validation_batch(size, np.random.default_rng(0))):
            assert any(text in question for text in held_out)


def test_a_description_is_a_system_message_or_stands_before_everything(respondents, tiny_lm):
    def front(in_slot):
        batch = respondents.training_batch(CurriculumStage(1, 1, in_slot, (1,)), np.random.default_rng(3))
        return {tiny_lm.tokenizer.decode(q.after).startswith("<|im_start|>") for q in batch.questions}

    assert front(0.0) == {True}
    assert front(1.0) == {False}


def test_batches_are_repeatable(respondents):
    first, again, other = (respondents.training_batch(GRADED_STAGE, np.random.default_rng([0, n])) for n in (5, 5, 6))
    assert first.questions == again.questions
    assert first.questions != other.questions
