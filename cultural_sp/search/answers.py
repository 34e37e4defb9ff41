"""All answers of a search so far, and what they say about candidates that took only some of the tuned wordings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from cultural_sp.search.answer_model import MAX_FITTED_EVALUATIONS, AnswerModel
from cultural_sp.types import Array, Candidates


class Answers:
    """Scores of candidates in single wordings or all tuned ones. They depend on no objective."""

    def __init__(self, wordings: Sequence[str]) -> None:
        """Start without answers; ``wordings`` are the names of the tuned wordings that are asked singly."""
        self._wordings = list(wordings)
        self._z: list[Candidates] = []
        self._shares: list[Array] = []
        self._values: list[Array] = []
        self._model: AnswerModel | None = None
        """Fitted to all answers; None if there are new ones."""

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
        self._model = None

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
        # The last digits depend on the number of threads, and a search must resume under any number.
        with threadpool_limits(1):
            self._model = self._model or self._fitted()
            return np.full((len(z), self._values[0].shape[1]), np.nan) if self._model is None else self._model.pooled(z)

    def _fitted(self) -> AnswerModel | None:
        """Fit a model to the last answers; None if there are fewer than two."""
        table, shares, values = (np.concatenate(part) for part in (self._z, self._shares, self._values))
        finite = np.isfinite(values).all(axis=1)
        table, shares, values = (part[finite][-MAX_FITTED_EVALUATIONS:] for part in (table, shares, values))
        return None if len(table) < 2 else AnswerModel(table, shares, values)
