"""The evaluations of a search under one objective: their losses, and the best candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cultural_sp.search.warm_start import WarmStart
from cultural_sp.types import Array, Candidates, Losses

ObjectiveFunction = Callable[[Array, Array], tuple[Losses, Losses]]
"""Maps dimension scores [N, K] and valid masses [N] to losses [N] and mean absolute differences [N]; NaN for a missing score."""


@dataclass(frozen=True)
class Scores:
    """The scores behind the losses of N candidates, for an optimizer that models scores, which are smoother than the loss."""

    values: Array
    """[N, S], finite where the loss is finite."""
    loss_of: Callable[[Array], Losses]
    """Maps values [M, S] to losses [M] under the same objective, NaN if there is no loss."""


@dataclass(frozen=True)
class SearchResult:
    """The best candidate of a search and all its losses."""

    z: Array
    """The best candidate [d]."""
    loss: float
    """Its loss."""
    losses: Losses
    """[budget], in the order of evaluation; NaN for a failed evaluation."""
    l1: Losses
    """Mean absolute differences [budget], in the same order."""
    offered: int = 0
    """Number of candidates from earlier runs that have a loss; ``z`` may be one of them."""

    def l1_of_best(self) -> Losses:
        """Return the mean absolute difference [budget] of the best candidate so far; NaN while no candidate has a loss."""
        return value_of_best(self.losses, self.l1)


def value_of_best(losses: Losses, values: Array) -> Array:
    """Return the values [n] of the candidate with the lowest of ``losses`` [n] so far; the first value while all are NaN."""
    finite = np.where(np.isnan(losses), np.inf, losses)
    lowest_before = np.concatenate([[np.inf], np.minimum.accumulate(finite)[:-1]])
    return values[np.maximum.accumulate(np.where(finite < lowest_before, np.arange(len(finite)), 0))]


class SearchHistory:
    """The evaluations of a search under one objective, in order."""

    def __init__(self, objective: ObjectiveFunction) -> None:
        """Start without evaluations."""
        self._objective = objective
        self._z: Array | None = None
        self.losses: list[float] = []
        """NaN for a failed evaluation."""
        self.l1: list[float] = []
        """Mean absolute differences, in the same order."""
        self.best_losses: list[float] = []
        """The lowest loss after each evaluation; infinite while there is none."""
        self.best = np.inf
        """The lowest loss so far."""
        self._n_offered = 0

    def add_prior(self, prior: WarmStart) -> Losses:
        """Add evaluations of earlier runs; return their losses [N].

        The best candidate may be one of them. They don't count as evaluations of this search.
        """
        losses, _ = self._objective(prior.dimensions, prior.valid_mass)
        for candidate, loss in zip(prior.z, losses.tolist(), strict=True):
            self._keep_if_best(candidate, loss)
        self._n_offered = int(np.isfinite(losses).sum())
        return losses

    def _keep_if_best(self, z: Array, loss: float) -> None:
        if np.isfinite(loss) and loss < self.best:  # the earlier candidate on a tie
            self._z, self.best = z.copy(), loss

    def add(
        self, z: Candidates, dimensions: Array, valid_mass: Array, losses: tuple[Losses, Losses] | None = None
    ) -> None:
        """Add evaluated candidates [N, d].

        Args:
            z: the candidates.
            dimensions: their dimension scores [N, K].
            valid_mass: [N].
            losses: losses [N] and mean absolute differences [N] from the journal; None to compute them.
        """
        loss, l1 = self._objective(dimensions, valid_mass) if losses is None else losses
        for candidate, value, difference in zip(z, loss.tolist(), l1.tolist(), strict=True):
            finite = np.isfinite(value)
            self._keep_if_best(candidate, value)
            self.losses.append(value if finite else np.nan)
            self.l1.append(difference if finite else np.nan)
            self.best_losses.append(self.best)

    def scores(self, dimensions: Array, valid_mass: Array) -> Scores:
        """Return the scores behind the losses of candidates with dimension scores [N, K] and valid masses [N]."""
        return Scores(
            np.column_stack([dimensions, valid_mass]), lambda values: self._objective(values[:, :-1], values[:, -1])[0]
        )

    @property
    def n_failed(self) -> int:
        """Number of evaluations without a loss."""
        return int(np.isnan(self.losses).sum())

    def result(self) -> SearchResult:
        """Return the outcome. Call it only once a candidate has a loss."""
        assert self._z is not None
        return SearchResult(self._z, self.best, np.array(self.losses), np.array(self.l1), self._n_offered)
