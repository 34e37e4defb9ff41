"""What a search lowers for one region: losses follow from recorded dimension scores, without asking the model again."""

from __future__ import annotations

from dataclasses import dataclass

from cultural_sp.config.groups import ObjectiveConfig
from cultural_sp.search.objective import LOSSES, l1_loss, mass_penalty
from cultural_sp.types import Array


@dataclass(frozen=True)
class Objective:
    """A region's target under the configured objective."""

    target: Array
    """[K], in the survey's unit; NaN where there is no score."""
    objective: ObjectiveConfig
    start_mass: float | None = None
    """Mean valid mass of the initial prompt; only an objective that weighs valid mass needs it."""
    n_tuned: int = 1
    """Wordings that are tuned on; the losses are averaged over them."""

    def __call__(self, dimensions: Array, valid_mass: Array) -> tuple[Array, Array]:
        """Loss [N] and mean absolute difference [N]; NaN where a score is missing.

        Args:
            dimensions: scores [N, V K] of the V views of :attr:`SurveyEvaluator.score_names`.
            valid_mass: [N].
        """
        target, objective = self.target, self.objective
        views = dimensions.reshape(len(dimensions), dimensions.shape[1] // len(target), len(target))
        losses = LOSSES[objective.kind](views, target)
        loss = losses[:, : self.n_tuned].mean(axis=1)
        if objective.argmax_weight:
            loss = loss + objective.argmax_weight * losses[:, self.n_tuned :].mean(axis=1)
        if objective.valid_mass_weight:
            assert self.start_mass is not None
            loss = loss + objective.valid_mass_weight * mass_penalty(valid_mass, self.start_mass)
        return loss, l1_loss(views[:, : self.n_tuned], target).mean(axis=1)
