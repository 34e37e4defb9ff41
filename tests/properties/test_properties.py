"""What must hold for any input: parsing, scoring, rendering, journal and token tree. The examples are the same every time."""

import csv
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.tiny import TOY
from hypothesis import given, settings
from hypothesis import strategies as st

from cultural_sp.lm.chat_prompt import TokenizedPrompt
from cultural_sp.lm.token_tree import build_tree
from cultural_sp.survey.instrument import Item, Scale, Survey, load_survey
from cultural_sp.survey.questionnaire import apply_questionnaire
from cultural_sp.survey.render import Rendering, render
from cultural_sp.survey.scoring import dimension_scores, make_scoring
from cultural_sp.survey.targets import Targets
from cultural_sp.utils.json_lines import DamagedLineError, JsonLines, read_json_lines
from cultural_sp.utils.strict_yaml import read_yaml

always_the_same: Callable = settings(derandomize=True, max_examples=25, deadline=None, database=None)

numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20)
words = st.text("abcdefghijklmnopqrstuvwxyzäöüéñ中文", min_size=1, max_size=8)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("properties") / "file"


# Parsing


@always_the_same
@given(plain)
def test_yaml_reads_what_was_written(file, content):
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    assert read_yaml(file) == content


@always_the_same
@given(st.integers(0, len(TOY) - 1), st.integers(0, 60), texts)
def test_an_edited_survey_is_read_or_refused_in_one_line(file, start, length, text):
    path = file.with_suffix(".yaml")
    path.write_text(TOY[:start] + text + TOY[start + length :], encoding="utf-8")
    try:
        survey = load_survey(str(path))
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either will do
    else:
        assert survey.scoring.weights.shape == (len(survey.dimensions), len(survey.items))
        assert np.isfinite(survey.scoring.weights).all()


@always_the_same
@given(st.lists(words, min_size=4, max_size=4))
def test_a_questionnaire_in_csv_is_read_as_it_was_written(file, toy_survey, questions):
    text = io.StringIO()
    rows = [[item.id, question] for item, question in zip(toy_survey.items, questions, strict=True)]
    csv.writer(text).writerows([["item", "text"], *rows])
    path = file.with_suffix(".csv")
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    mine = apply_questionnaire(toy_survey, str(path))
    assert [item.wordings[0] for item in mine.items] == questions
    assert [item.wordings[1:] for item in mine.items] == [item.wordings[1:] for item in toy_survey.items]


@always_the_same
@given(st.binary(max_size=80))
def test_any_bytes_are_no_questionnaire(file, toy_survey, content):
    path = file.with_suffix(".csv")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="^[^\n]+$"):
        apply_questionnaire(toy_survey, str(path))


# Scoring

weights = st.lists(
    st.dictionaries(st.sampled_from("abcde"), st.integers(-40, 40).filter(bool).map(float), min_size=1),
    min_size=1,
    max_size=3,
)
means = st.lists(st.floats(1, 5), min_size=5, max_size=5).map(np.array)


def a_survey(dimensions=({"a": 1.0},), scales=(("x", "y"),) * 5, text="{} {}?", constant=50.0):
    items = [
        Item(name, name, Scale(f"s{i}", tuple(labels), ""), tuple(text.format(name, w) for w in range(2)))
        for i, (name, labels) in enumerate(zip("abcde", scales, strict=True))
    ]
    named = {f"D{i}": weights for i, weights in enumerate(dimensions)}
    scoring = make_scoring({}, list("abcde"), named).with_constant(constant)
    return Survey("s", "S", tuple(items), named, scoring, Targets("none", ()), "none", {})


@always_the_same
@given(weights, means, st.floats(-100, 100))
def test_a_score_is_the_weighted_sum_of_item_means(dimensions, item_means, constant):
    by_name = dict(zip("abcde", item_means, strict=True))
    by_hand = [sum(w * by_name[item] for item, w in d.items()) + constant for d in dimensions]
    found = dimension_scores(a_survey(dimensions, constant=constant).scoring, item_means)
    assert found == pytest.approx(by_hand, abs=1e-9)


@always_the_same
@given(weights, means, st.sets(st.integers(0, 4)))
def test_missing_answers_spoil_the_scores_that_use_them_and_no_others(dimensions, item_means, missing):
    holes = item_means.copy()
    holes[list(missing)] = np.nan
    survey = a_survey(dimensions)
    whole, found = dimension_scores(survey.scoring, item_means), dimension_scores(survey.scoring, holes)
    for used, before, after in zip(dimensions, whole, found, strict=True):
        if set(used) & {"abcde"[i] for i in missing}:
            assert np.isnan(after)
        else:
            assert after == before


@always_the_same
@given(weights, st.lists(means, min_size=1, max_size=4).map(np.stack))
def test_candidates_are_scored_one_by_one(dimensions, item_means):
    survey = a_survey(dimensions)
    together = dimension_scores(survey.scoring, item_means)
    assert together.tolist() == [dimension_scores(survey.scoring, row).tolist() for row in item_means]


