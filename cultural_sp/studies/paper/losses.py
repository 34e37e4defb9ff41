"""Losses of finished runs under any setting: recorded answers, scored again.

The answers of a method depend neither on the target nor on the constant C nor on the weights of an index, so the recorded item
means can be scored under every :class:`ScoringSetting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from cultural_sp.reporting.aggregate import (
    CONDITION_COLUMNS,
    losses_by_method,
    run_table,
    with_icl,
)
from cultural_sp.runs.methods import STRONGEST_ICL
from cultural_sp.runs.result import Result, ScoreRecord
from cultural_sp.search.objective import l1_loss
from cultural_sp.survey.instrument import Survey, load_survey
from cultural_sp.survey.regions import load_region, region_codes, vintages
from cultural_sp.survey.scoring import dimension_scores
from cultural_sp.utils.serialize import as_array

CONSTANTS = (0.0, 50.0)
INSTRUMENTS = ("vsm13", "vsm13_cat")
survey_named = cache(load_survey)


@dataclass(frozen=True)
class ScoringSetting:
    """How answers are scored."""

    vintage: str
    """Edition of the targets."""
    constant: float
    """C of the index formulas."""
    instrument: str
    """vsm13 with the manual's MAS weights, or vsm13_cat with the MAS weights of arXiv 2309.12342."""


def scoring_settings(regions: Sequence[str]) -> list[ScoringSetting]:
    """Return all settings: both MAS weights, C of 0 and 50, and every vintage in which all these regions have all scores."""
    combinations = []
    for instrument, constant in product(INSTRUMENTS, CONSTANTS):
        survey = survey_named(instrument)
        complete = (v for v in vintages(survey) if set(regions) <= set(region_codes(survey, v)))
        combinations += [ScoringSetting(vintage, constant, instrument) for vintage in complete]
    return combinations


def loss_table(results: Sequence[Result], setting: ScoringSetting) -> pd.DataFrame:
    """Return the table of :func:`run_table` with the losses of the recorded answers under a setting.

    Raises:
        ValueError: if a result isn't of this survey, or two are of the same region and seed.
    """
    survey = survey_named(setting.instrument)
    scoring = survey.scoring.with_constant(setting.constant)
    codes = dict.fromkeys(result.region.code for result in results)
    targets = {code: load_region(survey, code, setting.vintage).target for code in codes}

    def loss(result: Result, record: ScoreRecord) -> float:
        scores = dimension_scores(scoring, _item_means(survey, record))
        return float(l1_loss(scores, targets[result.region.code]))

    table = run_table(results, loss)
    repeated = table[table.duplicated(["region", "seed", *CONDITION_COLUMNS])]
    if len(repeated):
        first = repeated.iloc[0]
        raise ValueError(f"two results are of region {first.region} and seed {first.seed}; give one of each")
    return table


def _item_means(survey: Survey, record: ScoreRecord) -> np.ndarray:
    means = record.item_means
    if set(means) != {item.id for item in survey.items}:
        raise ValueError(f"a result has the items {', '.join(means)}, which aren't those of {survey.name}")
    return as_array(means[item.id] for item in survey.items)


def compared(table: pd.DataFrame, kind: str, readout: str) -> pd.DataFrame:
    """Return losses [region x seed, method] under a condition, with ``icl``, the strongest in-context baseline of each run.

    Args:
        table: of :func:`loss_table`.
        kind: ``tuned`` or ``held_out``; the scores are pooled over these wordings.
        readout: one of the reported readouts.
    """
    wide = losses_by_method(with_icl(table, readout), kind, readout)
    return wide if STRONGEST_ICL.key in wide else wide.assign(**{STRONGEST_ICL.key: np.nan})
