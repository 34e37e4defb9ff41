"""The evaluations of a search under one objective: their losses, and the best candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    shares: Array | None = None
    """[N, W], the share of each tuned wording in the values; None if all candidates were asked the same."""

    def rows(self, chosen: NDArray[Any]) -> Scores:
        """Return the scores of some candidates, by index or by a mask [N]."""
        return Scores(self.values[chosen], self.loss_of, None if self.shares is None else self.shares[chosen])


@dataclass(frozen=True)
class Finalist:
    """A candidate that took all tuned wordings."""

    z: Array
    """[d]"""
    loss: float
    """Loss of its scores over all tuned wordings."""
    dimensions: Array
    """Those scores [K]."""
    valid_mass: float


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
    l1_of_best: Losses
    """Mean absolute difference [budget] of the best candidate so far, over all tuned wordings; NaN while there is none."""
    finalists: list[Finalist]
    """The best candidates, the best one first; ``z`` is the first."""
    offered: int = 0
    """Number of candidates from earlier runs that have a loss; ``z`` may be one of them."""


def value_of_best(losses: Losses, values: Array) -> Array:
    """Return the values [n] of the candidate with the lowest of ``losses`` [n] so far; the first value while all are NaN."""
    finite = np.where(np.isnan(losses), np.inf, losses)
    lowest_before = np.concatenate([[np.inf], np.minimum.accumulate(finite)[:-1]])
    return values[np.maximum.accumulate(np.where(finite < lowest_before, np.arange(len(finite)), 0))]


class SearchHistory:
    """The evaluations of a search under one objective, in order."""

    def __init__(self, objective: ObjectiveFunction, n_finalists: int = 1) -> None:
        """Start without evaluations; ``n_finalists`` is the number of best candidates to keep."""
        self._objective, self._n_finalists = objective, max(n_finalists, 1)
        self._finalists: list[Finalist] = []
        self.losses: list[float] = []
        """NaN for a failed evaluation."""
        self.l1: list[float] = []
        """Mean absolute differences, in the same order."""
        self.best_losses: list[float] = []
        """The lowest loss over all tuned wordings after each evaluation; infinite while there is none."""
        self._best_l1: list[float] = []
        self._l1_of_best = np.nan
        self._n_offered = 0

    @property
    def best(self) -> float:
        """The lowest loss over all tuned wordings so far; infinite while there is none."""
        return self._finalists[0].loss if self._finalists else np.inf

    def add_prior(self, prior: WarmStart) -> Losses:
        """Add evaluations of earlier runs; return their losses [N].

        The best candidate may be one that took all tuned wordings. They don't count as evaluations of this search.
        """
        losses, l1 = self._objective(prior.dimensions, prior.valid_mass)
        for i in np.flatnonzero([not wording for wording in prior.wordings]):
            self._rank(Finalist(prior.z[i], float(losses[i]), prior.dimensions[i], prior.valid_mass[i]), float(l1[i]))
        self._n_offered = int(np.isfinite(losses).sum())
        return losses

    def _rank(self, candidate: Finalist, l1: float) -> None:
        """Keep a candidate if it is among the best; of equal ones the earlier is better, and no candidate is kept twice."""
        if not np.isfinite(candidate.loss) or any(np.array_equal(candidate.z, other.z) for other in self._finalists):
            return
        if candidate.loss < self.best:
            self._l1_of_best = l1
        if len(self._finalists) < self._n_finalists or candidate.loss < self._finalists[-1].loss:
            kept = replace(candidate, z=candidate.z.copy())
            self._finalists = sorted([*self._finalists, kept], key=lambda x: x.loss)[: self._n_finalists]

    def add(
        self,
        z: Candidates,
        wordings: Sequence[str],
        dimensions: Array,
        valid_mass: Array,
        losses: tuple[Losses, Losses] | None = None,
    ) -> None:
        """Add evaluated candidates [N, d].

        Args:
            z: the candidates.
            wordings: the wording that each of them was asked; an empty text for all tuned ones.
            dimensions: their dimension scores [N, K].
            valid_mass: [N].
            losses: losses [N] and mean absolute differences [N] from the journal; None to compute them.
        """
        loss, l1 = self._objective(dimensions, valid_mass) if losses is None else losses
        for i, (value, difference) in enumerate(zip(loss.tolist(), l1.tolist(), strict=True)):
            finite = np.isfinite(value)
            if not wordings[i]:
                self._rank(Finalist(z[i], value, dimensions[i], float(valid_mass[i])), difference)
            self.losses.append(value if finite else np.nan)
            self.l1.append(difference if finite else np.nan)
            self.best_losses.append(self.best)
            self._best_l1.append(self._l1_of_best)

    def add_check(self, z: Array, dimensions: Array, valid_mass: float) -> tuple[float, float]:
        """Rank a candidate [d] by its scores [K] over all tuned wordings, which the last evaluations made complete.

        Returns:
            Its loss and mean absolute difference.
        """
        loss, l1 = self.losses_of(dimensions[None], np.array([valid_mass]))
        self._rank(Finalist(z, float(loss[0]), dimensions, valid_mass), float(l1[0]))
        self.best_losses[-1], self._best_l1[-1] = self.best, self._l1_of_best
        return float(loss[0]), float(l1[0])

    def losses_of(self, dimensions: Array, valid_mass: Array) -> tuple[Losses, Losses]:
        """Return losses [N] and mean absolute differences [N] of scores [N, K] and valid masses [N]."""
        return self._objective(dimensions, valid_mass)

    def scores(self, dimensions: Array, valid_mass: Array, shares: Array | None = None) -> Scores:
        """Return the scores behind the losses of candidates with dimension scores [N, K] and valid masses [N]."""
        return Scores(
            np.column_stack([dimensions, valid_mass]),
            lambda values: self._objective(values[:, :-1], values[:, -1])[0],
            shares,
        )

    @property
    def finalists(self) -> list[Finalist]:
        """The best candidates so far, the best one first."""
        return list(self._finalists)

    @property
    def n_failed(self) -> int:
        """Number of evaluations without a loss."""
        return int(np.isnan(self.losses).sum())

    def result(self) -> SearchResult:
        """Return the outcome. Call it only once a candidate has a loss."""
        best = self._finalists[0]
        return SearchResult(
            best.z,
            best.loss,
            np.array(self.losses),
            np.array(self.l1),
            np.array(self._best_l1),
            self.finalists,
            self._n_offered,
        )
