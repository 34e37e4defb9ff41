"""The evaluations of a search under one objective: their losses, and the best candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cultural_sp.search.warm_start import WarmStart
from cultural_sp.types import Array, Candidates, Losses

ObjectiveFunction = Callable[[Array, Array], tuple[Losses, Losses]]
"""Dimension scores [N, K] and valid masses [N] to loss [N] and mean absolute difference [N]; NaN where a score is missing."""


@dataclass(frozen=True)
class Scores:
    """The scores behind losses, for an optimizer that models scores: they are smoother than the loss."""

    values: Array
    """[N, S], finite where the loss is."""
    loss_of: Callable[[Array], Losses]
    """Losses [M] of values [M, S] under the same objective; NaN where there is none."""


@dataclass(frozen=True)
class SearchResult:
    """The best candidate of a search, and the losses on the way."""

    z: Array
    """[d]"""
    loss: float
    losses: Losses
    """[budget], in the order of evaluation."""
    l1: Losses
    """[budget], mean absolute differences in the same order."""
    offered: int = 0
    """Number of candidates with a loss that earlier runs had evaluated; ``z`` may be one of them."""

    def l1_of_best(self) -> Losses:
        """Mean absolute difference [budget] of the best candidate so far; NaN while no candidate has a loss."""
        return value_of_best(self.losses, self.l1)


def value_of_best(losses: Losses, values: Array) -> Array:
    """Values [n] of the candidate with the lowest of ``losses`` [n] so far; the first value while all losses are NaN."""
    finite = np.where(np.isnan(losses), np.inf, losses)
    lowest_before = np.concatenate([[np.inf], np.minimum.accumulate(finite)[:-1]])
    return values[np.maximum.accumulate(np.where(finite < lowest_before, np.arange(len(finite)), 0))]


class SearchHistory:
    """The evaluations of a search, in order, under one objective."""

    def __init__(self, objective: ObjectiveFunction) -> None:
        """Start empty."""
        self._objective = objective
        self._z: Array | None = None
        self.losses: list[float] = []
        """NaN for a failed evaluation."""
        self.l1: list[float] = []
        self.best_losses: list[float] = []
        """The lowest loss after each evaluation; infinite while there is none."""
        self.best = np.inf
        self._n_offered = 0

    def add_prior(self, prior: WarmStart) -> Losses:
        """Take in evaluations of earlier runs; returns their losses [N].

        The best candidate may be one of them, but they don't count as evaluations of this search.
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
        """Take in evaluated candidates [N, d].

        Args:
            z: the candidates.
            dimensions: their dimension scores [N, K].
            valid_mass: [N].
            losses: loss [N] and mean absolute difference [N] from the journal; None to compute them.
        """
        loss, l1 = self._objective(dimensions, valid_mass) if losses is None else losses
        for candidate, value, difference in zip(z, loss.tolist(), l1.tolist(), strict=True):
            finite = np.isfinite(value)
            self._keep_if_best(candidate, value)
            self.losses.append(value if finite else np.nan)
            self.l1.append(difference if finite else np.nan)
            self.best_losses.append(self.best)

    def scores(self, dimensions: Array, valid_mass: Array) -> Scores:
        """The scores behind the losses of candidates: dimension scores [N, K] and valid masses [N]."""
        return Scores(
            np.column_stack([dimensions, valid_mass]), lambda values: self._objective(values[:, :-1], values[:, -1])[0]
        )

    @property
    def n_failed(self) -> int:
        """Number of evaluations without a loss."""
        return int(np.isnan(self.losses).sum())

    def result(self) -> SearchResult:
        """The outcome, once a candidate has a loss."""
        assert self._z is not None
        return SearchResult(self._z, self.best, np.array(self.losses), np.array(self.l1), self._n_offered)