# Rendering

label = st.text("abcdexyzäöüéñ中文", min_size=4, max_size=4)  # none begins another
labels = st.lists(label, min_size=2, max_size=9, unique=True)


@always_the_same
@given(st.lists(labels, min_size=5, max_size=5), st.sampled_from(["ascending", "descending"]), st.integers(0, 1), texts)
def test_the_number_of_an_option_stands_beside_its_label(scales, order, wording, persona):
    survey = a_survey(scales=scales)
    asked = render(
        survey,
        wording,
        Rendering(scoring="number", layout="legend_first", order=order, calibrate=False),
        persona=persona,
    )
    for item, question in zip(survey.items, asked.questions, strict=True):
        shown = dict(line.split(" = ", 1) for line in question.user.splitlines() if " = " in line)
        assert tuple(shown[number] for number in question.options) == item.scale.labels
        assert list(shown) == [str(i + 1) for i in range(len(item.scale.labels))]
        assert item.wordings[wording] in question.user
        assert question.system == persona


@always_the_same
@given(st.lists(labels, min_size=5, max_size=5), st.booleans())
def test_options_scored_by_their_text_are_the_labels_in_order(scales, calibrate):
    survey = a_survey(scales=scales)
    asked = render(survey, 0, Rendering(scoring="label", layout="", order="none", calibrate=calibrate))
    for number, (item, question) in enumerate(zip(survey.items, asked.questions, strict=True)):
        assert [o.strip().lower() for o in question.options] == [label.lower() for label in item.scale.labels]
        if calibrate:
            assert asked.content_free[asked.content_free_of[number]].options == question.options


# The journal

records = st.lists(st.dictionaries(texts.filter(lambda x: x != "crc32"), plain, max_size=4), min_size=1, max_size=6)


def _written(content):
    with tempfile.TemporaryDirectory() as folder:
        lines = JsonLines(Path(folder) / "x.jsonl")
        lines.append(content)
        return lines.path.read_bytes()


def _read(content):
    """The records of a file with this content, their bytes, and what is wrong with the line after them."""
    lines, problem = [], ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jsonl"
        path.write_bytes(content)
        try:
            lines.extend(read_json_lines(path))
        except DamagedLineError as error:
            problem = error.reason
    return [line.record for line in lines], lines[-1].end if lines else 0, problem


@always_the_same
@given(records)
def test_a_journal_reads_what_was_written(content):
    text = _written(content)
    assert _read(text) == (json.loads(json.dumps(content)), len(text), "")


@always_the_same
@given(records, st.data())
def test_a_journal_cut_off_anywhere_keeps_its_whole_lines(content, data):
    whole = _written(content)
    cut = data.draw(st.integers(0, len(whole)))
    found, size, problem = _read(whole[:cut])
    assert len(found) == whole[:cut].count(b"\n")
    assert size <= cut
    assert bool(problem) == (size < cut)


@always_the_same
@given(records, st.data())
def test_a_changed_byte_of_a_journal_is_never_believed(content, data):
    whole = _written(content)
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    line = whole[:place].count(b"\n")
    found, _, problem = _read(whole[:place] + bytes([other]) + whole[place + 1 :])
    assert found == json.loads(json.dumps(content[:line]))
    assert problem


# The token tree

tokens = st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple)
questions = st.lists(
    st.builds(TokenizedPrompt, st.just((7, 8)), tokens, st.lists(tokens, min_size=1, max_size=4).map(tuple)),
    min_size=1,
    max_size=5,
)


@always_the_same
@given(questions)
def test_every_path_through_the_tree_is_a_question_with_an_option(asked):
    tree = build_tree(asked)

    def above(node):
        return () if node < 0 else (*above(int(tree.parents[node])), int(tree.tokens[node]))

    for question, paths in zip(asked, tree.options, strict=True):
        for option, path in zip(question.options, paths, strict=True):
            reads = [(int(tree.sources[row]), token) for row, token in tree.reads[list(path)].tolist()]
            assert [token for _, token in reads] == list(option)
            for length, (node, _) in enumerate(reads):
                assert above(node) == (*question.after, *option[:length])


@always_the_same
@given(questions)
def test_the_tree_holds_every_shared_start_once_in_depth_first_order(asked):
    tree = build_tree(asked)
    sequences = [(*q.after, *option[:-1]) for q in asked for option in q.options]
    assert tree.n_nodes == len({s[:i] for s in sequences for i in range(1, len(s) + 1)})
    parents, depth = tree.parents.tolist(), tree.depth.tolist()
    for node, parent in enumerate(parents):
        assert parent < node
        assert depth[node] == (0 if parent < 0 else depth[parent] + 1)
        if parent >= 0:  # nothing but its own descendants between a node and its parent
            assert all(depth[between] > depth[parent] for between in range(parent + 1, node))
    assert tree.longest == 2 + max(map(len, sequences))
