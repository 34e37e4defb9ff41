import pytest

from cultural_sp.survey.instrument import available, load_survey
from cultural_sp.survey.value_statements import POLES, Statement, load_statements, statements_hash

GOOD = "PDI:\n  high: [Obey., Know your place.]\n  low: [All are equal.]\n"


@pytest.mark.parametrize("name", ["vsm13", "inglehart_welzel"])
def test_the_shipped_statements_have_both_poles_of_every_dimension_in_equal_numbers(name):
    statements = load_statements(name)
    survey = load_survey(name)
    cells = [(s.dimension, s.pole) for s in statements]
    assert {cell: cells.count(cell) for cell in cells} == {(d, p): 3 for d in survey.dimension_names for p in POLES}
    assert len(available()) == 4  # they are no instrument


def test_the_shipped_statements_repeat_no_text_of_the_survey():
    survey = load_survey("vsm13")
    shown = [w for item in survey.items for w in item.wordings] + [t for p in survey.poles.values() for t in p.values()]
    for statement in load_statements("vsm13"):
        assert not any(statement.text.rstrip(".").lower() in text.lower() for text in shown)


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    expected = [("PDI", "high", "Obey."), ("PDI", "high", "Know your place."), ("PDI", "low", "All are equal.")]
    statements = load_statements(str(path))
    assert statements == tuple(Statement(*s) for s in expected)
    assert statements_hash(statements) != statements_hash(statements[::-1])


BAD = {
    "not YAML": ("a: [b", "while parsing a flow sequence"),
    "a list": ("- a", "no dimensions at the top level"),
    "empty": ("", "no dimensions at the top level"),
    "one pole": ("PDI: {high: [a]}", "PDI needs the poles high and low and nothing else"),
    "a third pole": ("PDI: {high: [a], low: [b], middle: [c]}", "PDI needs the poles high and low and nothing else"),
    "no list": ("PDI: {high: a, low: [b]}", "PDI, high needs a list of texts"),
    "no text": ("PDI: {high: [a], low: [no]}", "PDI, low needs a list of texts, in quotes where YAML"),
    "blank": ("PDI: {high: [a], low: ['  ']}", "PDI, low needs a list of texts"),
    "twice": ("PDI: {high: [a], low: [b, a]}", "statements must differ, repeated: a"),
    "not UTF-8": (b"PDI: \xff", "it is not UTF-8 text (line 1: invalid start byte)"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_malformed_file_is_refused_in_one_line(tmp_path, case):
    content, message = BAD[case]
    path = tmp_path / "bad.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match="^[^\n]+$") as caught:
        load_statements(str(path))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "give UTF-8 YAML of the form DIMENSION: {high: [texts], low: [texts]}" in str(caught.value)


def test_unknown_names_and_missing_files_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match="soft_prompt.statements='wvs' is unknown; allowed: inglehart_welzel, vsm13 or a .yaml file"
    ):
        load_statements("wvs")
    with pytest.raises(ValueError, match="none.yaml: can't read the file .No such file"):
        load_statements(str(tmp_path / "none.yaml"))


def test_an_ending_in_capitals_is_a_file_too(tmp_path):
    with pytest.raises(ValueError, match="can't read the file"):
        load_statements(str(tmp_path / "none.YML"), "soft_prompt.statements", tmp_path)
