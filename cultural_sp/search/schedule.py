"""What a search evaluates in each generation, and in which wording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Generation:
    """Candidates of an optimizer and, if each takes one wording only, a check of the best one in all wordings."""

    wordings: tuple[str, ...]
    """The wording of each candidate, equal ones side by side; empty texts for all tuned wordings together."""
    check: tuple[str, ...] = ()
    """The wordings of the check, each an evaluation of its own; empty for no check."""

    def batch_ends(self, size: int) -> list[int]:
        """Return the places after which a batch ends: one wording and at most ``size`` candidates, or a whole check."""
        return batch_ends(self.wordings, size) + [len(self)] * bool(self.check)

    def __len__(self) -> int:
        """Return the number of evaluations."""
        return len(self.wordings) + len(self.check)


def whole_survey(budget: int, population: int) -> list[Generation]:
    """Return the generations of a search whose candidates take all tuned wordings."""
    sizes = [min(population, budget - done) for done in range(0, budget, population)]
    return [Generation(("",) * size) for size in sizes]


def one_wording_each(budget: int, population: int, wordings: Sequence[str], seed: int) -> list[Generation]:
    """Return the generations of a search whose candidates take one wording each.

    Each generation has the wordings equally often, up to one, in an order of its own, and ends with a check. What the budget has
    left over goes to the first generation.

    Args:
        budget: number of evaluations; one candidate in one wording is one.
        population: candidates of a generation, without the check.
        wordings: names of the tuned wordings.
        seed: of the orders.

    Raises:
        ValueError: if the budget has no room for a candidate and its check.
    """
    n_wordings = len(wordings)
    if budget <= n_wordings:
        raise ValueError(
            f"optimizer.budget={budget} has no room for a candidate and its check in {n_wordings} wordings; give at least "
            f"{n_wordings + 1}, or set optimizer.wordings=all"
        )
    n_generations = max(1, budget // (population + n_wordings))
    sizes = [population] * n_generations
    sizes[0] = budget - n_generations * n_wordings - population * (n_generations - 1)
    rng = np.random.default_rng([seed, 4])  # streams 1 to 3 are those of optimizers
    generations: list[Generation] = []
    order: list[int] = []
    for size in sizes:
        asked: list[int] = []
        while len(asked) < size:
            order = order or rng.permutation(n_wordings).tolist()
            asked.append(order.pop())
        generations.append(Generation(tuple(wordings[i] for i in sorted(asked)), tuple(wordings)))
    return generations


def batch_ends(wordings: Sequence[str], size: int) -> list[int]:
    """Return the places in a row of candidates after which a batch ends."""
    ends, start = [], 0
    for place, (this, following) in enumerate(pairwise([*wordings, None]), 1):
        if this != following or place - start == size:
            ends.append(place)
            start = place
    return ends
