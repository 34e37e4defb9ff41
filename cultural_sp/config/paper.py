"""Config of a reproduction."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from cultural_sp.config.benchmark import GeometryConfig


@dataclass
class PaperConfig:
    """A grid of runs of the main job, one for each region and seed."""

    name: str = MISSING
    """Name of the profile, and of the folder in ``output_dir``."""
    regions: list[str] = MISSING
    """Options of the group ``region``."""
    seeds: list[int] = MISSING
    """Five make it possible for a claim about every region to hold."""
    settings: list[str] = MISSING
    """Overrides of ``experiments/align.py`` that make every run."""
    overrides: list[str] = field(default_factory=list)
    """More of them, which come after those of the profile."""
    geometry: GeometryConfig | None = None
    """The model's shape, for the plan of a machine that doesn't have its weights."""
    dry_run: bool = False
    """Only print the plan."""
    output_dir: str = "outputs/paper"
    """Folder above it."""

    def __post_init__(self) -> None:
        """Check that there is a grid."""
        for key in ("regions", "seeds"):
            values = getattr(self, key)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{key}={values} is not allowed; give one or more, each once")

    @property
    def folder(self) -> Path:
        """Where runs and artefacts lie."""
        return Path(self.output_dir) / self.name


def register_paper() -> None:
    """Put both schemas into Hydra's ConfigStore."""
    store = ConfigStore.instance()
    store.store(name="base_paper", node=PaperConfig)
    store.store(group="schema", name="geometry", node=GeometryConfig)
