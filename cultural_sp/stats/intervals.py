"""Intervals and tests for tables of runs. Every function states its assumptions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from cultural_sp.types import Array

ALTERNATIVES = ("less", "greater", "two-sided")


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedTest:
    """A comparison of two methods on the same units."""

    n: int
    """Number of pairs."""
    difference: Interval
    """Mean of first minus second, with a 95 % interval (Student's t; infinitely wide with one pair)."""
    p: float
    """p-value of the sign-flip test."""
    smallest_p: float
    """The smallest p that this number of pairs can give. If it is above the level, no data could be significant."""


@dataclass(frozen=True)
class Agreement:
    """Rank agreement over regions in one dimension."""

    n: int
    """Number of regions with a score and a target."""
    tau_b: float | None
    """Kendall's tau-b, from -1 to 1; None with fewer than two regions or if all scores or all targets are equal."""
    p: float | None
    """Two-sided, exact for small samples without ties; None if tau_b is None."""


def wilson(right: int, total: int, confidence: float = 0.95) -> Interval:
    """Return the share of right answers with its Wilson score interval (Wilson 1927).

    Contract: the ``total`` answers are independent, and each is right with the same probability. Combine clustered answers,
    such as those to one question in several orders, into one answer first.

    Raises:
        ValueError: unless 0 <= right <= total and total > 0, and 0 < confidence < 1.
    """
    if not 0 <= right <= total or total < 1:
        raise ValueError(f"{right} of {total} is no share; give 0 <= right <= total and at least one answer")
    _check_confidence(confidence)
    low, high = stats.binomtest(right, total).proportion_ci(confidence, method="wilson")
    return Interval(right / total, float(low), float(high))


def share_change(before: Interval, after: Interval) -> Interval:
    """Return the difference of two shares, ``after`` minus ``before``, with Newcombe's interval (Newcombe 1998, method 10).

    Contract: both intervals are Wilson's, of independent samples. If the same questions were answered twice, the interval is a
    little too wide, because answers to one question tend to agree. It keeps a width even if no answer changed.
    """
    difference = after.estimate - before.estimate
    low = np.hypot(after.estimate - after.low, before.high - before.estimate)
    high = np.hypot(after.high - after.estimate, before.estimate - before.low)
    return Interval(difference, difference - float(low), difference + float(high))


def t_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean of values [n] with Student's t interval.

    Contract: the values are independent draws from one normal distribution, such as one loss per seed.

    Raises:
        ValueError: with fewer than two values, or if one is missing or not finite.
    """
    known = _finite(values)
    _check_confidence(confidence)
    if known.ndim != 1 or len(known) < 2:
        raise ValueError(f"values of shape {known.shape} have no t interval; give two or more in a list")
    mean = float(known.mean())
    width = float(stats.t.ppf((1 + confidence) / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)))
    return Interval(mean, mean - width, mean + width)


def mean_statistic(values: Array) -> float:
    """Return the mean over all axes."""
    return float(values.mean())


def bootstrap(
    values: ArrayLike,
    axes: Sequence[int],
    *,
    statistic: Callable[[Array], float] = mean_statistic,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a statistic of a table with a bootstrap interval over seeds, items, wordings, or several of them at once.

    Contract: the levels along each of ``axes`` are a random sample of the population of interest, drawn independently of the
    other axes. All other axes are fixed. A level is resampled as a whole, so it is a cluster: with ``axes=(0,)`` on
    [seeds, wordings] the wordings of a seed stay together. Several axes are resampled independently of each other (pigeonhole
    bootstrap, Owen 2007). That variance is never too small in expectation, but counts the noise of single cells up to three
    times.

    The interval is estimate -+ t * SE. SE is the bootstrap's standard error times sqrt(n / (n - 1)), and t is Student's with
    n - 1 degrees of freedom, where n is the smallest number of levels of an axis. Percentiles of three to six levels would be
    far too narrow. For the mean over one axis this is the t interval of the levels' means, which is exact if they are normal.
    For other statistics it is approximate and symmetric.

    Args:
        values: table with any number of axes, such as losses [seeds, wordings].
        axes: the axes to resample; each needs at least two levels.
        statistic: maps a table of the same shape to a number.
        resamples: number of bootstrap samples.
        confidence: level of the interval.
        seed: seed of the draws.

    Raises:
        ValueError: for an axis that isn't there or has one level, values that aren't finite, or no resampling at all.
    """
    table = _finite(values)
    levels = _levels(table, axes)
    _check_confidence(confidence)
    if resamples < 2:
        raise ValueError(f"resamples={resamples} gives no standard error; give at least 2")
    rng = np.random.default_rng(seed)
    resampled = np.empty(resamples)
    for i in range(resamples):
        drawn = table
        for axis, n in levels.items():
            drawn = np.take(drawn, rng.integers(n, size=n), axis=axis)
        resampled[i] = statistic(drawn)
    n = min(levels.values())
    width = stats.t.ppf((1 + confidence) / 2, n - 1) * resampled.std(ddof=1) * np.sqrt(n / (n - 1))
    estimate = statistic(table)
    return Interval(estimate, estimate - float(width), estimate + float(width))


def paired_test(first: ArrayLike, second: ArrayLike, alternative: str = "two-sided") -> PairedTest:
    """Compare two methods on the same units, such as seeds, by an exact sign-flip test of the mean difference.

    Contract: pairs are independent, and without an effect a difference is as likely as its negative. Nothing else is assumed
    about its distribution. Up to 12 pairs, all sign patterns are counted; with more pairs, 9,999 random ones. With n pairs, p is
    at least 1/2^n one-sided and 2/2^n two-sided. If the second method is the same in all pairs (a model without seeds), this
    tests the first against a constant. Average the values of one unit over wordings first.

    Args:
        first: values [n].
        second: values [n] of the same units in the same order.
        alternative: ``less`` asks whether the first is smaller, ``greater`` whether it is larger.

    Raises:
        ValueError: if there aren't as many of both, none at all, a value isn't finite, or the alternative is unknown.
    """
    one, other = _finite(first), _finite(second)
    if one.ndim != 1 or one.shape != other.shape or not len(one):
        raise ValueError(f"pairs need two lists of the same length, got {one.shape} and {other.shape}")
    if alternative not in ALTERNATIVES:
        raise ValueError(f"alternative={alternative!r} is not allowed; choose one of: {', '.join(ALTERNATIVES)}")
    difference = one - other
    n, mean = len(difference), float(difference.mean())
    smallest = (2.0 if alternative == "two-sided" else 1.0) / 2**n
    if not difference.any():
        return PairedTest(n, Interval(0.0, 0.0, 0.0) if n > 1 else Interval(0.0, -np.inf, np.inf), 1.0, smallest)
    if n == 1:  # scipy wants two observations
        p = 1.0 if alternative == "two-sided" or (mean < 0) != (alternative == "less") else 0.5
        return PairedTest(1, Interval(mean, -np.inf, np.inf), p, min(smallest, 1.0))
    test = stats.permutation_test(
        (one, other),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**n if n <= 12 else 9999,
        alternative=alternative,
        rng=np.random.default_rng(0),
    )
    return PairedTest(n, t_interval(difference), float(test.pvalue), min(smallest, 1.0))


def holm(p_values: ArrayLike) -> Array:
    """Return adjusted p-values [m] in the order given (Holm 1979).

    Contract: if adjusted values are compared with a level, the probability of any false rejection among all m is at most that
    level, however the tests depend on each other. Use it for statements about single regions. A claim about *every* region is
    one hypothesis: its p is the largest single one (intersection-union test, Berger 1982) and needs no correction.

    Raises:
        ValueError: unless all lie from 0 to 1.
    """
    p = _finite(p_values)
    if p.ndim != 1 or ((p < 0) | (p > 1)).any():
        raise ValueError(f"p-values must be a list of numbers from 0 to 1, got {p.tolist()}")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def rank_agreement(scores: ArrayLike, targets: ArrayLike) -> list[Agreement]:
    """Return Kendall's tau-b between scores and targets over regions, one per dimension (the metric of arXiv 2309.12342).

    Contract: regions are the units. With four regions even perfect agreement has p = 0.08, so tau-b is a description and no
    test. It compares ranks only, neither level nor spread. A region without a score or a target in a dimension
    is left out of that dimension.

    Args:
        scores: [R, K]; NaN where a score is missing.
        targets: [R, K].

    Raises:
        ValueError: if the shapes differ.
    """
    table, wanted = np.asarray(scores, dtype=float), np.asarray(targets, dtype=float)
    if table.ndim != 2 or table.shape != wanted.shape:
        raise ValueError(f"scores and targets need the same shape [R, K], got {table.shape} and {wanted.shape}")
    agreements = []
    for column, target in zip(table.T, wanted.T, strict=True):
        known = np.isfinite(column) & np.isfinite(target)
        x, y = column[known], target[known]
        if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
            agreements.append(Agreement(len(x), None, None))
            continue
        test = stats.kendalltau(x, y, variant="b")
        agreements.append(Agreement(len(x), float(test.statistic), float(test.pvalue)))
    return agreements


def _finite(values: ArrayLike) -> Array:
    table = np.asarray(values, dtype=float)
    if not np.isfinite(table).all():
        raise ValueError(f"{int((~np.isfinite(table)).sum())} of {table.size} values are missing or not finite")
    return table


def _levels(table: Array, axes: Sequence[int]) -> dict[int, int]:
    """Return axis -> number of levels."""
    if not axes or any(not 0 <= axis < table.ndim for axis in axes):
        raise ValueError(f"axes={list(axes)} are no axes of a table of shape {table.shape}; give one or more from 0")
    few = [axis for axis in axes if table.shape[axis] < 2]
    if few:
        raise ValueError(f"axis {few[0]} of a table of shape {table.shape} has no two levels, so it can't be resampled")
    return {axis: table.shape[axis] for axis in axes}


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} is out of range; give a number between 0 and 1")
