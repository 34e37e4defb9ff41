"""Which indices a model's answers can be trusted on: by how much opposite personas move them, and how reliably."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from cultural_sp.runs.validity import IndexValidity
from cultural_sp.stats.generalizability import g_coefficient, variance_components, wordings_needed
from cultural_sp.stats.intervals import bootstrap
from cultural_sp.survey.instrument import POLES, Survey
from cultural_sp.survey.regions import target_range
from cultural_sp.survey.scoring import dimension_scores
from cultural_sp.types import Array

MIN_STEERABLE_RANGE = 0.25
"""Opposite personas must span a quarter of the countries' range, about the distance between the countries' quartiles."""
MIN_RELIABILITY = 0.8
"""Reliability of the pooled score from which on scores are compared one by one (Nunnally and Bernstein 1994, ch. 7)."""
MAX_ENTANGLEMENT = 1.0
"""The other indices must not move more, on average, than the one that is addressed."""


def index_validities(
    survey: Survey, plain: Mapping[str, Array], poles: Mapping[str, Mapping[tuple[str, str], Array]]
) -> dict[str, IndexValidity]:
    """Return dimension -> validity of its index.

    The effect of opposite personas is the score of the high persona minus that of the low one, pooled over wordings. Its interval
    crosses items with wordings (two-way bootstrap). *Steerable range* is the effect as a share of the range of countries.
    *Reliability* is the generalizability coefficient of the score pooled over these wordings; the objects are the plain model and
    all personas. *Entanglement* is the mean absolute movement of the other indices, each as a share of the countries' range, over
    the steerable range.

    An index is trusted if the interval lies above 0 and the three others keep to the limits above.

    Args:
        survey: the instrument.
        plain: wording -> item means [Q] of the plain model.
        poles: wording -> (dimension, ``high`` | ``low``) -> item means [Q] under that persona.
    """
    ranges, weights = target_range(survey), survey.scoring.weights
    moves = {  # dimension -> movement [W, Q] of item means by its personas
        d: np.stack([means[d, "high"] - means[d, "low"] for means in poles.values()]) for d in survey.dimensions
    }
    effects = {d: weights @ moved.mean(axis=0) for d, moved in moves.items()}  # [K] on every index
    reliabilities = _reliabilities(survey, plain, poles)
    found = {}
    for k, dimension in enumerate(survey.dimensions):
        low, high = _interval(moves[dimension], weights[k])
        shares = effects[dimension] / ranges
        others = np.delete(np.abs(shares), k)
        share, (reliability, needed) = float(shares[k]), reliabilities[k]
        entanglement = float(others.mean() / abs(share)) if others.size and share else 0.0
        found[dimension] = IndexValidity(
            effect=float(effects[dimension][k]),
            low=low,
            high=high,
            steerable_range=share,
            reliability=reliability,
            wordings_needed=needed,
            entanglement=entanglement,
            trusted=low > 0
            and share >= MIN_STEERABLE_RANGE
            and reliability is not None
            and reliability >= MIN_RELIABILITY
            and entanglement <= MAX_ENTANGLEMENT,
        )
    return found


def _interval(moved: Array, weights: Array) -> tuple[float, float]:
    """95 % interval of an index's effect from its items' movements [W, Q] and weights [Q]; the effect twice if nothing varies."""
    used = weights != 0
    contributions = moved[:, used] * weights[used] * used.sum()  # their mean is the effect
    axes = [axis for axis in (0, 1) if contributions.shape[axis] > 1]
    if not axes:
        return float(contributions.mean()), float(contributions.mean())
    interval = bootstrap(contributions, axes)
    return interval.low, interval.high


def _reliabilities(
    survey: Survey, plain: Mapping[str, Array], poles: Mapping[str, Mapping[tuple[str, str], Array]]
) -> list[tuple[float | None, int | None]]:
    """Per dimension the reliability of the pooled score, and the wordings needed for 0.8; None as in :class:`IndexValidity`."""
    if len(plain) < 2:
        return [(None, None)] * len(survey.dimensions)
    personas = [(d, pole) for d in survey.dimensions for pole in POLES]
    answers = np.stack([np.stack([means, *(poles[w][p] for p in personas)]) for w, means in plain.items()])  # [W, N, Q]
    scores = dimension_scores(survey.scoring, answers)
    found: list[tuple[float | None, int | None]] = []
    for k in range(len(survey.dimensions)):
        components = variance_components(scores[:, :, k].T)
        reliability, needed = g_coefficient(components, len(plain)), wordings_needed(components)
        found.append((None if math.isnan(reliability) else reliability, int(needed) if math.isfinite(needed) else None))
    return found
