"""Random search: the baseline of every run, and an optimizer like the others."""

from __future__ import annotations

import numpy as np

from cultural_sp.config.groups import OptimizerConfig
from cultural_sp.search.history import Scores
from cultural_sp.types import Candidates, Losses


class RandomSearch:
    """Independent standard normal candidates after z = 0. Every other optimizer must beat it."""

    def __init__(self, config: OptimizerConfig, dim: int, stream: int = 1) -> None:
        """Random search over R^dim.

        Args:
            config: seed, and the generation size of the search that is compared with this one.
            dim: number of search coordinates.
            stream: another number gives other draws from the same seed.
        """
        self.generation_size = config.population
        self._dim = dim
        self._rng = np.random.default_rng([config.seed, stream])
        self._first = True

    def ask(self, n: int) -> Candidates:
        """Return the next ``n`` candidates [n, d]."""
        candidates = self._rng.standard_normal((n, self._dim))
        if self._first:
            candidates[0] = 0.0
        self._first = False
        return candidates

    def tell(self, losses: Losses, scores: Scores | None = None) -> None:
        """Do nothing: random search doesn't learn."""

    def offer(self, z: Candidates, losses: Losses, scores: Scores | None = None) -> None:
        """Do nothing: random search doesn't learn."""


def random_optimizer(config: OptimizerConfig, dim: int) -> RandomSearch:
    """Return random search as an optimizer. Its draws differ from those of the baseline, or both would tie."""
    return RandomSearch(config, dim, stream=2)
