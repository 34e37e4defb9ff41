"""All answers of a search so far, and what they say about candidates that took only some of the tuned wordings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from cultural_sp.search.answer_model import AnswerModel
from cultural_sp.types import Array, Candidates

MAX_FITTED = 600
"""Evaluations that a model of the answers is fitted to, the last ones; the cost grows with their cube."""


class Answers:
    """Scores of candidates in single wordings or all tuned ones. They depend on no objective."""

    def __init__(self, wordings: Sequence[str]) -> None:
        """Start without answers; ``wordings`` are the names of the tuned wordings that are asked singly."""
        self._wordings = list(wordings)
        self._z: list[Candidates] = []
        self._shares: list[Array] = []
        self._values: list[Array] = []

    def shares(self, wordings: Sequence[str]) -> Array:
        """Return the share [N, W] of each tuned wording in evaluations that were asked ``wordings``."""
        n = max(len(self._wordings), 1)
        return np.array(
            [np.eye(n)[self._wordings.index(wording)] if wording else np.full(n, 1 / n) for wording in wordings]
        )

    def add(self, z: Candidates, wordings: Sequence[str], values: Array) -> None:
        """Add the values [N, S] of candidates [N, d]."""
        self._z.append(z.copy())
        self._shares.append(self.shares(wordings))
        self._values.append(values)

    def is_checked(self, z: Array) -> bool:
        """Whether a candidate [d] was asked in more than one wording."""
        return sum(int((part == z).all(axis=1).sum()) for part in self._z) > 1

    def candidates(self) -> Candidates:
        """Return the different candidates so far [N, d], in the order in which they were first asked."""
        z = np.concatenate(self._z)
        _, first = np.unique(z, axis=0, return_index=True)
        return z[np.sort(first)]

    def pooled(self, z: Candidates) -> Array:
        """Return the values [M, S] of candidates [M, d] over all tuned wordings, as a model of all answers expects them.

        They are NaN while there are fewer than two answers.
        """
        table, shares, values = (np.concatenate(part) for part in (self._z, self._shares, self._values))
        finite = np.isfinite(values).all(axis=1)
        table, shares, values = (part[finite][-MAX_FITTED:] for part in (table, shares, values))
        if len(table) < 2:
            return np.full((len(z), values.shape[1]), np.nan)
        with threadpool_limits(
            1
        ):  # the last digits depend on the number of threads, and a search must resume under any number
            return AnswerModel(table, shares, values)(z, np.full(shares.shape[1], 1 / shares.shape[1]))
