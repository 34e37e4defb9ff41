import dataclasses
from collections import Counter

import pytest
import yaml
from helpers.tiny import TOY

from cultural_sp.survey.instrument import available, load_survey
from cultural_sp.survey.lint import near_duplicates


def test_every_item_counts_in_one_index_and_every_index_has_four(survey):
    assert [item.id for item in survey.items] == [f"m{i:02}" for i in range(1, 25)]
    used = Counter(item for weights in survey.dimensions.values() for item in weights)
    assert set(used.values()) == {1}
    assert len(used) == 24
    assert {len(weights) for weights in survey.dimensions.values()} == {4}
    assert all(sum(weights.values()) == 0 for weights in survey.dimensions.values())


@pytest.mark.parametrize("name", ["vsm13", "inglehart_welzel"])
def test_twenty_independent_wordings_of_each_construct(name):
    survey = load_survey(name)
    texts = [text for item in survey.items for text in item.wordings]
    assert {role: len(places) for role, places in survey.roles.items()} == {"tune": 8, "select": 4, "test": 8}
    assert len(set(texts)) == len(texts) == 20 * len(survey.items)
    assert not [near for item in survey.items for near in near_duplicates(item.wordings)]
    for item in survey.items:
        for wording in item.wordings:
            assert wording[0].isupper()
            assert wording[-1] in ".?"
            assert not [label for label in item.scale.labels if f" {label.lower()} " in f" {wording.lower()} "]


