"""Optimizers behind one small ask-and-tell protocol; all randomness comes from the seed passed in."""

from __future__ import annotations

from typing import Any, Protocol

import nevergrad as ng
import numpy as np
from numpy.typing import NDArray

from cultural_sp.config import OptimizerConfig

FAILED = 1e20  # what nevergrad is told for a candidate without a loss


class Optimizer(Protocol):
    """Proposes search vectors in batches and learns their losses."""

    generation_size: int

    def ask(self, n: int) -> NDArray[np.float64]:
        """The next ``n`` candidates [n, d]."""
        ...

    def tell(self, losses: NDArray[np.float64]) -> None:
        """Losses [n] of the candidates asked last, in the same order; NaN marks a failed evaluation."""
        ...


class DifferentialEvolution:
    """nevergrad's DE (current-to-best/1) from a standard normal initial population that contains z = 0.

    Donor = x + F1 (a - b) + F2 (best - x); a coordinate comes from the donor with probability ``crossover``.
    """

    def __init__(self, config: OptimizerConfig, dim: int) -> None:
        """DE over R^dim; the first candidate is the initial prompt."""
        crossover: Any = config.crossover if config.crossover == "twopoints" else float(config.crossover)
        family = ng.families.DifferentialEvolution(
            initialization="gaussian",
            scale=1.0,
            crossover=crossover,
            F1=config.f1,
            F2=config.f2,
            popsize=config.population,
        )
        parametrization = ng.p.Array(init=np.zeros(dim))
        parametrization.random_state.seed(config.seed)
        self.generation_size = config.population
        self._optimizer = family(parametrization, budget=config.budget, num_workers=config.population)
        self._optimizer.suggest(np.zeros(dim))
        self._asked: list[Any] = []

    def ask(self, n: int) -> NDArray[np.float64]:
        """The next ``n`` candidates [n, d]."""
        self._asked = [self._optimizer.ask() for _ in range(n)]
        return np.stack([candidate.value for candidate in self._asked])

    def tell(self, losses: NDArray[np.float64]) -> None:
        """Losses [n] of the candidates asked last."""
        for candidate, loss in zip(self._asked, losses, strict=True):
            self._optimizer.tell(candidate, float(loss) if np.isfinite(loss) else FAILED)
        self._asked = []


class RandomSearch:
    """Independent standard normal candidates after z = 0: what a search must beat."""

    def __init__(self, config: OptimizerConfig, dim: int) -> None:
        """Random search over R^dim with the generation size of the search it is compared to."""
        self.generation_size = config.population
        self._dim = dim
        self._rng = np.random.default_rng([config.seed, 1])  # a stream of its own
        self._first = True

    def ask(self, n: int) -> NDArray[np.float64]:
        """The next ``n`` candidates [n, d]."""
        candidates = self._rng.standard_normal((n, self._dim))
        if self._first:
            candidates[0] = 0.0
        self._first = False
        return candidates

    def tell(self, losses: NDArray[np.float64]) -> None:
        """Nothing to learn."""
