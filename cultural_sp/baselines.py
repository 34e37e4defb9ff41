"""What an evolved prompt is compared with: the midpoint respondent and the written persona (in-context learning)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.regions import Region


def midpoint_item_means(survey: Survey) -> NDArray[np.float64]:
    """Item means [Q] of a respondent who always picks the middle of the scale; under VSM 2013 every index is then C."""
    codes = survey.codes()
    means: NDArray[np.float64] = (np.nanmin(codes, axis=1) + np.nanmax(codes, axis=1)) / 2
    return means


def persona(region: Region) -> str:
    """System message of the in-context baseline: the model is told whom to answer as."""
    return (
        f"You are an ordinary adult from {region.country}. You were born and raised there and have always lived there. "
        f"Answer every question the way most people in {region.country} would."
    )
