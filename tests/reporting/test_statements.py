import numpy as np

from cultural_sp.reporting.statements import weights_csv, weights_summary
from cultural_sp.survey.value_statements import Statement

STATEMENTS = [
    Statement("PDI", "high", "Obey, always."),
    Statement("PDI", "low", "Equals."),
    Statement("IDV", "low", "We."),
]


def test_weights_are_sorted_by_size_and_exact():
    assert weights_csv(STATEMENTS, np.array([0.1, -2.0, 1 / 3])) == (
        "weight,dimension,pole,statement\n"
        "-2.0,PDI,low,Equals.\n"
        "0.3333333333333333,IDV,low,We.\n"
        '0.1,PDI,high,"Obey, always."\n'
    )


def test_the_summary_shows_the_largest_weights():
    lines = weights_summary(STATEMENTS * 3, np.array([0.1, -2.0, 1 / 3] * 3)).splitlines()
    assert lines[0] == "statements that weigh most, of 9 (statements.csv):"
    assert lines[1] == "  -2.00  PDI low   Equals."
    assert len(lines) == 6


def test_a_start_that_nothing_beat_has_no_weights():
    assert "nothing beat the initial prompt" in weights_summary(STATEMENTS, np.zeros(3))
