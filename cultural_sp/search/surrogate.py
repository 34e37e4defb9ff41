"""Differential Evolution on a model of the scores: what is asked is what the evaluations so far promise most of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.optimize import differential_evolution
from threadpoolctl import threadpool_limits

from cultural_sp.config.groups import OptimizerConfig
from cultural_sp.search.history import Scores
from cultural_sp.search.journal import KEEP_Z_UP_TO
from cultural_sp.search.nevergrad import FAILED, best_first
from cultural_sp.types import Array

SEARCH_BOUND = 3.0
"""Candidates stay in [-REACH, REACH]^d, where standard normal ones lie: far outside the model only extrapolates."""
POINTS = 600  # a model is fitted to so many evaluations at most; its cost grows with their cube
LENGTH = 1 / 3  # radius at which the model turns from a bowl to a cone, in distances of two standard normal candidates
NOISE = 0.01  # added to the model's diagonal: candidates that lie close together would leave it undetermined
MEMBERS, ROUNDS = 40, 60  # of the evolution on the model


class SurrogateEvolution:
    """Surrogate-assisted DE (for a survey of the kind: Jin 2011, doi 10.1016/j.swevo.2011.05.001).

    Before every generation each of its candidates gets a model of its own, multiquadric radial basis functions (Hardy 1971)
    through the better half of all known evaluations and a random half of the others, and is the point with the lowest loss that
    DE finds on it. Their models differ, so candidates agree where the evaluations leave no doubt and lie apart elsewhere. What
    is modelled are the scores that the loss is made of: they are smooth where it has kinks. What others evaluated (``offer``)
    teaches as much as what was asked, bad losses included.
    """

    def __init__(self, config: OptimizerConfig, dim: int) -> None:
        """Optimizer over R^dim; the first candidate is the initial prompt.

        Raises:
            ValueError: in one line, if there are more coordinates than a model of some hundred evaluations can tell apart.
        """
        if dim > KEEP_Z_UP_TO:
            raise ValueError(
                f"optimizer=de_surrogate searches {KEEP_Z_UP_TO} coordinates at most, and this space has {dim}; "
                "choose optimizer=de, or another soft_prompt.space"
            )
        self.generation_size = config.population
        self._rng = np.random.default_rng([config.seed, 3])  # streams 1 and 2 are random search
        self._z, self._losses, self._values = np.zeros((0, dim)), np.zeros(0), np.zeros((0, 1))
        self._loss_of: Callable[[Array], Array] = _first_column
        self._asked = np.zeros((0, dim))
        self._first = True

    def ask(self, n: int) -> Array:
        """The next ``n`` candidates [n, d]: standard normal while fewer evaluations than a generation are known."""
        if np.isfinite(self._losses).sum() < self.generation_size:
            self._asked = self._rng.standard_normal((n, self._z.shape[1]))
        else:
            # The last digits of linear algebra depend on the number of threads, and a search must go on under any.
            with threadpool_limits(1):
                known = self._known()
                self._asked = np.stack([self._propose(*known) for _ in range(n)])
        if self._first:
            self._asked[0] = 0.0
        self._first = False
        return self._asked.copy()

    def tell(self, losses: Array, scores: Scores | None = None) -> None:
        """Losses [n] of the candidates asked last, and what they were made of."""
        self._learn(self._asked, losses, scores)

    def offer(self, z: Array, losses: Array, scores: Scores | None = None) -> None:
        """Candidates [n, d] with their losses [n]; those without one are passed over."""
        known = np.isfinite(losses)
        if scores is not None:
            scores = Scores(scores.values[known], scores.loss_of)
        self._learn(z[known], losses[known], scores)

    def _learn(self, z: Array, losses: Array, scores: Scores | None) -> None:
        if scores is None:
            scores = Scores(losses[:, None], _first_column)
        self._loss_of = scores.loss_of
        self._z = np.concatenate([self._z, z])
        failed = ~np.isfinite(np.column_stack([losses, scores.values])).all(axis=1)
        self._losses = np.concatenate([self._losses, np.where(failed, np.nan, losses)])
        self._values = np.concatenate([self._values, scores.values]) if len(self._values) else scores.values.copy()

    def _known(self) -> tuple[Array, NDArray[np.intp]]:
        """Scores [N, S] of all evaluations, and their indices, the best first.

        Failed ones count as the worst: left out, nothing would keep the search away from them.
        """
        losses, values, failed = self._losses.copy(), self._values.copy(), np.isnan(self._losses)
        losses[failed], values[failed] = np.nanmax(losses), values[np.nanargmax(losses)]
        return values, best_first(losses)

    def _propose(self, values: Array, order: NDArray[np.intp]) -> Array:
        """The point [d] with the lowest loss on a model that is fitted to some of what :meth:`_known` returned."""
        better, others = np.split(order, [min(len(order) // 2, POINTS // 2)])
        chosen = [*better, *self._rng.choice(others, min(len(others) // 2, POINTS // 2), replace=False)]
        dim = self._z.shape[1]
        model = RBFInterpolator(
            self._z[chosen],
            values[chosen],
            kernel="multiquadric",
            epsilon=1 / (LENGTH * np.sqrt(2 * dim)),
            smoothing=NOISE,
            degree=0,
        )
        near = self._rng.permutation(order[: 2 * MEMBERS])[:MEMBERS]
        start = np.concatenate([self._z[near], self._rng.standard_normal((MEMBERS - len(near), dim))])
        found = differential_evolution(
            lambda z: np.nan_to_num(self._loss_of(model(z.T)), nan=FAILED),
            [(-SEARCH_BOUND, SEARCH_BOUND)] * dim,
            init=np.clip(start, -SEARCH_BOUND, SEARCH_BOUND),
            strategy="currenttobest1bin",
            mutation=0.5,
            recombination=0.9,
            maxiter=ROUNDS,
            tol=0,
            polish=False,
            updating="deferred",
            vectorized=True,
            rng=self._rng,
        )
        return np.asarray(found.x, dtype=np.float64)


def _first_column(values: Array) -> Array:
    """The loss itself, where nothing is known of what it is made of."""
    losses: Array = values[:, 0]
    return losses
