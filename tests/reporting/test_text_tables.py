"""Tables as text and in Markdown."""

import pandas as pd

from cultural_sp.reporting.text_tables import markdown_frame, markdown_table, text_table


def test_text_is_aligned_under_a_rule_as_long_as_the_heads():
    rows = [["1", "12.5", "failed: a long reason"], ["10", "", "finished"]]
    assert text_table(["job", "loss", "state"], rows, left=[2]).splitlines() == [
        "job  loss  state",
        "----------------",
        "  1  12.5  failed: a long reason",
        " 10        finished",
    ]
    assert text_table(["method", "loss"], [["naive", "010"]]).splitlines()[2] == "naive    010"
    assert text_table(["a", "b"], []) == "a  b\n----"


def test_markdown_keeps_text_as_it_is_apart_from_bars():
    table = markdown_table(["claim", "p"], [["a | b", "0.50"]])
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[::2]] == [
        ["claim", "p"],
        ["a / b", "0.50"],
    ]


def test_a_frame_has_numbers_with_one_decimal_and_dashes():
    frame = pd.DataFrame({"us": [1.25, None], "text": ["2 [1, 3]", "x"]}, index=["naive", "DE"])
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in markdown_frame(frame, "method").splitlines()
    ]
    assert [lines[0], *lines[2:]] == [["method", "us", "text"], ["naive", "1.2", "2 [1, 3]"], ["DE", "-", "x"]]
