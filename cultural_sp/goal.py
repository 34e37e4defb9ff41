"""What a search lowers for one region: losses follow from recorded dimension scores, without asking the model again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cultural_sp.config import ObjectiveConfig
from cultural_sp.objective import LOSSES, l1_loss, mass_penalty
from cultural_sp.survey.regions import Region

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Goal:
    """A region's target under the configured objective."""

    region: Region
    objective: ObjectiveConfig
    start_mass: float | None = None
    """Mean valid mass of the initial prompt; only an objective that weighs valid mass needs it."""

    def __call__(self, dimensions: Array, valid_mass: Array) -> tuple[Array, Array]:
        """Loss [N] and mean absolute difference [N] of dimension scores [N, K] and valid masses [N]; NaN where one is missing."""
        target = self.region.target
        loss, l1 = LOSSES[self.objective.kind](dimensions, target), l1_loss(dimensions, target)
        if self.objective.valid_mass_weight:
            assert self.start_mass is not None
            loss = loss + self.objective.valid_mass_weight * mass_penalty(valid_mass, self.start_mass)
        return loss, l1
