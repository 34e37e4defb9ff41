"""Optimizers behind one small ask-and-tell protocol; all randomness comes from the seed passed in."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cultural_sp.config.groups import OptimizerConfig
from cultural_sp.config.registries import OPTIMIZERS
from cultural_sp.search.history import Scores


class Optimizer(Protocol):
    """Proposes search vectors in batches and learns their losses.

    What is asked follows from the seed and the losses told and offered so far, and from nothing else: a search goes on from its
    journal by telling a fresh optimizer what is recorded there. The first candidate is z = 0, the initial prompt; the others of
    the first generation are standard normal, the step that the search spaces document, unless something was offered before.
    ``tests/search/test_optimizers.py`` and ``test_offers.py`` hold every optimizer to this.
    """

    generation_size: int

    def ask(self, n: int) -> NDArray[np.float64]:
        """The next ``n`` candidates [n, d]; ``n`` is the generation size, or less in the last generation."""
        ...

    def tell(self, losses: NDArray[np.float64], scores: Scores | None = None) -> None:
        """Losses [n] of the candidates asked last, in the same order; NaN marks a failed evaluation.

        ``scores`` says what these losses were made of; only an optimizer that models it looks at it, and models the losses
        themselves where it isn't given.
        """
        ...

    def offer(self, z: NDArray[np.float64], losses: NDArray[np.float64], scores: Scores | None = None) -> None:
        """Candidates [n, d] that somebody else evaluated, with their losses [n] under this optimizer's goal or NaN.

        Only between generations: before the first, or when all that was asked has been told. The optimizer may take any of
        them over, or none; the first candidate that it asks is z = 0 all the same.
        """
        ...


def make_optimizer(config: OptimizerConfig, dim: int) -> Optimizer:
    """The configured optimizer over R^dim."""
    optimizer: Optimizer = OPTIMIZERS[config.kind].make(config, dim)
    return optimizer
