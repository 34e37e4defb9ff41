from dataclasses import replace

import numpy as np
import pytest

from cultural_sp.positive_control.respondents import Respondents, Stage, answers_of, own_values, texts
from cultural_sp.positive_control.train import OWN_VALUES, STAGES

CODES = np.arange(1, 6)


@pytest.fixture
def respondents(survey, tiny_lm):
    return Respondents(survey, tiny_lm.tokenizer)


def words(text):
    return [w.strip(".,?!:;'\"").lower() for w in text.split()]


def runs(text, n):
    found = words(text)
    return {tuple(found[i : i + n]) for i in range(len(found) - n + 1)}


def test_the_rule():
    high, low, nothing = answers_of(5, 1.7, 0.8), answers_of(5, -1.7, 0.8), answers_of(5, 0.0, 1.5)
    for answers in (high, low, nothing):
        assert answers.sum() == pytest.approx(1)
    assert high.argmax() == 4
    assert low == pytest.approx(high[::-1])
    assert nothing @ CODES == pytest.approx(3)
    assert high @ CODES == pytest.approx(4.477, abs=0.001)


def test_the_models_own_values_are_those_of_the_halves_of_a_scale(survey):
    own = own_values(survey)
    assert [own[f"m{i:02}"] for i in (1, 7, 8, 14)] == [1, 1, -1, -1]
    assert [own[f"m{i:02}"] for i in (15, 16, 17, 18, 19, 20)] == [1, 0, -1, 0, 0, 0]
    assert [own[f"m{i:02}"] for i in (21, 22, 23, 24)] == [1, 1, -1, -1]


def test_what_no_description_is_about_is_answered_by_the_models_own_values(respondents, survey):
    lesson = respondents.lesson(replace(OWN_VALUES, sizes=(0,)), np.random.default_rng(0))
    means = set(np.round(lesson.answers @ CODES, 3).tolist())
    wanted = {round(float(answers_of(5, 1.3 * side, 1.0) @ CODES), 3) for side in (1, 0, -1)}
    assert means <= wanted | {3.0}
    assert len(means) == 3


def test_there_are_texts_for_every_item_and_pole_and_none_twice(survey):
    assert set(texts()["wordings"]) == {item.id for item in survey.items}
    assert set(texts()["phrasings"]) == set(survey.dimensions)
    wordings = [w for each in texts()["wordings"].values() for w in each]
    phrasings = [p for poles in texts()["phrasings"].values() for each in poles.values() for p in each]
    assert len(set(wordings)) == len(wordings) == 24 * 10
    assert len(set(phrasings)) == len(phrasings) == 6 * 2 * 16


def test_nothing_that_is_tested_is_trained_on(survey):
    tested = [w for item in survey.items for w in item.wordings]
    tested += [p for poles in survey.poles.values() for p in poles.values()]
    taught = [w for each in texts()["wordings"].values() for w in each]
    taught += [p for poles in texts()["phrasings"].values() for each in poles.values() for p in each]
    assert not set(map(str.lower, tested)) & set(map(str.lower, taught))
    shared = set().union(*(runs(t, 7) for t in tested)) & set().union(*(runs(t, 7) for t in taught))
    assert not shared


def test_opposites_get_opposite_answers_to_the_items_that_follow_from_them(respondents, survey):
    lesson = respondents.lesson(STAGES[0], np.random.default_rng(0))
    means = lesson.answers @ CODES
    described = np.abs(means - 3) > 1
    assert described.sum() == 3 * 2 * 4
    assert means[described].mean() == pytest.approx(3)
    assert means[~described] == pytest.approx(3)


def test_the_sign_of_an_answer_is_that_of_the_pole_and_the_weight(respondents, survey):
    """A respondent at the high pole has a high index by the survey's own formula."""
    for dimension, weights in survey.dimensions.items():
        high = {item: answers_of(5, 1.7 * np.sign(w), 0.8) @ CODES for item, w in weights.items()}
        assert sum(w * high[item] for item, w in weights.items()) > 150, dimension


def test_respondents_are_described_on_as_many_dimensions_as_the_stage_says(respondents, tiny_lm):
    sentences = {p for poles in texts()["phrasings"].values() for each in poles.values() for p in each}
    for size in (0, 1, 2, 6):
        lesson = respondents.lesson(replace(OWN_VALUES, sizes=(size,), in_slot=0.0), np.random.default_rng(1))
        shown = tiny_lm.tokenizer.decode(lesson.questions[0].after)
        assert sum(sentence in shown for sentence in sentences) == size


def test_watched_texts_are_never_taught(respondents, tiny_lm):
    def seen(lesson):
        return [tiny_lm.tokenizer.decode(q.after) for q in lesson.questions]

    kept = [w for each in texts()["wordings"].values() for w in each[-2:]]
    kept += [p for poles in texts()["phrasings"].values() for each in poles.values() for p in each[-2:]]
    for number in range(8):
        for shown in seen(respondents.lesson(STAGES[-1], np.random.default_rng(number))):
            assert not any(text in shown for text in kept)
    for size in (1, 6):
        for shown in seen(respondents.watched(size, np.random.default_rng(0))):
            assert any(text in shown for text in kept)


def test_a_description_stands_in_the_system_turn_or_where_a_soft_prompt_goes(respondents, tiny_lm):
    def front(in_slot):
        lesson = respondents.lesson(Stage(1, 1, in_slot, (1,)), np.random.default_rng(3))
        return {tiny_lm.tokenizer.decode(q.after).startswith("<|im_start|>") for q in lesson.questions}

    assert front(0.0) == {True}
    assert front(1.0) == {False}


def test_lessons_are_repeatable(respondents):
    first, again, other = (respondents.lesson(STAGES[-1], np.random.default_rng([0, n])) for n in (5, 5, 6))
    assert first.questions == again.questions
    assert first.questions != other.questions
