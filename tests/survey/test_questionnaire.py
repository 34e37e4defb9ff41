import pytest

from cultural_sp.survey.questionnaire import apply_questionnaire

LETTERS = "abcd"
ROWS = [f"{letter},Text {letter}?" for letter in LETTERS]


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_csv_texts_become_the_tuned_wording(toy_survey, tmp_path):
    text = "\ufeffitem,text\n" + 'a,"Text, with a comma?"\n' + "\n".join(ROWS[1:])
    loaded = apply_questionnaire(toy_survey, write(tmp_path / "mine.csv", text))
    assert loaded.items[0].wordings == ("Text, with a comma?", "Are apples good?")
    assert [item.wordings[1] for item in loaded.items] == [item.wordings[1] for item in toy_survey.items]
    assert [item.scale for item in loaded.items] == [item.scale for item in toy_survey.items]
    assert "mine.csv" in loaded.title


def test_order_of_rows_does_not_matter(toy_survey, tmp_path):
    text = "item,text\n" + "\n".join(reversed(ROWS))
    loaded = apply_questionnaire(toy_survey, write(tmp_path / "mine.csv", text))
    assert [item.wordings[0] for item in loaded.items] == [f"Text {letter}?" for letter in LETTERS]


def test_csv_options_are_taken_in_code_order(toy_survey, tmp_path):
    text = "item,text,option_1,option_2,option_3,option_4,option_5\n"
    text += "a,Text a?,one,two,three,four,five\n" + "".join(f"{row},,,,,\n" for row in ROWS[1:])
    loaded = apply_questionnaire(toy_survey, write(tmp_path / "mine.csv", text))
    assert loaded.items[0].scale.labels == ("one", "two", "three", "four", "five")
    assert loaded.items[0].scale.lead == "I say"
    assert loaded.items[1].scale.labels == toy_survey.items[1].scale.labels


def test_yaml_works_like_csv(toy_survey, tmp_path):
    rows = ["- {item: c, text: 'Cheese?', options: [lots, bit, nil]}"]
    rows += [f"- {{item: {letter}, text: 'Text {letter}?'}}" for letter in "abd"]
    loaded = apply_questionnaire(toy_survey, write(tmp_path / "mine.yaml", "\n".join(rows)))
    assert loaded.items[2].wordings[0] == "Cheese?"
    assert loaded.items[2].scale.labels == ("lots", "bit", "nil")


def test_windows_line_ends_and_blank_lines_do_not_matter(toy_survey, tmp_path):
    text = "\r\n".join(["item,text", "", *ROWS, "", ""])
    loaded = apply_questionnaire(toy_survey, write(tmp_path / "mine.csv", text))
    assert [item.wordings[0] for item in loaded.items] == [f"Text {letter}?" for letter in LETTERS]


def test_another_questionnaire_is_another_fingerprint(toy_survey, tmp_path):
    loaded = apply_questionnaire(toy_survey, write(tmp_path / "mine.csv", "item,text\n" + "\n".join(ROWS)))
    assert loaded.fingerprint() != toy_survey.fingerprint()


HEAD = "item,text\n"
FIVE = "item,text," + ",".join(f"option_{i}" for i in range(1, 6)) + "\n"
REST = "".join(f"{row},,,,,\n" for row in ROWS[1:])
OPTIONS = "item,text," + ",".join(f"option_{i}" for i in range(1, 7)) + "\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("q.csv", HEAD + "\n".join(ROWS[:3]), "lacks: d"),
        ("q.csv", HEAD + "\n".join([*ROWS, "a,Again?"]), "repeats: a"),
        ("q.csv", HEAD + "\n".join([*ROWS, "e,More?"]), "has unknown items: e"),
        ("q.csv", HEAD + "\n".join([*ROWS[:3], "d, "]), "item d has an empty text"),
        ("q.csv", HEAD + "\n".join([*ROWS[:3], "d"]), "line 5: 2 fields expected"),
        (
            "q.csv",
            HEAD + "\n".join([*ROWS[:3], "d,one, two"]),
            "line 5: 2 fields expected, one per column, but it has 3; put a text with commas in quotes",
        ),
        ("q.csv", "id,question\n" + "\n".join(ROWS), "expected item,text"),
        ("q.csv", "", "is empty; give a CSV file with a line of column names"),
        ("q.csv", OPTIONS + "\n".join(f"{row},1,2,3,4,5,6" for row in ROWS), "item a has 6 options"),
        ("q.csv", OPTIONS + "\n".join(f"{row},1,2,3,4,5," for row in ROWS), "item a has 6 options"),
        ("q.csv", "item,text,option_1,option_2\n" + "\n".join(f"{r},1,2" for r in ROWS), "item a has 2 options"),
        ("q.csv", FIVE + "a,Text a?,1,,3,4,5\n" + REST, "item a has 5 options"),
        ("q.csv", FIVE + "a,Text a?,1,2,3,4,4\n" + REST, "item a has 5 options"),
        ("q.csv", "item,text,option_2\n", "expected item,text"),
        ("q.csv", b"item,text\na,\xff\xfe", "is not UTF-8 text"),
        ("q.xlsx", "PK", "has the ending '.xlsx'; allowed: .csv, .yaml, .yml"),
        ("q.yaml", "item: a", "is not a list of {item, text, options}"),
        ("q.yaml", "- {text: no item}", "is not a list of {item, text, options}"),
        ("q.yaml", "- [", "is not a list of {item, text, options}"),
        ("q.yaml", "", "is not a list of {item, text, options}"),
    ],
)
def test_bad_questionnaires_are_refused_in_one_line(toy_survey, tmp_path, name, text, message):
    path = write(tmp_path / name, text)
    with pytest.raises(ValueError, match=r"^survey\.questionnaire=[^\n]+$") as error:
        apply_questionnaire(toy_survey, path)
    assert message in str(error.value)
    assert path in str(error.value)


def test_a_missing_file_is_named(toy_survey, tmp_path):
    with pytest.raises(ValueError, match=r"none.csv can't be read \(No such file"):
        apply_questionnaire(toy_survey, str(tmp_path / "none.csv"))


def test_a_quoted_cell_may_hold_line_breaks_and_the_header_spaces(toy_survey, tmp_path):
    text = 'item, text\na,"How much\nbread?"\n' + "\n".join(ROWS[1:])
    loaded = apply_questionnaire(toy_survey, write(tmp_path / "mine.csv", text))
    assert loaded.items[0].wordings[0] == "How much\nbread?"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.csv", HEAD + "\n".join([*ROWS[:3], 'd,"unclosed'])),
        ("q.csv", HEAD + "a," + "x" * 200_000),
        ("q.yaml", "- {item: a, text: }"),
        ("q.yaml", "- {item: a, text: A?, options: [yes, no, a, b, c]}"),
        ("q.yaml", "- {item: a, text: 'A?', options: abcde}"),
        ("q.yaml", "- {item: a, text: 'A?', option: [a, b, c, d, e]}"),
    ],
)
def test_what_only_looks_like_text_is_refused_in_one_line(toy_survey, tmp_path, name, text):
    with pytest.raises(ValueError, match=r"^survey\.questionnaire=[^\n]+$"):
        apply_questionnaire(toy_survey, write(tmp_path / name, text))
