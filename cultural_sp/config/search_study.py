"""Config of the study."""

from __future__ import annotations

from dataclasses import dataclass, field

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from cultural_sp.config.checks import check_in_range, plain_name


@dataclass
class StudyConfig:
    """A grid of runs of the main job."""

    models: list[str] = MISSING
    """Options of the group ``model``."""
    regions: list[str] = MISSING
    """Options of the group ``region``; each gets a search of its own."""
    seeds: list[int] = MISSING
    """Each repeats every search."""
    arms: dict[str, list[str]] = MISSING
    """Name of an arm -> the overrides that make it: a space, an optimizer, an objective."""
    chosen: str = MISSING
    """The arm of the table of methods, of the gradient reference, of the joint runs and of the warm starts."""
    joint: list[str] = field(default_factory=list)
    """Overrides of the chosen arm in a joint run over all regions, one per model and seed; none leaves it out."""
    warm_budget: int = 0
    """Evaluations of a search that starts from the journal of the region before it in the list; 0 leaves it out."""
    common: list[str] = field(default_factory=list)
    """Overrides of every run."""
    gradient_steps: int = 40
    """Steps of the gradient reference, with the first seed, as it draws nothing; 0 leaves it out."""
    name: str = "study"
    """Folder of the tables; runs lie beside it, in NAME-ARM."""
    output_dir: str = "outputs"
    """Folder above all runs."""

    def __post_init__(self) -> None:
        """Check ranges."""
        plain_name("name", self.name)
        for key in ("models", "regions", "seeds", "arms"):
            if not getattr(self, key):
                raise ValueError(f"{key} is empty; give at least one")
        if self.chosen not in self.arms:
            raise ValueError(f"chosen={self.chosen} is no arm; choose one of: {', '.join(self.arms)}")
        for key in ("gradient_steps", "warm_budget"):
            check_in_range(key, getattr(self, key), 0)
        if (self.joint or self.warm_budget) and len(self.regions) < 2:
            raise ValueError(f"regions={self.regions} is one region; joint runs and warm starts need two")


def register_study() -> None:
    """Put the schema into Hydra's ConfigStore."""
    ConfigStore.instance().store(name="base_study", node=StudyConfig)
