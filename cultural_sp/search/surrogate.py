"""Surrogate-assisted Differential Evolution: candidates are optima of cheap models, fitted to the evaluations so far."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.optimize import differential_evolution
from threadpoolctl import threadpool_limits

from cultural_sp.config.groups import OptimizerConfig
from cultural_sp.search.history import Scores
from cultural_sp.search.journal import MAX_STORED_COORDINATES
from cultural_sp.search.nevergrad import FAILED_LOSS, best_first
from cultural_sp.types import Array, Candidates, Losses

SEARCH_BOUND = 3.0
"""Bound of every coordinate of a candidate. Standard normal ones lie within; further away a model only extrapolates."""
MAX_FITTED_EVALUATIONS = 600  # per model, whose cost grows with their cube
LENGTH_SCALE = 1 / 3  # of the basis functions, in root mean square distances of two standard normal candidates
SMOOTHING = 0.01  # on the diagonal of the model, which close candidates would make singular
POPULATION, GENERATIONS = 40, 60  # of the DE that minimizes a model


class SurrogateEvolution:
    """Surrogate-assisted DE (survey of the method: Jin 2011, doi 10.1016/j.swevo.2011.05.001).

    Each candidate gets its own model: multiquadric radial basis functions (Hardy 1971), fitted to the better half of all
    evaluations and a random half of the others. The candidate is the point with the lowest loss that DE finds on its model. The
    models of a generation agree where the evaluations leave no doubt, so their candidates are close there and differ elsewhere.

    The models predict the scores behind the loss: scores are smooth where the loss has kinks. Offered evaluations and high losses
    are used like all others.
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
        self._z, self._losses, self._values = np.zeros((0, dim)), np.zeros(0), np.zeros((0, 1))
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
        if scores is not None:
            scores = Scores(scores.values[finite], scores.loss_of)
        self._learn(z[finite], losses[finite], scores)

    def _learn(self, z: Candidates, losses: Losses, scores: Scores | None) -> None:
        if scores is None:
            scores = Scores(losses[:, None], _first_column)
        self._loss_of = scores.loss_of
        self._z = np.concatenate([self._z, z])
        failed = ~np.isfinite(np.column_stack([losses, scores.values])).all(axis=1)
        self._losses = np.concatenate([self._losses, np.where(failed, np.nan, losses)])
        self._values = np.concatenate([self._values, scores.values]) if len(self._values) else scores.values.copy()

    def _ranked_scores(self) -> tuple[Array, NDArray[np.intp]]:
        """Return the scores [N, S] of all evaluations and their indices, the lowest loss first.

        Failed evaluations get the scores of the highest loss, which keeps the search away from them.
        """
        losses, values, failed = self._losses.copy(), self._values.copy(), np.isnan(self._losses)
        losses[failed], values[failed] = np.nanmax(losses), values[np.nanargmax(losses)]
        return values, best_first(losses)

    def _propose(self, values: Array, order: NDArray[np.intp]) -> Array:
        """Return the point [d] with the lowest loss on a model of some evaluations, from :meth:`_ranked_scores`."""
        better, others = np.split(order, [min(len(order) // 2, MAX_FITTED_EVALUATIONS // 2)])
        fitted = [*better, *self._rng.choice(others, min(len(others) // 2, MAX_FITTED_EVALUATIONS // 2), replace=False)]
        dim = self._z.shape[1]
        model = RBFInterpolator(
            self._z[fitted],
            values[fitted],
            kernel="multiquadric",
            epsilon=1 / (LENGTH_SCALE * np.sqrt(2 * dim)),
            smoothing=SMOOTHING,
            degree=0,
        )
        near = self._rng.permutation(order[: 2 * POPULATION])[:POPULATION]
        start = np.concatenate([self._z[near], self._rng.standard_normal((POPULATION - len(near), dim))])
        optimum = differential_evolution(
            lambda z: np.nan_to_num(self._loss_of(model(z.T)), nan=FAILED_LOSS),
            [(-SEARCH_BOUND, SEARCH_BOUND)] * dim,
            init=np.clip(start, -SEARCH_BOUND, SEARCH_BOUND),
            strategy="currenttobest1bin",
            mutation=0.5,
            recombination=0.9,
            maxiter=GENERATIONS,
            tol=0,
            polish=False,
            updating="deferred",
            vectorized=True,
            rng=self._rng,
        )
        return np.asarray(optimum.x, dtype=np.float64)


def _first_column(values: Array) -> Losses:
    """Return the first column of [M, 1], which holds the losses if there are no scores."""
    losses: Losses = values[:, 0]
    return losses
