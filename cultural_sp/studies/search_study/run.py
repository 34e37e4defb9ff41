"""Does the missing runs of the study, then writes its tables and figure. Every run is a run of ``align`` and can be resumed."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from cultural_sp.alignment.methods import score_records
from cultural_sp.alignment.run import align
from cultural_sp.alignment.spaces import search_space
from cultural_sp.config.studies import StudyConfig
from cultural_sp.evaluation.evaluator import Respondent, SurveyEvaluator
from cultural_sp.evaluation.fitness import Fitness
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import PROCESS_CACHE
from cultural_sp.runs.folder import RunFolder
from cultural_sp.runs.inputs import regions_from_config, survey_from_config
from cultural_sp.studies.search_study.gradient import gradient_reference
from cultural_sp.studies.search_study.grid import GRADIENT, Cell, cells
from cultural_sp.utils.files import disk_errors, write_text
from cultural_sp.utils.serialize import jsonable
from cultural_sp.utils.terminal import show


def study(config: StudyConfig) -> Path:
    """Do the missing runs of the grid, write the tables and the figure, and return their folder.

    Raises:
        ValueError: for bad input, if a run raises it, and if the disk refuses a file.
    """
    folder = config.folder
    with disk_errors(folder), suppress(FileNotFoundError):
        folder.stat()  # a file in the way is an error at once: composing the grid takes a while
    grid = cells(config)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for number, cell in enumerate(grid, 1):
        if not RunFolder(cell.config).finished:
            show(f"\nrun {number} of {len(grid)}: {cell.title}")
        align(cell.config, PROCESS_CACHE)
        if cell.arm == config.chosen and cell.seed == config.seeds[0] and config.gradient_steps:
            _gradient(cell, config.gradient_steps)
    from cultural_sp.studies.search_study.report import write_report

    write_report(folder, config, grid)
    return folder


def _gradient(cell: Cell, steps: int) -> None:
    """Compute the gradient reference in the space of a run and write it beside the run's result, unless it is there."""
    if cell.gradient_file.is_file():
        return
    config = cell.config
    survey = survey_from_config(config)
    (region,) = regions_from_config(config, survey)
    lm = PROCESS_CACHE.model(config.model, load_model)
    space = search_space(config, lm)
    evaluator = SurveyEvaluator(lm, survey, config, PROCESS_CACHE)
    z, losses = gradient_reference(Fitness(evaluator).survey_respondent(), space, region.target, steps)
    records = score_records(GRADIENT, evaluator.score_rows(Respondent(GRADIENT, space.decode(z[None])[0])), region)
    reference = {"losses": losses, "records": [asdict(record) for record in records]}
    write_text(cell.gradient_file, json.dumps(jsonable(reference), indent=1, allow_nan=False) + "\n")
