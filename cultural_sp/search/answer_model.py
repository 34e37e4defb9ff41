"""A model of the answers: a Gaussian process from search vectors and wordings to scores, with effects of wordings."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from cultural_sp.types import Array, Candidates

MAX_FITTED_EVALUATIONS = 600
"""Evaluations that a model is fitted to at most; the cost grows with their cube."""
LINEAR = 0.5
"""Variance of the linear part of a score at a standard normal search vector; that of the curved part is 1."""
EFFECT = 0.1
"""Variance of the effect that a wording has on every candidate alike."""
INTERACTION = 0.2
"""Share of the variance over candidates that an effect of wordings adds: what a wording does to some and not to others."""
NOISE = 0.05
"""Variance of what is left."""


def covariance(z: Candidates, shares: Array, other_z: Candidates, other_shares: Array) -> Array:
    """Return the covariances [N, M] of scores with search vectors [N, d] and [M, d] and shares of wordings [N, W] and [M, W].

    Scores are standardised. The curved part is a Matern function with smoothness 5/2, whose length scale is the distance of two
    standard normal search vectors.
    """
    dim = z.shape[1]
    distance = np.sqrt(5) * cdist(z, other_z) / np.sqrt(2 * dim)
    smooth = LINEAR * (z @ other_z.T) / dim + (1 + distance + distance**2 / 3) * np.exp(-distance)
    overlap = shares @ other_shares.T
    total: Array = smooth * (1 + INTERACTION * overlap) + EFFECT * overlap
    return total


class AnswerModel:
    """Gaussian process regression (Rasmussen and Williams 2006, chapter 2), with one covariance function for all scores.

    A score of an evaluation is f(z) + effect of its wordings + interaction + noise. Index scores are linear in item means, and
    so is this model, so its scores are those of a model of the item means. Scores under a loss that isn't linear, such as its
    absolute differences, make this composite Bayesian optimization (Astudillo and Frazier 2019, arXiv 1906.01537).
    """

    def __init__(self, z: Candidates, shares: Array, values: Array) -> None:
        """Fit.

        Args:
            z: search vectors [N, d].
            shares: [N, W], the share of each wording in an evaluation; rows add up to 1.
            values: scores [N, S], all finite.
        """
        self._z, self._shares = z, shares
        self._mean, deviation = values.mean(axis=0), values.std(axis=0)
        self._deviation = np.where(deviation > 0, deviation, 1.0)
        within = covariance(z, shares, z, shares)
        within[np.diag_indices(len(z))] += NOISE
        self._weights: Array = cho_solve(cho_factor(within, lower=True), (values - self._mean) / self._deviation)

    def pooled(self, z: Candidates) -> Array:
        """Return the expected scores [M, S] of search vectors [M, d] over all wordings."""
        n_wordings = self._shares.shape[1]
        shares = np.full((len(z), n_wordings), 1 / n_wordings)
        scores: Array = covariance(z, shares, self._z, self._shares) @ self._weights * self._deviation + self._mean
        return scores
