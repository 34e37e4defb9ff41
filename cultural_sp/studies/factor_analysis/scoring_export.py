"""Export of a fitted measurement model as the ``scoring`` entry of a survey file."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cultural_sp.stats.factor.analysis import Analysis
from cultural_sp.stats.factor.answers import complete_answers
from cultural_sp.survey.instrument import Survey

DIGITS = 6
"""Decimals of exported numbers."""


def scoring_entry(survey: Survey, answers: pd.DataFrame, analysis: Analysis) -> dict[str, Any]:
    """Return the ``scoring`` entry: Bartlett scores with the loadings of the standardised solution.

    The slope is 1 and the offset 0, so scores are in standard deviations of these respondents.

    Raises:
        ValueError: if the model has no proper solution.
    """
    fit = analysis.fit
    if fit is None:
        raise ValueError(analysis.refusal)
    if not fit.proper:
        raise ValueError("; ".join(fit.problems))
    complete, _ = complete_answers(answers, survey.item_ids, analysis.group)
    dimensions = list(survey.dimensions)
    return {
        "kind": "factor",
        "method": "bartlett",
        "items": {
            item: {
                "mean": round(float(complete[item].mean()), DIGITS),
                "sd": round(float(complete[item].std(ddof=0)), DIGITS),
            }
            for item in survey.item_ids
        },
        "loadings": {
            d: {x.item: round(x.standardised, DIGITS) for x in fit.loadings if x.dimension == d} for d in dimensions
        },
        "correlations": {
            a: {b: round(fit.correlations[a][b], DIGITS) for b in dimensions[i + 1 :]}
            for i, a in enumerate(dimensions[:-1])
        },
        "slope": dict.fromkeys(dimensions, 1.0),
        "offset": dict.fromkeys(dimensions, 0.0),
    }
