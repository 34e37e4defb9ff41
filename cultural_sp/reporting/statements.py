"""Which statements a solution weighs, as a file and as a few lines."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO

import numpy as np
from numpy.typing import NDArray

from cultural_sp.survey.value_statements import Statement

SHOWN = 5


def weights_csv(statements: Sequence[Statement], z: NDArray[np.float64]) -> str:
    """A CSV of the weight z [d] of every statement, the largest in size first."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["weight", "dimension", "pole", "statement"])
    for statement, weight in _by_size(statements, z):
        writer.writerow([repr(weight), statement.dimension, statement.pole, statement.text])
    return text.getvalue()


def weights_summary(statements: Sequence[Statement], z: NDArray[np.float64]) -> str:
    """The statements that weigh most in z [d], a line each."""
    if not z.any():
        return "statements: none has a weight, as nothing beat the initial prompt"
    lines = [f"statements that weigh most, of {len(statements)} (statements.csv):"]
    for statement, weight in _by_size(statements, z)[:SHOWN]:
        lines.append(f"  {weight:+5.2f}  {statement.dimension} {statement.pole:<4}  {statement.text}")
    return "\n".join(lines)


def _by_size(statements: Sequence[Statement], z: NDArray[np.float64]) -> list[tuple[Statement, float]]:
    pairs = zip(statements, z.tolist(), strict=True)
    return sorted(pairs, key=lambda pair: -abs(pair[1]))
