"""The ask-and-tell protocol of all optimizers, and the factory that makes the configured one."""

from __future__ import annotations

from typing import Protocol

from cultural_sp.config.groups import OptimizerConfig
from cultural_sp.config.registries import OPTIMIZERS
from cultural_sp.search.history import Scores
from cultural_sp.types import Candidates, Losses


class Optimizer(Protocol):
    """Proposes search vectors one generation at a time and learns from their losses.

    The candidates depend only on the seed and on the losses that the optimizer was told or offered. A search therefore resumes by
    telling a fresh optimizer the losses in the journal. The first candidate is z = 0, the initial prompt. The others of the first
    generation are standard normal, unless candidates were offered before.

    ``tests/search/test_optimizers.py`` and ``test_offers.py`` check these rules for every optimizer.
    """

    generation_size: int

    def ask(self, n: int) -> Candidates:
        """Return the next ``n`` candidates [n, d]; ``n`` is the generation size, or less in the last generation."""
        ...

    def tell(self, losses: Losses, scores: Scores | None = None) -> None:
        """Learn from the candidates of the last :meth:`ask`.

        Args:
            losses: their losses [n], in the same order; NaN for a failed evaluation.
            scores: the scores behind the losses. Only an optimizer with a model of the scores uses them; without them it models
                the losses.
        """
        ...

    def offer(self, z: Candidates, losses: Losses, scores: Scores | None = None) -> None:
        """Learn from candidates that another search evaluated. The optimizer may use any of them, or none.

        Call it only between generations: before the first one, or after :meth:`tell`.

        Args:
            z: the candidates [n, d].
            losses: their losses [n] under the objective of this optimizer, or NaN.
            scores: see :meth:`tell`.
        """
        ...


def make_optimizer(config: OptimizerConfig, dim: int) -> Optimizer:
    """Return the configured optimizer over R^dim."""
    optimizer: Optimizer = OPTIMIZERS[config.kind].make(config, dim)
    return optimizer
