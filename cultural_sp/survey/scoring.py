"""Index formula: from item means to dimension scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cultural_sp.survey.instrument import Survey


def dimension_scores(survey: Survey, item_means: NDArray[np.float64], constant: float) -> NDArray[np.float64]:
    """Dimension scores [..., K] of item means [..., Q], in index points.

    An index is a weighted sum of item means plus a constant C (VSM 2013 manual; ``MAS`` weights 35 and 35). A missing item
    (NaN) makes every index that uses it NaN: missing answers are never replaced by a number.

    Raises:
        ValueError: if the last axis doesn't have one mean per item.
    """
    weights = survey.weights()
    if item_means.shape[-1] != weights.shape[1]:
        raise ValueError(f"{survey.name} has {weights.shape[1]} items, got means of shape {item_means.shape}")
    used = np.where(weights != 0, item_means[..., None, :], 0.0)  # an unused item must not spread its NaN
    scores: NDArray[np.float64] = (used * weights).sum(axis=-1) + constant
    return scores
