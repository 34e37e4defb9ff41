"""Surrogate-assisted Differential Evolution: nevergrad's DE on a model of the answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cultural_sp.config.groups import OptimizerConfig
from cultural_sp.search.answer_model import MAX_FITTED_EVALUATIONS, AnswerModel
from cultural_sp.search.history import Scores
from cultural_sp.search.journal import MAX_STORED_COORDINATES
from cultural_sp.search.nevergrad import best_first, de
from cultural_sp.types import Array, Candidates, Losses

SEARCH_BOUND = 3.0
"""Bound of every coordinate of a candidate. Standard normal ones lie within; further away a model only extrapolates."""
POPULATION, GENERATIONS = 30, 25  # of the DE that asks a model
F1, F2, CROSSOVER = 0.5, 0.5, 0.9


class SurrogateEvolution:
    """Surrogate-assisted DE (survey of the method: Jin 2011, doi 10.1016/j.swevo.2011.05.001).

    Each candidate is the best of many that nevergrad's DE asks for, screened by a model of the answers. Its population starts
    from the best evaluations. Each has its own model, fitted to the better half of all evaluations and a random half of the
    others: the models agree where the evaluations leave no doubt, so the candidates are close there and differ elsewhere.

    The models predict the scores behind the loss: scores are smooth where the loss has kinks. Evaluations in single wordings
    count for what they say about all tuned wordings. Offered evaluations and high losses are used like all others.
    """

    def __init__(self, config: OptimizerConfig, dim: int) -> None:
        """Optimizer over R^dim; the first candidate is the initial prompt.

        Raises:
            ValueError: if ``dim`` is too large for a model of some hundred evaluations.
        """
        if dim > MAX_STORED_COORDINATES:
            raise ValueError(
                f"optimizer=de_surrogate searches {MAX_STORED_COORDINATES} coordinates at most, and this space has {dim}; "
                "choose optimizer=de, or another soft_prompt.space"
            )
        self.generation_size = config.population
        self._rng = np.random.default_rng([config.seed, 3])  # streams 1 and 2 are random search
        self._z, self._losses = np.zeros((0, dim)), np.zeros(0)
        self._values, self._shares = np.zeros((0, 1)), np.zeros((0, 1))
        self._loss_of: Callable[[Array], Losses] = _first_column
        self._candidates = np.zeros((0, dim))
        self._first = True

    def ask(self, n: int) -> Candidates:
        """Return the next ``n`` candidates [n, d]; standard normal while fewer than a generation of evaluations have a loss."""
        if np.isfinite(self._losses).sum() < self.generation_size:
            self._candidates = self._rng.standard_normal((n, self._z.shape[1]))
        else:
            # The last digits of linear algebra depend on the number of threads, and a search must resume under any number.
            with threadpool_limits(1):
                values, order = self._ranked_scores()
                self._candidates = np.stack([self._propose(values, order) for _ in range(n)])
        if self._first:
            self._candidates[0] = 0.0
        self._first = False
        return self._candidates.copy()

    def tell(self, losses: Losses, scores: Scores | None = None) -> None:
        """Learn the losses [n] of the last candidates and the scores behind them."""
        self._learn(self._candidates, losses, scores)

    def offer(self, z: Candidates, losses: Losses, scores: Scores | None = None) -> None:
        """Learn from other candidates [n, d] with losses [n]; those without a loss are ignored."""
        finite = np.isfinite(losses)
        self._learn(z[finite], losses[finite], None if scores is None else scores.rows(finite))

    def _learn(self, z: Candidates, losses: Losses, scores: Scores | None) -> None:
        if scores is None:
            scores = Scores(losses[:, None], _first_column)
        self._loss_of = scores.loss_of
        shares = np.ones((len(z), 1)) if scores.shares is None else scores.shares
        failed = ~np.isfinite(np.column_stack([losses, scores.values])).all(axis=1)
        losses, is_first = np.where(failed, np.nan, losses), not len(self._z)
        self._z = np.concatenate([self._z, z])
        self._losses = np.concatenate([self._losses, losses])
        self._values = scores.values.copy() if is_first else np.concatenate([self._values, scores.values])
        self._shares = shares.copy() if is_first else np.concatenate([self._shares, shares])

    def _ranked_scores(self) -> tuple[Array, NDArray[np.intp]]:
        """Return the scores [N, S] of all evaluations and their indices, the lowest loss first.

        Failed evaluations get the scores of the highest loss, which keeps the search away from them.
        """
        losses, values, failed = self._losses.copy(), self._values.copy(), np.isnan(self._losses)
        losses[failed], values[failed] = np.nanmax(losses), values[np.nanargmax(losses)]
        if self._shares.shape[1] > 1:
            latest = slice(-MAX_FITTED_EVALUATIONS, None)
            model = AnswerModel(self._z[latest], self._shares[latest], values[latest])
            losses = self._loss_of(model.pooled(self._z))
        return values, best_first(losses)

    def _propose(self, values: Array, order: NDArray[np.intp]) -> Array:
        """Return the point [d] with the lowest loss that DE finds on a model of some evaluations, from :meth:`_ranked_scores`."""
        better, others = np.split(order, [min(len(order) // 2, MAX_FITTED_EVALUATIONS // 2)])
        fitted = [*better, *self._rng.choice(others, min(len(others) // 2, MAX_FITTED_EVALUATIONS // 2), replace=False)]
        model = AnswerModel(self._z[fitted], self._shares[fitted], values[fitted])

        def loss(z: Candidates) -> Losses:
            return self._loss_of(model.pooled(z))

        near = self._rng.permutation(order[: 2 * POPULATION])[:POPULATION]
        start = np.clip(self._z[near], -SEARCH_BOUND, SEARCH_BOUND)
        seed = int(self._rng.integers(2**32))
        settings = OptimizerConfig(kind="de", population=POPULATION, f1=F1, f2=F2, crossover=CROSSOVER, seed=seed)
        evolution = de(settings, self._z.shape[1])
        start_losses = loss(start)
        evolution.offer(start, start_losses)
        best, lowest = start[best_first(start_losses)[0]], np.nanmin(start_losses)
        for _ in range(GENERATIONS):
            z = np.clip(evolution.ask(POPULATION), -SEARCH_BOUND, SEARCH_BOUND)
            losses = loss(z)
            evolution.tell(losses)
            if np.nanmin(losses) < lowest:
                best, lowest = z[np.nanargmin(losses)], np.nanmin(losses)
        return np.asarray(best, dtype=np.float64)


def _first_column(values: Array) -> Losses:
    """Return the first column of [M, 1], which holds the losses if there are no scores."""
    losses: Losses = values[:, 0]
    return losses
