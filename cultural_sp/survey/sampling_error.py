"""By how much the scores of a sample of respondents vary, and the loss that this alone brings. Pure numpy."""

from __future__ import annotations

import math

import numpy as np

from cultural_sp.survey.scoring import Scoring
from cultural_sp.types import Array

ROUNDED = 1e-3
"""Probabilities of a result file are rounded, so their sum may be this far from 1."""


def answer_moments(probabilities: Array, codes: Array) -> tuple[Array, Array]:
    """Mean [Q] and variance [Q] of one respondent's answer code to every item.

    With several wordings, every answer is to one of the W wordings of its item, drawn at random for each respondent and item.
    The answer is then a draw from the mean of the W distributions, and answers to different items stay independent. That
    wordings differ is part of the variance. Cells of options that an item lacks (NaN code) are ignored. An item without
    probabilities (NaN) has NaN moments.

    Args:
        probabilities: option probabilities [Q, O], or [W, Q, O] for W wordings.
        codes: answer codes [Q, O], NaN where an item has fewer options than others.

    Raises:
        ValueError: if the shapes differ, or the probabilities of an item don't add up to 1.
    """
    if probabilities.ndim not in (2, 3) or probabilities.shape[-2:] != codes.shape:
        raise ValueError(
            f"probabilities of shape {probabilities.shape} don't fit codes of shape {codes.shape}; give [Q, O] or [W, Q, O]"
        )
    offered = ~np.isnan(codes)
    chances = np.where(offered, probabilities, 0.0)
    off = np.abs(chances.sum(axis=-1) - 1) > ROUNDED
    if off.any():
        raise ValueError(
            f"the option probabilities of {off.sum()} items don't add up to 1; divide them by their sum first"
        )
    mixture = chances if chances.ndim == 2 else chances.mean(axis=0)
    values = np.where(offered, codes, 0.0)
    means = (mixture * values).sum(axis=-1)
    variances: Array = (mixture * np.square(values - means[:, None])).sum(axis=-1)
    return means, variances


def standard_errors(scoring: Scoring, variances: Array, n_respondents: int = 1) -> Array:
    """Standard errors [K] of the scores of ``n_respondents`` who answer independently of each other.

    Exact if answers to different items are independent too, as the draws of a model's sampled respondents are:
    SE_k = sqrt(sum_q w_kq^2 var_q / n), the variance of a weighted sum of means of n independent answers (Mood, Graybill and
    Boes 1974, Introduction to the Theory of Statistics, ch. V). A NaN variance makes every score that uses the item NaN.

    Args:
        scoring: the weights [K, Q]; constants don't matter.
        variances: variances [Q] of one answer, from :func:`answer_moments`.
        n_respondents: n.

    Raises:
        ValueError: for n below 1, or if there isn't one variance per item.
    """
    weights = scoring.weights
    if n_respondents < 1:
        raise ValueError(f"n_respondents={n_respondents} has no standard error; give at least 1")
    if variances.shape != weights.shape[1:]:
        raise ValueError(f"the scoring has {weights.shape[1]} items, got variances of shape {variances.shape}")
    used = np.where(weights != 0, variances, 0.0)  # an unused item must not spread its NaN
    errors: Array = np.sqrt((np.square(weights) * used).sum(axis=1) / n_respondents)
    return errors


def sampled_loss(scores: Array, errors: Array, target: Array) -> float:
    """Expected loss of a sample: the mean over dimensions of E|X - target| with X ~ N(score, SE).

    That is the mean of a folded normal distribution, sqrt(2/pi) SE exp(-d^2 / 2 SE^2) + d erf(d / sqrt(2) SE) with d = score -
    target (Leone, Nelson and Nottingham 1961, The folded normal distribution, Technometrics 3, 543-550). The normal shape is
    an approximation, good for scores of several items and ten or more respondents. If nine of ten choose the same option, a
    score of four items comes out 1 % too high with 20 respondents, 5 % with 5 and half with one.

    Args:
        scores: expected scores [K].
        errors: standard errors [K]; 0 gives the plain mean absolute difference.
        target: target [K], NaN where there is none; those dimensions are left out.

    Returns:
        The loss in the unit of the survey; NaN if a score or error is missing in a dimension with a target.

    Raises:
        ValueError: if no dimension has a target, or if the shapes differ.
    """
    if not scores.shape == errors.shape == target.shape:
        raise ValueError(f"scores {scores.shape}, errors {errors.shape} and target {target.shape} need one shape [K]")
    known = ~np.isnan(target)
    if not known.any():
        raise ValueError("the target has no known dimension, so there is no loss; give at least one target")
    off, error = (scores - target)[known], errors[known]
    with np.errstate(divide="ignore", invalid="ignore"):
        standardised = np.where((error == 0) & (off == 0), 0.0, off / error)
    folded = math.sqrt(2 / math.pi) * error * np.exp(-np.square(standardised) / 2)
    return float(np.mean(folded + off * np.array([math.erf(x / math.sqrt(2)) for x in standardised])))


def sampling_floor(errors: Array, target: Array) -> float:
    """Expected loss of a sample from a perfect population, whose expected scores are the target: mean SE_k sqrt(2/pi).

    Args and errors as in :func:`sampled_loss`. No search can be expected to pass it with samples of this size.
    """
    return sampled_loss(target, errors, target)
