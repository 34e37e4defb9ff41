"""The grid of the study: which runs it consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cultural_sp.config.compose import build_config
from cultural_sp.config.groups import JOINT
from cultural_sp.config.overrides import compose_run
from cultural_sp.config.schema import AlignConfig
from cultural_sp.config.studies import StudyConfig
from cultural_sp.runs.folder import RunFolder
from cultural_sp.runs.inputs import with_region_codes

WARM = "warm"
"""Arm of the warm starts; the arm of joint runs is called as their region, ``joint``."""
GRADIENT = "gradient_reference"
"""Method of the gradient reference in the study's tables."""


@dataclass(frozen=True)
class Cell:
    """One run of the grid."""

    model: str
    """Option of the group ``model``."""
    arm: str
    region: str
    """Option of the group ``region``."""
    seed: int
    config: AlignConfig

    @property
    def folder(self) -> Path:
        """The run folder."""
        return RunFolder(self.config).path

    @property
    def gradient_file(self) -> Path:
        """File of the gradient reference, which only some runs have."""
        return self.folder / f"{GRADIENT}.json"

    @property
    def title(self) -> str:
        """Name of the run in the log."""
        return f"{self.arm} {self.model} {self.region} seed {self.seed}"


def cells(config: StudyConfig) -> list[Cell]:
    """Return the runs of the grid.

    The chosen arm comes first, and runs that share a model and candidates follow each other.

    Raises:
        ValueError: if an override of an arm isn't allowed.
    """
    arms = sorted(config.arms, key=lambda arm: arm != config.chosen)
    _check_overrides(config, arms)
    grid = []
    for model in config.models:
        for arm in arms:
            for seed in config.seeds:
                grid += [_cell(config, (model, arm, region, seed), config.arms[arm]) for region in config.regions]
                grid += _comparisons(config, model, seed) if arm == config.chosen else []
    return grid


def _check_overrides(config: StudyConfig, arms: Sequence[str]) -> None:
    """Compose one run per arm, model and region: the whole grid takes long to compose, and an error should come at once."""
    first_model, first_region, seed = config.models[0], config.regions[0], config.seeds[0]
    for arm in arms:
        _cell(config, (first_model, arm, first_region, seed), config.arms[arm])
    chosen = config.arms[config.chosen]
    for model in config.models:
        _cell(config, (model, config.chosen, first_region, seed), chosen)
    for region in config.regions:
        _cell(config, (first_model, config.chosen, region, seed), chosen)


def _comparisons(config: StudyConfig, model: str, seed: int) -> list[Cell]:
    """Return the joint run and the warm starts that are compared with the chosen arm's runs."""
    chosen = config.arms[config.chosen]
    grid = []
    if config.joint:
        overrides = [*chosen, f"region.codes=[{','.join(config.regions)}]", *config.joint]
        grid.append(_cell(config, (model, JOINT, JOINT, seed), overrides))
    if config.warm_budget:
        overrides = [*chosen, f"optimizer.budget={config.warm_budget}"]
        for before, region in zip([config.regions[-1], *config.regions], config.regions, strict=False):
            source = _cell(config, (model, config.chosen, before, seed), chosen).folder
            grid.append(_cell(config, (model, WARM, region, seed), overrides, [str(source)]))
    return grid


def _cell(
    config: StudyConfig,
    place: tuple[str, str, str, int],
    arm_overrides: Sequence[str],
    warm_start: list[str] | None = None,
) -> Cell:
    """Return the run at a place (model, arm, region, seed) of the grid."""
    model, arm, region, seed = place
    place_overrides = [f"model={model}", f"region={region}", f"seed={seed}", f"name={config.name}-{arm}"]
    group = f"tracker.group={config.name}"
    run = compose_run([*config.common, *arm_overrides, *place_overrides, group])
    run.output_dir = config.output_dir
    run.optimizer.warm_start = warm_start
    return Cell(model, arm, region, seed, with_region_codes(build_config(run, AlignConfig)))
