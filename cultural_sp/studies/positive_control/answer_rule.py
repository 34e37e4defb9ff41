"""The rule by which synthetic respondents answer.

A respondent has a position on every dimension, from -1 (low) to +1 (high). It is the mean of what the description says about the
dimension. Where the description says nothing, it is the default position: +0.25 and -0.25 in turn.

An item whose weight in the index has the sign s is answered around 3 + 1.7 s position, with a standard deviation of 0.8: code c
has a probability in proportion to exp(-(c - mean)^2 / (2 sd^2)). Index points follow by the survey's own formula. Until default
positions are trained, items without a description are answered around 3 with a standard deviation of 1.5.
"""

from __future__ import annotations

import numpy as np

from cultural_sp.survey.instrument import Survey
from cultural_sp.types import Array

MAX_SHIFT = 1.7
"""Shift of the mean answer at position 1, in codes."""
ANSWER_SD = 0.8
UNDESCRIBED_SD = 1.5
"""Standard deviation of answers without a description, before default positions are trained."""
DEFAULT_POSITION = 0.25


def answer_probabilities(n_options: int, shift: float, sd: float) -> Array:
    """Return the answer probabilities [O] around the middle code plus ``shift``."""
    codes = np.arange(1, n_options + 1)
    weights = np.exp(-np.square(codes - codes.mean() - shift) / (2 * sd**2))
    probabilities: Array = weights / weights.sum()
    return probabilities


def default_positions(survey: Survey) -> dict[str, float]:
    """Return dimension -> position of a respondent whose description doesn't mention it."""
    return {d: DEFAULT_POSITION * (-1) ** index for index, d in enumerate(survey.dimensions)}
