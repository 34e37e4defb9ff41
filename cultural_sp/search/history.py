"""What a search comes to under one goal: a loss for everything that was evaluated, and the best candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cultural_sp.search.best import of_best
from cultural_sp.search.warm_start import WarmStart
from cultural_sp.types import Array

Objective = Callable[[Array, Array], tuple[Array, Array]]
"""Loss [N] and mean absolute difference [N] of dimension scores [N, K] and valid masses [N]; NaN where an answer is missing."""


@dataclass(frozen=True)
class Scores:
    """What losses were made of, for an optimizer that models that rather than the loss, which has more kinks."""

    values: Array
    """[N, S], finite where the loss is."""
    loss_of: Callable[[Array], Array]
    """The losses [M] of any such values [M, S] under the same goal; NaN where there is none."""


@dataclass(frozen=True)
class SearchResult:
    """The best candidate and the way there."""

    z: Array
    """[d]"""
    loss: float
    losses: Array
    """[budget], in the order of evaluation."""
    l1: Array
    """[budget], mean absolute differences in the same order."""
    offered: int = 0
    """Candidates with a loss that earlier runs had evaluated; ``z`` may be one of them."""

    def l1_of_best(self) -> Array:
        """Mean absolute difference [budget] of whichever candidate has had the lowest loss; NaN while none has one."""
        return of_best(self.losses, self.l1)


class SearchHistory:
    """The evaluations of a search in order, as one goal judges them."""

    def __init__(self, objective: Objective) -> None:
        """Empty."""
        self._judge = objective
        self._z: Array | None = None
        self.losses: list[float] = []
        self.l1: list[float] = []
        self.best_losses: list[float] = []
        """The lowest loss after each evaluation; infinite while there is none."""
        self.best = np.inf
        self._offered = 0

    def add_prior(self, archive: WarmStart) -> Array:
        """Losses [N] of what earlier runs evaluated: the best may be among them, the evaluations of this search aren't."""
        losses, _ = self._judge(archive.dimensions, archive.valid_mass)
        for candidate, loss in zip(archive.z, losses.tolist(), strict=True):
            self._consider(candidate, loss)
        self._offered = int(np.isfinite(losses).sum())
        return losses

    def _consider(self, z: Array, loss: float) -> None:
        if np.isfinite(loss) and loss < self.best:  # the earlier one on a tie
            self._z, self.best = z.copy(), loss

    def add(self, z: Array, dimensions: Array, valid_mass: Array, recorded: tuple[Array, Array] | None = None) -> None:
        """Judge evaluated candidates [N, d].

        Args:
            z: the candidates.
            dimensions: their dimension scores [N, K].
            valid_mass: [N].
            recorded: loss [N] and mean absolute difference [N], if they were judged before: what was told then holds.
        """
        loss, l1 = self._judge(dimensions, valid_mass) if recorded is None else recorded
        for candidate, value, difference in zip(z, loss.tolist(), l1.tolist(), strict=True):
            known = np.isfinite(value)
            self._consider(candidate, value)
            self.losses.append(value if known else np.nan)
            self.l1.append(difference if known else np.nan)
            self.best_losses.append(self.best)

    def scores(self, dimensions: Array, valid_mass: Array) -> Scores:
        """What the losses of candidates are made of: dimension scores [N, K] and valid masses [N]."""
        return Scores(
            np.column_stack([dimensions, valid_mass]), lambda values: self._judge(values[:, :-1], values[:, -1])[0]
        )

    @property
    def failed(self) -> int:
        """Number of evaluations without a loss."""
        return int(np.isnan(self.losses).sum())

    def result(self) -> SearchResult:
        """What was found, once a candidate has a loss."""
        assert self._z is not None
        return SearchResult(self._z, self.best, np.array(self.losses), np.array(self.l1), self._offered)
