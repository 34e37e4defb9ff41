"""Objectives of a search: distances between dimension scores and a region's targets, plus penalties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cultural_sp.config.groups import ObjectiveConfig
from cultural_sp.types import Array, Losses


def l1_loss(scores: Array, target: Array) -> Array:
    """Return the mean absolute difference [...] between scores [..., K] and a target [K] (L1 distance, arXiv 2503.16094).

    It is in the unit of the survey. Dimensions without a target (NaN) are left out for every method. A missing score in a
    dimension with a target makes the loss NaN, so methods are never compared on different dimensions.

    Raises:
        ValueError: if no dimension has a target, or if the last axes differ.
    """
    loss: Array = np.abs(_differences(scores, target)).mean(axis=-1)
    return loss


def squared_loss(scores: Array, target: Array) -> Array:
    """Return the mean squared difference [...], in the squared unit; missing values as in :func:`l1_loss`."""
    loss: Array = np.square(_differences(scores, target)).mean(axis=-1)
    return loss


LOSSES: dict[str, Callable[[Array, Array], Array]] = {"l1": l1_loss, "squared": squared_loss}


def mass_penalty(valid_mass: Array, reference: float) -> Array:
    """Return by how many orders of magnitude [N] valid masses [N] lie below ``reference``; 0 for masses above it."""
    with np.errstate(divide="ignore"):
        penalty: Array = np.maximum(np.log10(reference) - np.log10(valid_mass), 0.0)
    return penalty


@dataclass(frozen=True)
class Objective:
    """The loss of one region, which a search minimizes. It depends on the dimension scores and the valid mass only."""

    target: Array
    """Target scores [K] in the unit of the survey; NaN where the region has none."""
    config: ObjectiveConfig
    start_mass: float | None = None
    """Mean valid mass of the initial prompt; required if ``config.valid_mass_weight`` is positive."""

    def __call__(self, dimensions: Array, valid_mass: Array) -> tuple[Losses, Losses]:
        """Return losses [N] and mean absolute differences [N]; NaN if a score is missing.

        Args:
            dimensions: scores [N, V K]: under the configured readout, and then, if ``config.argmax_weight`` is positive, under
                argmax.
            valid_mass: mean probability on valid options [N].
        """
        target, config = self.target, self.config
        views = dimensions.reshape(len(dimensions), dimensions.shape[1] // len(target), len(target))
        losses = LOSSES[config.kind](views, target)
        loss = losses[:, 0]
        if config.argmax_weight:
            loss = loss + config.argmax_weight * losses[:, 1]
        if config.valid_mass_weight:
            assert self.start_mass is not None
            loss = loss + config.valid_mass_weight * mass_penalty(valid_mass, self.start_mass)
        return loss, l1_loss(views[:, 0], target)


def _differences(scores: Array, target: Array) -> Array:
    """Return scores [..., K] minus the target [K], in the dimensions that have a target."""
    if scores.shape[-1] != target.shape[-1]:
        raise ValueError(f"scores {scores.shape} and target {target.shape} differ in the number of dimensions")
    has_target = ~np.isnan(target)
    if not has_target.any():
        raise ValueError("the target has no known dimension, so there is nothing to align to")
    differences: Array = scores[..., has_target] - target[has_target]
    return differences
