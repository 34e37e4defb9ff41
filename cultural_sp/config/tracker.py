"""Where the course of a run is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from omegaconf import MISSING

from cultural_sp.config.checks import one_of


@dataclass
class TrackerConfig:
    """Where the course of a run is shown beside its own files; it changes no result."""

    mode: str = MISSING
    """offline: a wandb log below the run folder, to be uploaded later; online: uploaded as it comes; disabled."""
    project: str = "cultural-sp"
    """Project at wandb that the runs go into."""
    entity: str | None = None
    """Account or team at wandb; null is your own default."""
    group: str | None = None
    """What the runs of a sweep have in common; null takes the sweep's name, or the run's name outside of sweeps."""

    def __post_init__(self) -> None:
        """Check choices."""
        one_of("tracker.mode", self.mode, ("offline", "online", "disabled"))
        if not re.fullmatch(r"[^/\\#?%:]{1,128}", self.project):
            raise ValueError(
                f"tracker.project={self.project!r} is not allowed; use 1 to 128 characters without / \\ # ? % and :"
            )
