"""Everything that is said about one matrix of answers; what can't be said has its reason instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cultural_sp.stats.factor.answers import MeasurementModel, complete_answers
from cultural_sp.stats.factor.confirmatory import FactorFit, confirm
from cultural_sp.stats.factor.exploratory import Exploration, explore
from cultural_sp.stats.factor.indices import FitIndices
from cultural_sp.stats.factor.solution import Loading


@dataclass(frozen=True)
class Analysis:
    """Exploratory and confirmatory analysis of the answers of one group."""

    group: str
    n_respondents: int
    """With complete answers."""
    notes: list[str]
    """What was left out."""
    refusal: str | None
    """Why there is no fit, in one line; None if there is one."""
    exploration: Exploration | None
    """None only without a fit: answers that can't be explored can't be fitted either."""
    fit: FactorFit | None
    correlations: list[list[float | None]]
    """Of the items [Q, Q]; None where an item has no variance."""


def from_json(raw: list[dict[str, Any]]) -> list[Analysis]:
    """Analyses that were written as JSON.

    Raises:
        TypeError, KeyError: if they weren't.
    """
    return [
        Analysis(
            **{
                **given,
                "exploration": None if given["exploration"] is None else Exploration(**given["exploration"]),
                "fit": None if given["fit"] is None else _fit(given["fit"]),
            }
        )
        for given in raw
    ]


def _fit(raw: dict[str, Any]) -> FactorFit:
    loadings = [Loading(**given) for given in raw["loadings"]]
    return FactorFit(**{**raw, "indices": FitIndices(**raw["indices"]), "loadings": loadings})


def analyse(group: str, answers: pd.DataFrame, model: MeasurementModel, seed: int = 0) -> Analysis:
    """Analyse answers [R, Q], NaN where missing; respondents with a missing answer are left out, and that is said.

    Answers that can't be analysed give an analysis with a refusal.

    Args:
        group: whose answers they are, for messages.
        answers: a column per item.
        model: which items measure which dimension.
        seed: of the parallel analysis.

    Raises:
        ValueError: if the model can't be identified, or columns are missing or no numbers.
    """
    model.check()
    complete, notes = complete_answers(answers, model.items, group)
    exploration, fit, refusal = None, None, None
    try:
        exploration = explore(complete, seed, group)
        fit = confirm(complete, model, group)
    except ValueError as error:
        refusal = str(error)
    return Analysis(group, len(complete), notes, refusal, exploration, fit, _correlations(complete))


def _correlations(answers: pd.DataFrame) -> list[list[float | None]]:
    table = answers.corr().to_numpy() if len(answers) > 1 else np.full((answers.shape[1],) * 2, np.nan)
    return [[float(x) if np.isfinite(x) else None for x in row] for row in table]
