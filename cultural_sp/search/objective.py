"""Distance between dimension scores and a region's targets, and what a search may add to it: pure functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cultural_sp.types import Array


def l1_loss(scores: Array, target: Array) -> Array:
    """Mean absolute difference [...] of scores [..., K] to a target [K], in the survey's unit (arXiv 2503.16094, L1 distance).

    Dimensions without a target (NaN) are left out for every method alike. A missing score in a dimension that has a
    target makes the loss NaN: methods are never compared on different dimensions.

    Raises:
        ValueError: if no dimension has a target or the last axes differ.
    """
    loss: Array = np.abs(_differences(scores, target)).mean(axis=-1)
    return loss


def squared_loss(scores: Array, target: Array) -> Array:
    """Mean squared difference [...], in the squared unit: like :func:`l1_loss`, but large misses count for more."""
    loss: Array = np.square(_differences(scores, target)).mean(axis=-1)
    return loss


LOSSES: dict[str, Callable[[Array, Array], Array]] = {"l1": l1_loss, "squared": squared_loss}


def mass_penalty(valid_mass: Array, reference: float) -> Array:
    """Orders of magnitude [N] by which valid masses [N] lie below the ``reference``; 0 for those above."""
    with np.errstate(divide="ignore"):
        penalty: Array = np.maximum(np.log10(reference) - np.log10(valid_mass), 0.0)
    return penalty


def _differences(scores: Array, target: Array) -> Array:
    """Scores [..., K] minus the target [K], in the dimensions that have one."""
    if scores.shape[-1] != target.shape[-1]:
        raise ValueError(f"scores {scores.shape} and target {target.shape} differ in the number of dimensions")
    known = ~np.isnan(target)
    if not known.any():
        raise ValueError("the target has no known dimension, so there is nothing to align to")
    differences: Array = scores[..., known] - target[known]
    return differences
