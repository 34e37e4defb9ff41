"""Random search: the baseline of every run, and an optimizer like the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cultural_sp.config.groups import OptimizerConfig
from cultural_sp.search.history import Scores


class RandomSearch:
    """Independent standard normal candidates after z = 0: what a search must beat."""

    def __init__(self, config: OptimizerConfig, dim: int, stream: int = 1) -> None:
        """Random search over R^dim with the generation size of the search it is compared to.

        Args:
            config: seed and generation size.
            dim: number of search coordinates.
            stream: another number gives other draws from the same seed.
        """
        self.generation_size = config.population
        self._dim = dim
        self._rng = np.random.default_rng([config.seed, stream])
        self._first = True

    def ask(self, n: int) -> NDArray[np.float64]:
        """The next ``n`` candidates [n, d]."""
        candidates = self._rng.standard_normal((n, self._dim))
        if self._first:
            candidates[0] = 0.0
        self._first = False
        return candidates

    def tell(self, losses: NDArray[np.float64], scores: Scores | None = None) -> None:
        """Nothing to learn."""

    def offer(self, z: NDArray[np.float64], losses: NDArray[np.float64], scores: Scores | None = None) -> None:
        """Nothing to learn from others either."""


def random_optimizer(config: OptimizerConfig, dim: int) -> RandomSearch:
    """Random search as an optimizer: not the draws of the baseline, which it would tie with."""
    return RandomSearch(config, dim, stream=2)
