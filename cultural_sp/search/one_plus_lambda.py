"""One parent and its mutants: the simplest evolution strategy that adapts its step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cultural_sp.config.groups import OptimizerConfig
from cultural_sp.search.history import Scores

SUCCESS_RATE = 0.2  # the share of better offspring at which the step stays (Rechenberg 1973, Evolutionsstrategie)
ADAPTATION_RATE = 1.5  # ours: the fastest of 1 to 3 over several test functions at a few hundred evaluations


class OnePlusLambda:
    """(1+1)-ES in generations of ``population`` offspring, so (1+lambda): the best of all is the next parent.

    The one-fifth success rule is applied once a generation, to the share of offspring that beat the parent. nevergrad's (1+1)
    applies it to every offspring: asked for 20 at a time, its step is gone after a few generations.
    """

    def __init__(self, config: OptimizerConfig, dim: int) -> None:
        """Evolution strategy over R^dim; the first parent is the initial prompt."""
        self.generation_size = config.population
        self._rng = np.random.default_rng(config.seed)
        self._parent, self._loss, self._step = np.zeros(dim), np.inf, 1.0
        self._asked = np.zeros((0, dim))
        self._first = True

    def ask(self, n: int) -> NDArray[np.float64]:
        """The next ``n`` candidates [n, d]."""
        self._asked = self._parent + self._step * self._rng.standard_normal((n, len(self._parent)))
        if self._first:
            self._asked[0] = 0.0
        return self._asked.copy()

    def tell(self, losses: NDArray[np.float64], scores: Scores | None = None) -> None:
        """Losses [n] of the candidates asked last."""
        losses = np.where(np.isfinite(losses), losses, np.inf)
        if self._first and not np.isfinite(self._loss):
            self._loss = losses[0]
        self._first = False
        # An equal loss says nothing about the step: on a plateau, as argmax answers make them, it must not shrink.
        better = np.where(losses == self._loss, SUCCESS_RATE, losses < self._loss)
        self._step *= float(np.exp(ADAPTATION_RATE * (better.mean() - SUCCESS_RATE)))
        best = losses.argmin()
        if losses[best] <= self._loss:
            self._parent, self._loss = self._asked[best], losses[best]

    def offer(self, z: NDArray[np.float64], losses: NDArray[np.float64], scores: Scores | None = None) -> None:
        """The best offered candidate becomes the parent if it is better; the step stays, as success here is chance there."""
        losses = np.where(np.isfinite(losses), losses, np.inf)
        if len(losses) and losses.min() < self._loss:
            best = losses.argmin()
            self._parent, self._loss = z[best].copy(), losses[best]