def test_wordings_have_roles_or_the_first_is_tuned_on(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(TOY)
    assert load_survey(str(path)).roles == {"tune": (0,), "select": (), "test": (1,)}
    given = {"test": ["T1?", "T2?"], "tune": ["A?", "B?"], "select": ["S?"]}
    raw = yaml.safe_load(TOY)
    for item in raw["items"]:
        item["wordings"] = given
    path.write_text(yaml.safe_dump(raw))
    survey = load_survey(str(path))
    assert survey.items[0].wordings == ("A?", "B?", "S?", "T1?", "T2?")
    assert survey.roles == {"tune": (0, 1), "select": (2,), "test": (3, 4)}
    raw["items"][1]["wordings"] = {"tune": ["A?", "B?", "S?"], "test": ["T1?", "T2?"]}
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(
        ValueError, match=r"item b needs as many wordings in each role as the first item \(tune 2, select 1"
    ):
        load_survey(str(path))
    raw["items"][1]["wordings"] = {"tuned": ["A?"]}
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(ValueError, match="wordings must be a list, or lists under tune, select, test"):
        load_survey(str(path))


def test_labels_of_a_scale_are_parallel_and_distinct(survey):
    for scale in {item.scale for item in survey.items}:
        assert len(set(scale.labels)) == 5
        assert max(len(label.split()) for label in scale.labels) <= 2


def test_scales_stand_where_the_manual_has_them(survey):
    scales = [item.scale.name for item in survey.items]
    assert scales == (
        ["importance"] * 14 + ["frequency"] * 3 + ["health", "pride", "frequency_low_first"] + ["agreement"] * 4
    )


@pytest.mark.parametrize(
    ("item", "code_1", "code_5"),
    [
        ("m01", "extremely important", "not important"),
        ("m14", "extremely important", "not important"),
        ("m15", "always", "never"),
        ("m17", "always", "never"),
        ("m18", "very good", "very bad"),
        ("m19", "extremely proud", "not proud"),
        ("m20", "never", "always"),
        ("m21", "completely agree", "completely disagree"),
        ("m24", "completely agree", "completely disagree"),
    ],
)
def test_scales_run_in_the_manuals_direction(survey, item, code_1, code_5):
    labels = {i.id: i.scale.labels for i in survey.items}[item]
    assert (labels[0], labels[-1]) == (code_1, code_5)


def test_every_dimension_has_two_poles(survey):
    assert {d: set(p) for d, p in survey.poles.items()} == {d: {"high", "low"} for d in survey.dimensions}


def test_codes_are_padded_for_items_with_fewer_options(toy_survey):
    codes = toy_survey.codes()
    assert codes.shape == (4, 5)
    assert codes[0].tolist() == [1, 2, 3, 4, 5]
    assert codes[2, :3].tolist() == [1, 2, 3]
    assert (codes[2, 3:] != codes[2, 3:]).all()


def test_the_fingerprint_sees_every_change(survey):
    item = survey.items[4]
    changed = [
        dataclasses.replace(item, wordings=("Other?", *item.wordings[1:])),
        dataclasses.replace(item, scale=dataclasses.replace(item.scale, lead="Well,")),
        dataclasses.replace(item, scale=dataclasses.replace(item.scale, labels=item.scale.labels[::-1])),
    ]
    prints = {survey.fingerprint(), load_survey("vsm13_cat").fingerprint()}
    prints.add(dataclasses.replace(survey, poles={}).fingerprint())
    for other in changed:
        prints.add(dataclasses.replace(survey, items=(*survey.items[:4], other, *survey.items[5:])).fingerprint())
    assert len(prints) == 6
    assert survey.fingerprint() == load_survey("vsm13").fingerprint()


def test_shipped_instruments_are_listed():
    assert available() == ["inglehart_welzel", "inglehart_welzel_factor", "vsm13", "vsm13_cat"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("targets: hofstede.csv", "", "incomplete or misshapen survey ('targets')"),
        ("id: b,", "id: a,", "item ids must be unique, repeated: a"),
        ("scale: three", "scale: four", "item c has the unknown scale 'four'; defined: five, three"),
        ("{a: 10, b: -10}", "{a: 10, x: -10}", "dimension PDI uses undefined items: x"),
        ("{a: 10, b: -10}", "{a: ten}", "dimensions must map name -> item id -> number"),
        ("[much, some, none]", "[much, much, none]", "scale three needs at least two different labels"),
        ('"Is bread good?"', '" "', "item b needs 2 non-empty wordings"),
        (', "Is bread good?"', "", "item b needs 2 non-empty wordings"),
        ("name: toy", "name: [toy", "it is not UTF-8 YAML"),
        ("name: toy", "extends: vsm13", "incomplete or misshapen survey ('name')"),
        ("[much, some, none]", "[yes, some, no]", "expected a list of texts, in quotes"),
        ("{a: 10, b: -10}", "{}", "every dimension needs at least one item"),
        ("{a: 10, b: -10}", "{a: .nan}", "PDI, a: '.nan' is no plain number; write a finite one"),
    ],
)
def test_bad_survey_files_are_refused_in_one_line(toy_survey_file, tmp_path, old, new, message):
    text = toy_survey_file.read_text()
    assert old in text
    path = tmp_path / "bad.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=r"^bad\.yaml[^\n]+$") as error:
        load_survey(str(path))
    assert message in str(error.value)


def test_other_bad_input_is_refused_in_one_line(tmp_path):
    (tmp_path / "list.yaml").write_text("- a\n")
    (tmp_path / "latin.yaml").write_bytes("name: Zürich".encode("latin-1"))
    for name, message in (
        ("list.yaml", "expected a mapping"),
        ("latin.yaml", "is not UTF-8 text"),
        ("none.yaml", "cannot read the survey file"),
    ):
        with pytest.raises(ValueError, match=message):
            load_survey(str(tmp_path / name))
    with pytest.raises(
        ValueError, match="allowed: inglehart_welzel, inglehart_welzel_factor, vsm13, vsm13_cat or a .yaml file"
    ):
        load_survey("vsm14")


@pytest.mark.parametrize("ending", [".YAML", ".Yml"])
def test_an_ending_in_capitals_is_a_file_too(toy_survey, toy_survey_file, tmp_path, ending):
    path = tmp_path / f"toy{ending}"
    path.write_bytes(toy_survey_file.read_bytes())
    assert load_survey(str(path)).fingerprint() == toy_survey.fingerprint()
