"""Run what is missing of the study, then write its tables and figure. Every run is one of the main job's, so all can go on."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from hydra import compose

from cultural_sp.alignment.methods import score_records
from cultural_sp.alignment.run import align
from cultural_sp.alignment.spaces import search_space
from cultural_sp.config.compose import build_config
from cultural_sp.config.groups import JOINT
from cultural_sp.config.schema import AlignConfig
from cultural_sp.config.studies import StudyConfig
from cultural_sp.evaluation.evaluator import Respondent, SurveyEvaluator
from cultural_sp.evaluation.fitness import Fitness
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import PROCESS_CACHE
from cultural_sp.runs.folder import RunFolder
from cultural_sp.runs.inputs import regions_from_config, survey_from_config
from cultural_sp.runs.result import ScoreRecord
from cultural_sp.studies.search_study.gradient import gradient_reference
from cultural_sp.utils.files import disk_errors, write_text
from cultural_sp.utils.serialize import jsonable

GRADIENT, WARM = "gradient_reference", "warm"


@dataclass(frozen=True)
class Cell:
    """One run of the grid."""

    model: str
    arm: str
    region: str
    seed: int
    config: AlignConfig

    @property
    def folder(self) -> Path:
        """Its run folder."""
        return RunFolder(self.config).path

    @property
    def title(self) -> str:
        """As the log names it."""
        return f"{self.arm} {self.model} {self.region} seed {self.seed}"


def cells(config: StudyConfig) -> list[Cell]:
    """The runs of the grid: the chosen arm's come first, and those that share a model and candidates follow each other."""
    found = []
    order = sorted(config.arms, key=lambda arm: arm != config.chosen)
    model, region, seed = config.models[0], config.regions[0], config.seeds[0]
    # One of each first: the whole grid takes long to compose, and what is wrong should be said at once.
    for arm in order:
        _cell(config, (model, arm, region, seed), config.arms[arm])
    for model, region in [*((other, region) for other in config.models), *((model, other) for other in config.regions)]:
        _cell(config, (model, config.chosen, region, seed), config.arms[config.chosen])
    for model in config.models:
        for arm in order:
            for seed in config.seeds:
                for region in config.regions:
                    found.append(_cell(config, (model, arm, region, seed), config.arms[arm]))
                found += _beside(config, model, seed) if arm == config.chosen else []
    return found


def _beside(config: StudyConfig, model: str, seed: int) -> list[Cell]:
    """The joint run and the warm starts that are compared with the chosen arm's runs."""
    chosen, found = config.arms[config.chosen], []
    if config.joint:
        own = [*chosen, f"region.codes=[{','.join(config.regions)}]", *config.joint]
        found.append(_cell(config, (model, JOINT, JOINT, seed), own))
    if config.warm_budget:
        for before, region in zip([config.regions[-1], *config.regions], config.regions, strict=False):
            source = _cell(config, (model, config.chosen, before, seed), chosen).folder
            own = [*chosen, f"optimizer.budget={config.warm_budget}"]
            found.append(_cell(config, (model, WARM, region, seed), own, [str(source)]))
    return found


def _cell(
    config: StudyConfig, place: tuple[str, str, str, int], own: list[str], warm_start: list[str] | None = None
) -> Cell:
    """The cell at a place (model, arm, region, seed) of the grid; ``own`` are the overrides of its arm."""
    model, arm, region, seed = place
    fixed = [f"model={model}", f"region={region}", f"seed={seed}", f"name={config.name}-{arm}"]
    fixed += [f"tracker.group={config.name}"]
    run = compose("align", overrides=[*config.common, *own, *fixed])
    run.output_dir = config.output_dir
    run.optimizer.warm_start = warm_start
    return Cell(model, arm, region, seed, build_config(run, AlignConfig))


def study(config: StudyConfig) -> Path:
    """Run the grid and write what it shows; returns the folder of the tables.

    Raises:
        ValueError: in one line, for bad input, what a run refuses, and if the disk refuses a file.
    """
    folder = Path(config.output_dir) / config.name
    with disk_errors(folder), suppress(FileNotFoundError):
        folder.stat()  # a file in the way is said before the grid is composed, which takes a while
    grid = cells(config)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for number, cell in enumerate(grid, 1):
        if not RunFolder(cell.config).finished:
            print(f"\nrun {number} of {len(grid)}: {cell.title}", flush=True)
        align(cell.config, PROCESS_CACHE)
        if cell.arm == config.chosen and cell.seed == config.seeds[0] and config.gradient_steps:
            _gradient(cell, config.gradient_steps)
    from cultural_sp.studies.search_study.report import write_report

    write_report(folder, config, grid)
    return folder


def _gradient(cell: Cell, steps: int) -> None:
    """The gradient reference in the run's own space, kept beside its result."""
    file = cell.folder / f"{GRADIENT}.json"
    if file.is_file():
        return
    config = cell.config
    survey = survey_from_config(config)
    (region,) = regions_from_config(config, survey)
    lm = PROCESS_CACHE.model(config.model, load_model)
    space = search_space(config, lm)
    evaluator = SurveyEvaluator(lm, survey, config, PROCESS_CACHE)
    z, losses = gradient_reference(Fitness(evaluator).survey_respondent(), space, region.target, steps)
    records = score_records(GRADIENT, evaluator.score_rows(Respondent(GRADIENT, space.decode(z[None])[0])), region)
    kept = {"losses": losses, "records": [asdict(record) for record in records]}
    write_text(file, json.dumps(jsonable(kept), indent=1, allow_nan=False) + "\n")


def gradient_records(cell: Cell) -> list[ScoreRecord]:
    """What :func:`_gradient` kept; nothing if it was left out."""
    file = cell.folder / f"{GRADIENT}.json"
    if not file.is_file():
        return []
    return [ScoreRecord(**record) for record in json.loads(file.read_text(encoding="utf-8"))["records"]]
