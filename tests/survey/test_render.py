import dataclasses
from dataclasses import replace

import pytest

from cultural_sp.survey.instrument import Scale
from cultural_sp.survey.render import Rendering, orders_of, render


def number(survey, order="ascending", layout="question_first", persona=""):
    return render(survey, 0, Rendering(scoring="number", layout=layout, order=order, calibrate=False), persona=persona)


def test_ascending_shows_code_1_as_number_1(survey):
    question = number(survey).questions[19]  # item 20: code 1 is never
    assert "1 = never\n2 = seldom\n3 = sometimes\n4 = usually\n5 = always" in question.user
    assert question.options == ("1", "2", "3", "4", "5")


def test_descending_shows_code_5_as_number_1_and_scores_it_as_5(survey):
    question = number(survey, "descending").questions[19]
    assert "1 = always\n2 = usually\n3 = sometimes\n4 = seldom\n5 = never" in question.user
    assert question.options == ("5", "4", "3", "2", "1")  # code 1 (never) is chosen by the number 5


@pytest.mark.parametrize("layout", ["legend_first", "question_first"])
def test_layouts_put_the_list_before_or_after_the_question(survey, layout):
    question = number(survey, layout=layout).questions[0]
    text = survey.items[0].wordings[0]
    assert (question.user.index("1 = ") < question.user.index(text)) == (layout == "legend_first")
    assert "Answer with one number from 1 to 5." in question.user


def test_items_keep_their_own_number_of_options(toy_survey):
    question = number(toy_survey, "descending").questions[2]
    assert question.options == ("3", "2", "1")
    assert "1 = none\n2 = some\n3 = much" in question.user
    assert "from 1 to 3" in question.user


def test_label_scoring_shows_no_list(survey):
    asked = render(survey, 1, Rendering(scoring="label", layout="legend_first", order="none", calibrate=False))
    question = asked.questions[0]
    assert question.user == survey.items[0].wordings[1]
    assert question.lead == "To me, that is"
    assert question.options[0] == " extremely important"
    assert asked.content_free == ()


def test_calibration_asks_one_content_free_question_per_scale(survey):
    asked = render(survey, 0, Rendering(scoring="label", layout="", order="none", calibrate=True))
    assert len(asked.content_free) == 6
    assert {q.user for q in asked.content_free} == {"N/A"}
    for item, question, neutral in zip(survey.items, asked.questions, asked.content_free_of, strict=True):
        assert asked.content_free[neutral].options == question.options, item.id
        assert asked.content_free[neutral].lead == question.lead


@pytest.mark.parametrize("layout", ["legend_first", "question_first"])
def test_options_are_listed_in_words_in_both_orders_and_their_texts_are_the_answers(survey, layout):
    text = survey.items[17].wordings[3]
    legends = {
        "ascending": "Answer with one of: very good, rather good, average, rather bad, very bad",
        "descending": "Answer with one of: very bad, rather bad, average, rather good, very good",
    }
    for order, legend in legends.items():
        asked = render(survey, 3, Rendering(scoring="list", layout=layout, order=order), "You are old.")
        question = asked.questions[17]
        assert asked.order == order
        assert question.user == f"{legend}\n{text}" if layout == "legend_first" else f"{text}\n{legend}"
        assert (question.system, question.lead) == ("You are old.", "")
        assert question.options == ("Very good", "Rather good", "Average", "Rather bad", "Very bad"), (
            "in the order of codes"
        )


def test_a_label_with_a_comma_is_told_from_the_next(survey):
    scale = replace(survey.items[0].scale, labels=("yes, always", "no"), codes=(1.0, 2.0))
    item = replace(survey.items[0], scale=scale)
    asked = render(replace(survey, items=(item,)), 0, Rendering(scoring="list", order="ascending"))
    assert asked.questions[0].user.endswith("Answer with one of: yes, always; no")


def test_a_list_is_calibrated_by_a_content_free_question_with_the_same_list(survey):
    asked = render(survey, 0, Rendering(scoring="list", order="descending", calibrate=True))
    assert len(asked.content_free) == 6
    assert asked.content_free[0].user.startswith("N/A\nAnswer with one of: not important, slightly")
    assert asked.content_free[0].options == asked.questions[0].options


@pytest.mark.parametrize("scoring", ["number", "label", "list"])
def test_personas_are_the_system_message_everywhere(survey, scoring):
    asked = render(
        survey, 0, Rendering(scoring=scoring, layout="legend_first", order="ascending", calibrate=True), persona="Be X."
    )
    assert {q.system for q in (*asked.questions, *asked.content_free)} == {"Be X."}


def test_orders():
    assert orders_of("number", "both") == ("ascending", "descending")
    assert orders_of("number", "descending") == ("descending",)
    assert orders_of("label", "both") == ("none",)


@pytest.mark.parametrize("scoring", ["number", "label"])
def test_every_wording_can_be_asked(survey, scoring):
    for wording in range(survey.n_wordings):
        asked = render(
            survey,
            wording,
            Rendering(scoring=scoring, layout="question_first", order="ascending", calibrate=False),
            persona="",
        )
        for item, question in zip(survey.items, asked.questions, strict=True):
            shown = [text for text in item.wordings if text in question.user]
            assert shown == [item.wordings[wording]]


def test_labels_without_opening_words_start_the_answer_with_a_capital(toy_survey):
    item = toy_survey.items[2]
    bare = dataclasses.replace(item, scale=dataclasses.replace(item.scale, lead=""))
    one_item = dataclasses.replace(toy_survey, items=(bare,))
    question = render(one_item, 0, Rendering(scoring="label", layout="", order="none", calibrate=False)).questions[0]
    assert (question.lead, question.options) == ("", ("Much", "Some", "None"))


def test_numbers_of_two_digits_are_refused(toy_survey):
    ten = replace(toy_survey.items[0].scale, labels=tuple("abcdefghij"))
    survey = replace(toy_survey, items=(replace(toy_survey.items[0], scale=ten), *toy_survey.items[1:]))
    with pytest.raises(ValueError, match=r"at most 9 options, because 10 begins like 1; toy has more in a; use survey"):
        number(survey)
    assert (
        render(survey, 0, Rendering(scoring="label", layout="", order="none", calibrate=False)).questions[0].options[9]
        == " j"
    )


def test_labels_of_which_one_begins_another_are_refused(toy_survey):
    ten = Scale("points", tuple(str(i) for i in range(1, 11)), "")
    survey = replace(toy_survey, items=(replace(toy_survey.items[0], scale=ten), *toy_survey.items[1:]))
    with pytest.raises(
        ValueError, match=r"^[^\n]*as '1' does '10' in scale points of toy; name the points in words[^\n]*$"
    ):
        render(survey, 0, Rendering(scoring="label", layout="", order="none", calibrate=False))
