"""Formats the weights of value statements in a solution, as CSV and as a summary."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO

import numpy as np
from numpy.typing import NDArray

from cultural_sp.survey.value_statements import Statement

N_SUMMARY = 5


def weights_csv(statements: Sequence[Statement], z: NDArray[np.float64]) -> str:
    """Return a CSV with the weight of every statement, the largest absolute weights first. ``z`` [d] holds the weights."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["weight", "dimension", "pole", "statement"])
    for statement, weight in _by_size(statements, z):
        writer.writerow([repr(weight), statement.dimension, statement.pole, statement.text])
    return text.getvalue()


def weights_summary(statements: Sequence[Statement], z: NDArray[np.float64]) -> str:
    """Return a line for each of the statements with the largest absolute weights in ``z`` [d]."""
    if not z.any():
        return "statements: none has a weight, as nothing beat the initial prompt"
    lines = [f"statements that weigh most, of {len(statements)} (statements.csv):"]
    for statement, weight in _by_size(statements, z)[:N_SUMMARY]:
        lines.append(f"  {weight:+5.2f}  {statement.dimension} {statement.pole:<4}  {statement.text}")
    return "\n".join(lines)


def _by_size(statements: Sequence[Statement], z: NDArray[np.float64]) -> list[tuple[Statement, float]]:
    pairs = zip(statements, z.tolist(), strict=True)
    return sorted(pairs, key=lambda pair: -abs(pair[1]))
