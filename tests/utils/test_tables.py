"""The reader of users' tables and numbers: what it takes, and what it refuses where."""

import pytest

from cultural_sp.utils.numbers import number
from cultural_sp.utils.strict_yaml import read_yaml
from cultural_sp.utils.tables import read_table, refuse_repeated
from cultural_sp.utils.text_files import read_text

GOOD = "id,text,score\na,some text,1\nb,,2.5\n"


def table(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, "key=t.csv")


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD + ",,\n , ,\n\n",
        GOOD + ",,,,,\n",
        "\n" + GOOD.replace("\nb", "\n\nb"),
        GOOD.replace(",", " , ").replace("some text", '"some text"').replace(' "', '"').replace('" ', '"'),
        GOOD.replace("\n", ",,\n"),
    ],
    ids=["plain", "mark", "windows", "mac", "empty rows", "wide empty row", "blank lines", "spaces", "empty columns"],
)
def test_the_same_table_in_all_its_forms(tmp_path, content):
    found = table(tmp_path, content)
    assert found.columns == ("id", "text", "score")
    assert [dict(row.cells) for row in found.rows] == [
        {"id": "a", "text": "some text", "score": "1"},
        {"id": "b", "text": "", "score": "2.5"},
    ]
    assert [row.number("score") for row in found.rows] == [1.0, 2.5]


def test_rows_know_the_line_on_which_they_begin(tmp_path):
    rows = table(tmp_path, 'id,text\na,"two\nlines"\n\nb,one\n').rows
    assert [row.where for row in rows] == ["key=t.csv, line 2", "key=t.csv, line 5"]
    assert rows[0]["text"] == "two\nlines"


REFUSED = {
    "a header one column short": ("id,text\na,x,1\n", "line 2: 2 fields expected, one per column, but it has 3"),
    "an unquoted comma": (GOOD + "c,Korea, South,3\n", "line 4: 3 fields expected, one per column, but it has 4"),
    "a decimal comma": (GOOD + "c,x,3,5\n", "line 4: 3 fields expected"),
    "a comma at the end of one row": (GOOD + "c,x,3,\n", "line 4: 3 fields expected"),
    "a short row": (GOOD + "c,x\n", "line 4: 3 fields expected, one per column, but it has 2"),
    "a column twice": ("id,m,m\na,1,2\n", "line 1: columns 2 and 3 are both m; leave one of them out"),
    "a column without a name": (",m\n1,2\n", "line 1: column 1 has no name"),
    "a filled column without a name at the end": ("id,m,\na,1,\nb,2,3\n", "line 1: column 3 has no name"),
    "semicolons": ("id;m\na;1,5\n", "has its columns between semicolons, but commas are expected"),
    "quoted semicolons": ('"id, no";"m"\n"a";"1"\n', "between semicolons"),
    "tabs": ("id\tm\na\t1\n", "between tabs"),
    "bars": ("id|m\na|1\n", "between bars"),
    "UTF-16": (GOOD.encode("utf-16"), "it is UTF-16 or UTF-32 text, not UTF-8 text; save it as CSV"),
    "UTF-16 without a mark": (GOOD.encode("utf-16-le"), "line 1: a zero byte, as in UTF-16 or UTF-32 text"),
    "latin-1": ((GOOD + "c,é,1\n").encode("latin-1"), "it is not UTF-8 text (line 4: "),
    "a workbook": (b"PK\x03\x04\x14", "it is a zipped file such as .xlsx or .ods"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1", "it is an old Office file such as .xls"),
    "SPSS": (b"$FL2@(#) SPSS DATA FILE", "it is an SPSS file (.sav)"),
    "Stata": (b"<stata_dta><header>", "it is a Stata file (.dta)"),
    "Parquet": (b"PAR1\x15\x04", "it is a Parquet file"),
    "gzip": (b"\x1f\x8b\x08", "it is a gzip file"),
    "nothing": ("", "is empty"),
    "only a mark": ("\ufeff", "is empty"),
    "only commas": (",,\n,,\n", "is empty"),
    "an open quote": (GOOD + 'c,"x\n', "line 4: unexpected end of data; check the quotes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_placed_is_refused(tmp_path, name):
    content, message = REFUSED[name]
    with pytest.raises(ValueError, match=r"^key=t\.csv[^\n]+$") as error:
        table(tmp_path, content)
    assert message in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"^key=none\.csv can't be read \(No such file or directory\); give a CSV file$"
    ):
        read_table(tmp_path / "none.csv", "key=none.csv")


def test_repeated_rows_and_empty_cells_are_named(tmp_path):
    rows = table(tmp_path, GOOD + "a,another,3\n").rows
    with pytest.raises(ValueError, match=r"key=t\.csv, line 4 repeats key=t\.csv, line 2: id=a; leave one of them out"):
        refuse_repeated(rows, ["id"])
    refuse_repeated(rows, ["id", "text"])
    with pytest.raises(ValueError, match=r"^key=t\.csv, line 3, column text: the cell is empty"):
        for row in rows:
            row.require(["id", "text"])


def test_an_odd_number_in_a_cell_is_named_with_its_place(tmp_path):
    (row,) = table(tmp_path, "id,score\na,\uff14\n").rows
    with pytest.raises(ValueError, match=r"^key=t\.csv, line 2, column score: '\uff14' is no plain number; write a"):
        row.number("score")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3", 3),
        (" 3 ", 3),
        ("-0.5", -0.5),
        ("+.5", 0.5),
        ("4.", 4),
        ("010", 10),
        ("-5.12e-05", -5.12e-5),
        (3, 3),
        (-0.5, -0.5),
    ],
)
def test_plain_numbers(value, expected):
    assert number(value, "here") == expected


ODD = [
    "",
    " ",
    "\uff13",
    "\u0663",
    "\u096b",
    "3\u00a0",
    "\u20033",
    "3\t",
    "3\n",
    "1_0",
    "0x5",
    "1,5",
    "1 000",
    "\u22123",
    "\u00b2",
]
ODD += ["nan", "-inf", "Infinity", "NA", "true", "1e999", "five", True, None, [3], float("nan"), float("inf"), 10**400]


@pytest.mark.parametrize("value", ODD, ids=ascii)
def test_everything_else_is_no_number(value):
    with pytest.raises(ValueError, match=r"^here: .* is no plain number; write a finite one in the digits 0 to 9"):
        number(value, "here")


def test_yaml_reads_only_plain_numbers_as_numbers(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("[1, -2, +3, 0, 0.5, -.5, 2., 1.0e-06, 010, 1_000, 0x1F, 0b1, 1:30, .inf, .nan, 1e3, 1.5.2]\n")
    numbers = [1, -2, 3, 0, 0.5, -0.5, 2.0, 1e-6]
    assert read_yaml(file) == [
        *numbers, "010", "1_000", "0x1F", "0b1", "1:30", ".inf", ".nan", "1e3", "1.5.2",
    ]  # fmt: skip


def test_marks_go_from_the_start_and_from_where_files_were_joined(tmp_path):
    file = tmp_path / "t.txt"
    file.write_text("\ufeffone\n\ufefftwo\n", encoding="utf-8")
    assert read_text(file) == "one\ntwo\n"
    file.write_text("\ufeffa: [x]\n", encoding="utf-8")
    assert read_yaml(file) == {"a": ["x"]}
