"""(1+lambda)-ES: one parent and its mutants, the simplest evolution strategy that adapts its step size."""

from __future__ import annotations

import numpy as np

from cultural_sp.config.groups import OptimizerConfig
from cultural_sp.search.history import Scores
from cultural_sp.types import Candidates, Losses

SUCCESS_RATE = 0.2  # the share of better offspring at which the step stays (Rechenberg 1973, Evolutionsstrategie)
ADAPTATION_RATE = 1.5  # our choice: the fastest of 1 to 3 on several test functions at a few hundred evaluations


class OnePlusLambda:
    """(1+lambda)-ES with ``population`` offspring per generation. The best of parent and offspring is the next parent.

    The one-fifth success rule is applied once per generation, to the share of offspring that beat the parent. nevergrad's
    (1+1)-ES applies it to every single offspring: with 20 offspring at a time, its step vanishes after a few generations.
    """

    def __init__(self, config: OptimizerConfig, dim: int) -> None:
        """Evolution strategy over R^dim; the first parent is the initial prompt."""
        self.generation_size = config.population
        self._rng = np.random.default_rng(config.seed)
        self._parent, self._loss, self._step = np.zeros(dim), np.inf, 1.0
        self._offspring = np.zeros((0, dim))
        self._first = True

    def ask(self, n: int) -> Candidates:
        """Return the next ``n`` candidates [n, d]."""
        self._offspring = self._parent + self._step * self._rng.standard_normal((n, len(self._parent)))
        if self._first:
            self._offspring[0] = 0.0
        return self._offspring.copy()

    def tell(self, losses: Losses, scores: Scores | None = None) -> None:
        """Learn the losses [n] of the last candidates: adapt the step, and take the best one as the parent."""
        losses = np.where(np.isfinite(losses), losses, np.inf)
        if self._first and not np.isfinite(self._loss):
            self._loss = losses[0]
        self._first = False
        # An equal loss counts as the success rate itself: on a plateau, which argmax answers produce, the step must not shrink.
        success = np.where(losses == self._loss, SUCCESS_RATE, losses < self._loss)
        self._step *= float(np.exp(ADAPTATION_RATE * (success.mean() - SUCCESS_RATE)))
        best = losses.argmin()
        if losses[best] <= self._loss:
            self._parent, self._loss = self._offspring[best], losses[best]

    def offer(self, z: Candidates, losses: Losses, scores: Scores | None = None) -> None:
        """Take the best of other candidates [n, d] as the parent if it is better.

        The step stays: the success of another search says nothing about this one's step.
        """
        losses = np.where(np.isfinite(losses), losses, np.inf)
        if len(losses) and losses.min() < self._loss:
            best = losses.argmin()
            self._parent, self._loss = z[best].copy(), losses[best]
