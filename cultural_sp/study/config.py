"""Config of the study."""

from __future__ import annotations

from dataclasses import dataclass, field

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from cultural_sp.config import check_in_range


@dataclass
class StudyConfig:
    """A grid of runs of the main job."""

    models: list[str] = MISSING
    """Options of the group ``model``."""
    regions: list[str] = MISSING
    """Options of the group ``region``; each gets a search of its own."""
    seeds: list[int] = MISSING
    arms: dict[str, list[str]] = MISSING
    """Name of an arm -> the overrides that make it: a space, an optimizer, an objective."""
    joint_arms: dict[str, list[str]] = field(default_factory=dict)
    """The same for joint runs over all regions, whose budget is that of the whole stream of evaluations."""
    chosen: str = MISSING
    """The arm of the table of methods and of the gradient reference."""
    common: list[str] = field(default_factory=list)
    """Overrides of every run."""
    gradient_steps: int = 40
    """Steps of the gradient reference; 0 leaves it out."""
    name: str = "study"
    output_dir: str = "outputs"

    def __post_init__(self) -> None:
        """Check ranges."""
        for key in ("models", "regions", "seeds", "arms"):
            if not getattr(self, key):
                raise ValueError(f"{key} is empty; give at least one")
        if self.chosen not in self.arms:
            raise ValueError(f"chosen={self.chosen} is no arm; choose one of: {', '.join(self.arms)}")
        check_in_range("gradient_steps", self.gradient_steps, 0)


def register_study() -> None:
    """Put the schema into Hydra's ConfigStore."""
    ConfigStore.instance().store(name="base_study", node=StudyConfig)
