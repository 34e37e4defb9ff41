"""Losses that no population of one kind can pass, and the loss as a share of the midpoint respondent's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse.csgraph import connected_components

from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.sampling_error import sampling_floor, standard_errors
from cultural_sp.survey.scoring import Scoring, dimension_scores
from cultural_sp.types import Array

SECONDS = 10.0
"""The solver stops after this time for one group of dimensions; the shipped surveys take less than 1 s."""


@dataclass(frozen=True)
class ArgmaxFloor:
    """The best that one option per item can do."""

    loss: float
    """Mean absolute difference to the target, in the unit of the survey."""
    answers: Array
    """Codes [Q] that have this loss; NaN for items that no dimension with a target uses."""
    proved: bool
    """Whether the solver proved that no codes have a smaller loss; if not, it ran out of time."""


def argmax_floor(scoring: Scoring, codes: Array, target: Array) -> ArgmaxFloor:
    """Return the smallest loss that one whole answer per item can have, as the argmax readout gives it for one option order.

    Means over two orders or several wordings lie on a finer lattice and can come closer. Solved exactly by mixed-integer
    programming (HiGHS, through scipy), separately for each group of dimensions that share items. Exact to 1e-6 of a unit.

    Args:
        scoring: the scoring of the survey.
        codes: answer codes [Q, O], rising, NaN where an item has fewer options than others.
        target: target [K], NaN where there is none; those dimensions are left out.

    Raises:
        ValueError: if no dimension has a target, or if there isn't one row of codes per item and one target per dimension.
        RuntimeError: if the solver stops before it has any answers.
    """
    if (len(target), len(codes)) != scoring.weights.shape:
        raise ValueError(
            f"the scoring has weights [K, Q] {scoring.weights.shape}, got {len(target)} targets and codes of {len(codes)} items"
        )
    known = ~np.isnan(target)
    if not known.any():
        raise ValueError("the target has no known dimension, so there is no loss; give at least one target")
    weights, aim = scoring.weights[known], (target - scoring.constants)[known]
    uses = weights != 0
    n_groups, group = connected_components(uses.astype(int) @ uses.T.astype(int), directed=False)
    answers, proved = np.full(len(codes), np.nan), True
    for i in range(n_groups):
        items = uses[group == i].any(axis=0)
        if items.any():
            answers[items], done = _nearest(weights[group == i][:, items], codes[items], aim[group == i])
            proved = proved and done
    scores = dimension_scores(scoring, answers)
    return ArgmaxFloor(float(np.abs(scores - target)[known].mean()), answers, proved)


def _nearest(weights: Array, codes: Array, aim: Array) -> tuple[Array, bool]:
    """Codes [Q] whose weighted sums [K] are nearest to the aim [K] in L1, and whether that is proved.

    The variables are the steps of every item above its lowest code and the K absolute differences e: minimise sum(e) subject
    to -e <= weights @ codes - aim <= e. Equal steps of an item are one whole number of steps (less symmetric, so faster).
    Others are one variable each, 0 or 1, none of which is taken before the one below it.
    """
    columns: list[tuple[int, float, int]] = []  # item, size of a step, largest number of such steps
    for item, row in enumerate(codes):
        steps = np.diff(row[~np.isnan(row)])
        equal = np.allclose(steps, steps[0])
        columns += [(item, steps[0], len(steps))] if equal else [(item, step, 1) for step in steps]
    item_of, size, most = (np.array(x) for x in zip(*columns, strict=True))
    lowest, n, n_dims = codes[:, 0], len(columns), len(aim)
    effects, left, eye = weights[:, item_of] * size, aim - weights @ lowest, np.eye(n_dims)
    above = np.flatnonzero(item_of[1:] == item_of[:-1]) + 1  # steps that need the one before them
    order = np.zeros((len(above), n + n_dims))
    order[np.arange(len(above)), above], order[np.arange(len(above)), above - 1] = 1.0, -1.0
    solved = milp(
        np.r_[np.zeros(n), np.ones(n_dims)],
        integrality=np.r_[np.ones(n), np.zeros(n_dims)],
        bounds=Bounds(0, np.r_[most, np.full(n_dims, np.inf)]),
        constraints=[
            LinearConstraint(np.hstack([effects, -eye]), -np.inf, left),
            LinearConstraint(np.hstack([effects, eye]), left, np.inf),
            LinearConstraint(order, -np.inf, 0),
        ],
        options={"mip_rel_gap": 0, "time_limit": SECONDS},
    )
    if solved.x is None:
        raise RuntimeError(f"the floor of the argmax readout was not found: {solved.message}")
    taken = np.bincount(item_of, weights=solved.x[:n]).round().astype(int)
    return codes[np.arange(len(codes)), taken], solved.status == 0


def rounding_floor(scoring: Scoring, codes: Array, target: Array) -> float:
    """Expected loss of a population whose item means are all right, if only the nearest code of each is seen.

    The rounding error of an item is taken as uniform and independent of the others, with variance step^2 / 12 (Sheppard 1898;
    for unequal steps the mean over a scale on which all true means are as likely), the loss as a normal error's,
    :func:`~cultural_sp.survey.sampling_error.sampling_floor`. For four items with equal weights that is 1.3 % too low.

    Args:
        scoring: the scoring of the survey.
        codes: answer codes [Q, O], rising, NaN where an item has fewer options than others.
        target: target [K]; only which dimensions have one matters.

    Raises:
        ValueError: as in ``sampling_floor``.
    """
    steps = np.diff(codes, axis=1)
    variances = np.nansum(steps**3, axis=1) / np.nansum(steps, axis=1) / 12
    return sampling_floor(standard_errors(scoring, variances), target)


def floors(survey: Survey, target: Array) -> dict[str, float]:
    """Return ``whole_numbers`` (:func:`argmax_floor`) and ``rounding`` (:func:`rounding_floor`) for a target [K]."""
    scoring, codes = survey.scoring, survey.codes()
    return {
        "whole_numbers": argmax_floor(scoring, codes, target).loss,
        "rounding": rounding_floor(scoring, codes, target),
    }


def skill(loss: float, midpoint_loss: float) -> float:
    """Skill 100 * (1 - loss / midpoint's loss): 100 is perfect, 0 is answering the middle of every scale, below 0 is worse.

    SimBench's score (arXiv 2510.17516) with the midpoint respondent as the one who knows nothing. NaN if a loss is missing or
    the midpoint respondent has none.
    """
    return 100 * (1 - loss / midpoint_loss) if midpoint_loss else math.nan
