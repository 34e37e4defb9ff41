"""Sources of the analysed answers: an aligned model, a plain model, or people in a file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from cultural_sp.config.studies import FactorConfig
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.runs.folder import RESULT
from cultural_sp.runs.inputs import survey_from_config
from cultural_sp.runs.result import load_result
from cultural_sp.studies.factor_analysis.respondents import draw_respondents
from cultural_sp.studies.factor_analysis.run_config import run_config_of
from cultural_sp.studies.factor_analysis.simulation import simulated_answers
from cultural_sp.survey.instrument import Item, Survey
from cultural_sp.utils.tables import Row, read_table

MISSING = "NA"
"""What R writes for a missing answer; an empty cell is one too."""
PEOPLE = "people"
"""Group of human answers."""


@dataclass(frozen=True)
class AnswerSource:
    """Where answers come from; no model is loaded yet."""

    title: str
    survey: Survey
    note: str
    """Warning about the model; empty for none."""
    collect: Callable[[Path], dict[str, pd.DataFrame]]
    """Output folder -> group -> table with one row per respondent."""


def source_from_config(config: FactorConfig, cache: ModelCache) -> AnswerSource:
    """Open the configured source.

    Raises:
        ValueError: if a file of it can't be read.
    """
    run_config = run_config_of(config)
    survey = survey_from_config(run_config)
    people = {} if config.answers is None else {PEOPLE: read_answers(Path(config.answers).expanduser(), survey)}
    if config.run is None and config.model is None:
        return AnswerSource(f"{config.answers} on {survey.title}", survey, "", lambda _: people)
    simulate = partial(simulated_answers, config, run_config, draw_respondents(config.respondents), cache)
    title = f"{run_config.model.slug} on {survey.title}"
    if config.run is not None:
        title += f", aligned to {load_result(Path(config.run).expanduser() / RESULT).region.country}"
    if people:
        title += f", beside {config.answers}"
    return AnswerSource(title, survey, run_config.model.note, lambda folder: simulate(folder) | people)


def read_answers(path: Path, survey: Survey) -> pd.DataFrame:
    """Read human answers from a CSV file: one row per respondent, one column per item, and any others.

    Returns:
        The columns of the file; those of items hold numbers, NaN where an answer is missing.

    Raises:
        ValueError: if the file is no table, or an answer is no number or no code of its item. Codes for "don't know" are the
            usual mistake; they would be taken for answers.
    """
    table = read_table(path, f"answers={path}")
    if not table.rows:
        raise ValueError(f"answers={path} has no respondents; give one row per respondent")
    items = {item.id: item for item in survey.items}
    return pd.DataFrame(
        {
            column: [_answer(row, items[column]) if column in items else row[column] for row in table.rows]
            for column in table.columns
        }
    )


def _answer(row: Row, item: Item) -> float:
    answer = None if row[item.id] == MISSING else row.number(item.id)
    low, high = item.scale.codes[0], item.scale.codes[-1]
    if answer is not None and not low <= answer <= high:
        raise ValueError(
            f"{row.where}: item {item.id} has the answer {answer:g}, but its codes run from {low:g} to {high:g}; leave cells "
            "empty where an answer is missing"
        )
    return math.nan if answer is None else answer
