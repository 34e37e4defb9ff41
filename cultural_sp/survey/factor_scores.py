"""Factor scores: the weights that turn standardised answers into estimates of latent dimensions, from frozen loadings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cultural_sp.types import Array

METHODS = ("bartlett", "regression")


@dataclass(frozen=True)
class LoadingTable:
    """A measurement model of items with variance 1 and factors with variance 1."""

    loadings: Array
    """[Q, K]."""
    correlations: Array
    """[K, K], correlations of the factors."""
    residuals: Array
    """[Q], residual variances of the items."""


def score_weights(table: LoadingTable, method: str, items: Sequence[str]) -> Array:
    """Weights [K, Q] of standardised answers.

    ``bartlett``: (L' T^-1 L)^-1 L' T^-1, unbiased: the mean score of a group equals the group's true score (Bartlett 1937).
    ``regression``: F L' (L F L' + T)^-1, with the smallest error, shrunk towards the mean (Thurstone 1935). L are loadings, F the
    correlations of the factors, T the residual variances.

    Args:
        table: the frozen measurement model.
        method: bartlett or regression.
        items: names of the items, for messages.

    Raises:
        ValueError: for an unknown method, or if the table can't belong to a measurement model.
    """
    if method not in METHODS:
        raise ValueError(f"scoring: method {method!r} is unknown; allowed: {', '.join(METHODS)}")
    loadings, correlations, residuals = table.loadings, table.correlations, table.residuals
    beyond = [item for item, left in zip(items, residuals, strict=True) if not left > 1e-6]
    if beyond:
        raise ValueError(
            f"scoring: the loadings leave no residual variance for {', '.join(beyond)} (Heywood case); the squared loadings of "
            "an item must stay below 1"
        )
    if np.linalg.eigvalsh(correlations)[0] < 1e-8:
        raise ValueError(
            "scoring: the correlations of the dimensions are impossible together (their matrix isn't positive)"
        )
    if np.linalg.matrix_rank(loadings) < loadings.shape[1]:
        raise ValueError("scoring: the loadings don't tell the dimensions apart; each needs items of its own")
    if method == "regression":
        implied = loadings @ correlations @ loadings.T + np.diag(residuals)
        weights: Array = correlations @ loadings.T @ np.linalg.inv(implied)
        return weights
    precise = loadings.T / residuals
    unbiased: Array = np.linalg.inv(precise @ loadings) @ precise
    return unbiased
