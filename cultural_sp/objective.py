"""Distance between dimension scores and a region's targets: pure functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def l1_loss(scores: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean absolute difference [...] of scores [..., K] to a target [K], in index points (arXiv 2503.16094, L1 distance).

    Dimensions without a target (NaN) are left out for every method alike. A missing score in a dimension that has a
    target makes the loss NaN: methods are never compared on different dimensions.

    Raises:
        ValueError: if no dimension has a target or the last axes differ.
    """
    if scores.shape[-1] != target.shape[-1]:
        raise ValueError(f"scores {scores.shape} and target {target.shape} differ in the number of dimensions")
    known = ~np.isnan(target)
    if not known.any():
        raise ValueError("the target has no known dimension, so there is nothing to align to")
    loss: NDArray[np.float64] = np.abs(scores[..., known] - target[known]).mean(axis=-1)
    return loss
