"""The exploratory and confirmatory analysis of one matrix of answers, or the reason why there is none."""

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
    """Number of respondents with complete answers."""
    notes: list[str]
    """What was left out, in words."""
    refusal: str | None
    """Why there is no fit, in one line; None if there is one."""
    exploration: Exploration | None
    """None if the answers can't be explored; then there is no fit either."""
    fit: FactorFit | None
    correlations: list[list[float | None]]
    """Correlations of the items [Q, Q]; None where an item has no variance."""


def from_json(raw: list[dict[str, Any]]) -> list[Analysis]:
    """Return the analyses in a parsed JSON file.

    Raises:
        TypeError, KeyError: if they don't have the form of an analysis.
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
    """Analyse the answers of one group.

    Respondents with a missing answer are left out; a note says so. Answers that can't be analysed give a refusal, no error.

    Args:
        group: name of the group, for messages.
        answers: [R, Q], one column per item; NaN for a missing answer.
        model: which items measure which dimension.
        seed: seed of the parallel analysis.

    Raises:
        ValueError: if the model isn't identified, or if a column is missing or doesn't hold numbers.
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
