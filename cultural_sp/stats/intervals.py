"""Intervals and tests for tables of runs; every function says what it assumes."""

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
    """How one method compares with another on the same units."""

    n: int
    """Pairs."""
    difference: Interval
    """Mean of first minus second, with a 95 % interval (Student's t; infinitely wide with one pair)."""
    p: float
    """Of the sign-flip test."""
    smallest_p: float
    """The smallest p that so many pairs can give: above the level, no data could have been significant."""


@dataclass(frozen=True)
class Agreement:
    """Rank agreement over regions in one dimension."""

    n: int
    """Regions with both scores."""
    tau_b: float | None
    """Kendall's tau-b, from -1 to 1; None with fewer than two regions or if all scores or all targets are equal."""
    p: float | None
    """Two-sided, exact for small samples without ties; None where tau_b is."""


def wilson(right: int, total: int, confidence: float = 0.95) -> Interval:
    """Share of right answers with its Wilson score interval (Wilson 1927).

    Contract: ``total`` independent answers that are right with one probability. Answers that come in clusters, such as the
    same question in several orders, have to be made one answer first.

    Raises:
        ValueError: unless 0 <= right <= total and total > 0, and 0 < confidence < 1.
    """
    if not 0 <= right <= total or total < 1:
        raise ValueError(f"{right} of {total} is no share; give 0 <= right <= total and at least one answer")
    _check_confidence(confidence)
    low, high = stats.binomtest(right, total).proportion_ci(confidence, method="wilson")
    return Interval(right / total, float(low), float(high))


def share_change(before: Interval, after: Interval) -> Interval:
    """Difference of two shares, second minus first, with Newcombe's hybrid score interval (Newcombe 1998, method 10).

    Contract: both intervals are Wilson's. The interval is that of independent samples; of the same questions answered twice it is
    a little too wide, as answers to one question tend to agree, and it doesn't shrink to nothing where none changed.
    """
    difference = after.estimate - before.estimate
    low = np.hypot(after.estimate - after.low, before.high - before.estimate)
    high = np.hypot(after.high - after.estimate, before.estimate - before.low)
    return Interval(difference, difference - float(low), difference + float(high))


def t_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean of values [n] with Student's t interval.

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
    """The mean of all values, whatever their axes."""
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
    """Statistic of a table with an interval that reflects the choice of seeds, items, wordings, or several of them at once.

    Contract: the levels along each of ``axes`` are a random sample of those one wants to speak about, drawn independently of
    the other axes; all others are fixed. Levels are resampled whole, whatever lies in them, so a level is a cluster: with
    ``axes=(0,)`` on [seeds, wordings] the wordings of a seed stay together. With several axes each is resampled independently
    of the others (pigeonhole bootstrap, Owen 2007), whose variance is never too small in expectation but counts noise of single
    cells up to three times. The interval is estimate -+ t * SE, with the bootstrap's standard error times sqrt(n / (n - 1)) and
    Student's t with n - 1 degrees of freedom, n the fewest levels of an axis: percentiles of three to six levels would be far
    too narrow. For the mean over one axis this is the t interval of the levels' means, and exact if these are normal; of
    other statistics it is approximate and symmetric.

    Args:
        values: table of any number of axes, such as losses [seeds, wordings].
        axes: those to resample; each needs two levels or more.
        statistic: of a table of the same shape.
        resamples: bootstrap samples.
        confidence: of the interval.
        seed: of the draws.

    Raises:
        ValueError: for an axis that isn't there or has one level, values that aren't finite, or no resampling at all.
    """
    table = _finite(values)
    levels = _levels(table, axes)
    _check_confidence(confidence)
    if resamples < 2:
        raise ValueError(f"resamples={resamples} gives no standard error; give at least 2")
    rng = np.random.default_rng(seed)
    found = np.empty(resamples)
    for i in range(resamples):
        drawn = table
        for axis, n in levels.items():
            drawn = np.take(drawn, rng.integers(n, size=n), axis=axis)
        found[i] = statistic(drawn)
    n = min(levels.values())
    width = stats.t.ppf((1 + confidence) / 2, n - 1) * found.std(ddof=1) * np.sqrt(n / (n - 1))
    estimate = statistic(table)
    return Interval(estimate, estimate - float(width), estimate + float(width))


def paired_test(first: ArrayLike, second: ArrayLike, alternative: str = "two-sided") -> PairedTest:
    """Compare two methods on the same units, such as seeds, by an exact sign-flip test of the mean difference.

    Contract: pairs are independent, and without an effect a difference is as likely as its negative. Nothing else is assumed
    of its distribution. With up to 12 pairs all sign patterns are counted, beyond that 9,999 random ones. n pairs can't give a p
    below 1/2^n one-sided or 2/2^n two-sided. If the second method is the same in all pairs (a model without seeds), this
    is a test of the first against a constant. Values of one unit under several wordings have to be averaged first.

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
    """Adjusted p-values [m] in the order given (Holm 1979).

    Contract: whatever the tests' dependence, the chance of any false rejection among all m is at most the level at which adjusted
    values are compared. This is for statements about single regions; a claim about *every* region is one hypothesis, whose
    p is the largest single one (intersection-union test, Berger 1982) and needs no correction.

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
    """Kendall's tau-b between scores and targets over regions, one for each dimension (the metric of arXiv 2309.12342).

    Contract: regions are the units; with four of them only perfect agreement comes near p = 0.08, so tau-b describes
    rather than tests. It sees ranks alone, neither level nor spread. A region without a score or a target in a dimension
    is left out of that dimension.

    Args:
        scores: [R, K]; NaN where there is none.
        targets: [R, K].

    Raises:
        ValueError: if the shapes differ.
    """
    found, wanted = np.asarray(scores, dtype=float), np.asarray(targets, dtype=float)
    if found.ndim != 2 or found.shape != wanted.shape:
        raise ValueError(f"scores and targets need the same shape [R, K], got {found.shape} and {wanted.shape}")
    agreements = []
    for column, target in zip(found.T, wanted.T, strict=True):
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
    """Axis -> its number of levels."""
    if not axes or any(not 0 <= axis < table.ndim for axis in axes):
        raise ValueError(f"axes={list(axes)} are no axes of a table of shape {table.shape}; give one or more from 0")
    few = [axis for axis in axes if table.shape[axis] < 2]
    if few:
        raise ValueError(f"axis {few[0]} of a table of shape {table.shape} has no two levels, so it can't be resampled")
    return {axis: table.shape[axis] for axis in axes}


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} is out of range; give a number between 0 and 1")
