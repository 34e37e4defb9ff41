"""Losses: distances between dimension scores and a region's targets, and penalties on top of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cultural_sp.config.groups import ObjectiveConfig
from cultural_sp.types import Array, Losses


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
    """Mean squared difference [...], in the squared unit; missing values as in :func:`l1_loss`."""
    loss: Array = np.square(_differences(scores, target)).mean(axis=-1)
    return loss


LOSSES: dict[str, Callable[[Array, Array], Array]] = {"l1": l1_loss, "squared": squared_loss}


def mass_penalty(valid_mass: Array, reference: float) -> Array:
    """Orders of magnitude [N] by which valid masses [N] lie below ``reference``; 0 for masses above it."""
    with np.errstate(divide="ignore"):
        penalty: Array = np.maximum(np.log10(reference) - np.log10(valid_mass), 0.0)
    return penalty


@dataclass(frozen=True)
class Objective:
    """What a search lowers for one region. Losses follow from dimension scores, without asking the model again."""

    target: Array
    """[K], in the unit of the survey; NaN where the region has no score."""
    config: ObjectiveConfig
    start_mass: float | None = None
    """Mean valid mass of the initial prompt; needed if the config weighs valid mass."""
    n_tuned: int = 1
    """Number of tuned wordings; losses are averaged over them."""

    def __call__(self, dimensions: Array, valid_mass: Array) -> tuple[Losses, Losses]:
        """Loss [N] and mean absolute difference [N]; NaN where a score is missing.

        Args:
            dimensions: scores [N, V K] in V views: every tuned wording under the configured readout, then, if the config weighs
                argmax answers, every tuned wording under argmax.
            valid_mass: [N].
        """
        target, config = self.target, self.config
        views = dimensions.reshape(len(dimensions), dimensions.shape[1] // len(target), len(target))
        losses = LOSSES[config.kind](views, target)
        loss = losses[:, : self.n_tuned].mean(axis=1)
        if config.argmax_weight:
            loss = loss + config.argmax_weight * losses[:, self.n_tuned :].mean(axis=1)
        if config.valid_mass_weight:
            assert self.start_mass is not None
            loss = loss + config.valid_mass_weight * mass_penalty(valid_mass, self.start_mass)
        return loss, l1_loss(views[:, : self.n_tuned], target).mean(axis=1)


def _differences(scores: Array, target: Array) -> Array:
    """Scores [..., K] minus the target [K], in the dimensions that have a target."""
    if scores.shape[-1] != target.shape[-1]:
        raise ValueError(f"scores {scores.shape} and target {target.shape} differ in the number of dimensions")
    known = ~np.isnan(target)
    if not known.any():
        raise ValueError("the target has no known dimension, so there is nothing to align to")
    differences: Array = scores[..., known] - target[known]
    return differences
