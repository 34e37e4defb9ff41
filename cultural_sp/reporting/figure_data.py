"""What a figure shows, however it is drawn: curves, levels and marks with their labels and styles, and the ranges of the axes.

Two renderers draw these data: :mod:`cultural_sp.reporting.panels` with matplotlib, for figures in files, and
:mod:`cultural_sp.reporting.html_report.figures` as SVG, for the page. The page doesn't embed matplotlib's SVG: its figures
follow the light or dark theme, hide methods on a click, and must stay small and fast for hundreds of regions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cultural_sp.runs.methods import style_of
from cultural_sp.runs.result import Result
from cultural_sp.types import Array, DimensionScores, Losses
from cultural_sp.utils.serialize import as_array

TARGET_COLOUR = "#0072B2"
ROW_OFFSET = 0.16
"""Distance of two methods within the row of a dimension, whose height is 1."""


@dataclass(frozen=True)
class Curve:
    """Loss of the best candidate so far, of one search or summarised over several."""

    label: str
    colour: str
    best: Losses
    """[n] after 1, 2, ... evaluations."""
    low: Losses | None = None
    """[n], lower end of a band; None for no band."""
    high: Losses | None = None
    evaluations: Losses | None = None
    """[n], loss of every single evaluation, drawn as dots; None for no dots."""
    dash: tuple[int, ...] = ()
    key: str = ""
    """Key of its method; empty if the curve stands for something else."""


@dataclass(frozen=True)
class Level:
    """Loss of a method that isn't searched: a horizontal line."""

    label: str
    colour: str
    loss: float
    dash: tuple[int, ...] = ()
    key: str = ""


@dataclass(frozen=True)
class LineEnd:
    """The loss at the right end of a line."""

    label: str
    colour: str
    loss: float
    key: str = ""


@dataclass(frozen=True)
class ScoreMarks:
    """Dimension scores of one method."""

    key: str
    label: str
    colour: str
    marker: str
    tuned: DimensionScores
    """[n, K], filled marks: one row per run and tuned wording."""
    held_out: DimensionScores
    """[n, K], hollow marks: one row per run and held-out wording; n may be 0."""

    @property
    def mean_tuned(self) -> Array:
        """Means [K] over runs and tuned wordings; NaN where a score is missing."""
        return _column_means(self.tuned)

    @property
    def mean_held_out(self) -> Array:
        """Means [K] over runs and held-out wordings; NaN where a score is missing."""
        return _column_means(self.held_out)


def _column_means(table: Array) -> Array:
    return table.mean(axis=0) if len(table) else np.full(table.shape[1], np.nan)


def search_curve(method: str, label: str, l1: Losses, best: Losses) -> Curve:
    """Return the curve of one search.

    Args:
        method: key of the search in the table of methods.
        label: its name in the figure.
        l1: mean absolute difference [n] of every evaluation; NaN where there is none.
        best: that of the best candidate so far [n].
    """
    return Curve(label, style_of(method).colour, best, evaluations=l1, key=method)


def summary_curve(
    label: str, colour: str, best: Array, band: tuple[float, float] | None = (0.0, 1.0), dash: tuple[int, ...] = ()
) -> Curve:
    """Return the median of several searches, with a band.

    Args:
        label: name in the figure.
        colour: of the line and the band.
        best: loss of the best candidate so far [searches, n]; what isn't finite counts as missing.
        band: quantiles at its lower and upper end; None for no band.
        dash: of the line.
    """
    table = pd.DataFrame(np.where(np.isfinite(best), best, np.nan))
    low, high = (None, None) if band is None else (table.quantile(q).to_numpy() for q in band)
    return Curve(label, colour, table.median().to_numpy(), low, high, dash=dash)


def loss_level(method: str, label: str, loss: float) -> Level:
    """Return the level of a method of the table of methods."""
    style = style_of(method)
    return Level(label, style.colour, loss, style.dash, method)


def line_ends(curves: Sequence[Curve], levels: Sequence[Level]) -> list[LineEnd]:
    """Return the ends of all lines; curves of one method and label share one end, at their mean."""
    ends = [LineEnd(level.label, level.colour, level.loss, level.key) for level in levels]
    for key, label in dict.fromkeys((curve.key, curve.label) for curve in curves):
        same = [x for x in curves if (x.key, x.label) == (key, label) and np.isfinite(x.best[-1])]
        if same:
            loss = float(np.mean([curve.best[-1] for curve in same]))
            ends.append(LineEnd(label, same[0].colour, loss, key))
    return ends


def n_evaluations(curves: Sequence[Curve]) -> int:
    """Return the right end of the axis of evaluations, which begins at 1."""
    return max([2, *(len(curve.best) for curve in curves)])


def highest_loss(curves: Sequence[Curve], levels: Sequence[Level]) -> float:
    """Return the upper end of the axis of losses, which begins at 0: above all lines, but not above each single evaluation."""
    dots = [curve.evaluations for curve in curves if curve.evaluations is not None]
    lines = [curve.best if curve.high is None else curve.high for curve in curves if curve.evaluations is None]
    losses = np.concatenate([*dots, []])
    tops = [level.loss for level in levels]
    if np.isfinite(losses).any():
        tops.append(float(np.quantile(losses[np.isfinite(losses)], 0.9)))
    tops += [float(line[np.isfinite(line)].max()) for line in lines if np.isfinite(line).any()]
    return 1.06 * max(tops, default=1.0) or 1.0


def score_marks(
    results: Sequence[Result], method: str, label: str, readout: str, wordings: tuple[Sequence[str], Sequence[str]]
) -> ScoreMarks:
    """Return the dimension scores of a method in runs of one region.

    Args:
        results: the runs.
        method: key in the table of methods, or ``icl`` for the strongest in-context baseline of each run.
        label: its name in the figure.
        readout: the searched readout.
        wordings: tuned ones, shown under the searched readout, and held-out ones, shown under the expected readout.
    """
    tuned, held_out = (
        [_scores(result, method, wording, kind, readout) for result in results for wording in group]
        for group, kind in zip(wordings, (readout, "expected"), strict=True)
    )
    style, size = style_of(method), (-1, len(results[0].region.target))
    return ScoreMarks(
        method,
        label,
        style.colour,
        style.marker,
        np.array(tuned, dtype=float).reshape(size),
        np.array(held_out, dtype=float).reshape(size),
    )


def _scores(result: Result, method: str, wording: str, readout: str, searched: str) -> Array:
    """Scores [K] of one record; NaN where one is missing."""
    scores = result.score(result.icl(searched) if method == "icl" else method, wording, readout).dimensions
    return as_array(scores[dimension] for dimension in result.region.target)


def score_range(scores: Iterable[Array], published_range: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of the axis of scores: the published range, extended to all scores in arrays of any shape."""
    known = [score for array in scores for score in array[np.isfinite(array)].tolist()]
    return min(published_range[0], *known), max(published_range[1], *known)


def row_offsets(n_methods: int) -> list[float]:
    """Return the places of methods within the row of a dimension, downwards from its middle."""
    return [(place - (n_methods - 1) / 2) * ROW_OFFSET for place in range(n_methods)]


def spread_out(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions apart, so that neighbours keep a gap. The order stays; the bounds hold where there is room.

    Args:
        positions: wanted positions of labels.
        gap: smallest distance of two labels.
        low: lower bound.
        high: upper bound.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    placed = [0.0] * len(positions)
    last = low - gap
    for i in order:
        last = placed[i] = max(positions[i], last + gap)
    limit = high
    for i in reversed(order):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - gap
    return placed
