"""The two drawings that every figure with matplotlib is made of: loss against evaluations, and scores by dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from cultural_sp.types import Array, DimensionScores, Losses

TARGET_COLOUR = "#0072B2"


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


@dataclass(frozen=True)
class Level:
    """Loss of a method that isn't searched: a horizontal line."""

    label: str
    colour: str
    loss: float
    dash: tuple[int, ...] = ()


@dataclass(frozen=True)
class ScoreMarks:
    """Dimension scores of one method."""

    label: str
    colour: str
    tuned: DimensionScores
    """[n, K], filled marks: one row per run on a tuned wording."""
    held_out: DimensionScores
    """[n, K], hollow marks: one row per run and held-out wording; n may be 0."""


def convergence_panel(axes: Axes, curves: Sequence[Curve], levels: Sequence[Level]) -> None:
    """Draw searches as curves and other methods as lines over the evaluations."""
    for curve in curves:
        steps = np.arange(1, len(curve.best) + 1)
        if curve.evaluations is not None:
            axes.plot(steps, curve.evaluations, ".", color=curve.colour, markersize=3, alpha=0.4)
        if curve.low is not None and curve.high is not None:
            axes.fill_between(steps, curve.low, curve.high, color=curve.colour, alpha=0.18, linewidth=0, step="post")
        style = _linestyle(curve.dash)
        axes.plot(
            steps,
            curve.best,
            color=curve.colour,
            linestyle=style,
            linewidth=1.9,
            drawstyle="steps-post",
            label=curve.label,
        )
    for level in levels:
        axes.axhline(level.loss, color=level.colour, linestyle=_linestyle(level.dash), linewidth=1.2, label=level.label)
    axes.set_xlabel("evaluations")
    axes.spines[["top", "right"]].set_visible(False)


def dimension_panel(
    axes: Axes,
    dimensions: Sequence[str],
    marks: Sequence[ScoreMarks],
    target: Array,
    published_range: tuple[float, float],
) -> None:
    """Draw one row per dimension: the target [K] as a bar and the scores of every method as marks."""
    rows = np.arange(len(dimensions))[::-1]
    axes.axvspan(*published_range, color="#f2f2f2", zorder=0)
    for place, method in enumerate(marks):
        offset = ((len(marks) - 1) / 2 - place) * 0.18
        for scores in method.held_out:
            axes.plot(scores, rows + offset, "o", color=method.colour, markersize=5, markerfacecolor="none", zorder=2)
        for i, scores in enumerate(method.tuned):
            label = method.label if i == 0 else None
            axes.plot(scores, rows + offset, "o", color=method.colour, markersize=6, alpha=0.8, label=label, zorder=3)
    axes.plot(target, rows, "|", color=TARGET_COLOUR, markersize=26, markeredgewidth=3, zorder=4)
    axes.plot([], [], "|", color=TARGET_COLOUR, markersize=10, markeredgewidth=3, label="target")
    if any(len(method.held_out) for method in marks):
        axes.plot([], [], "o", color="#666666", markerfacecolor="none", markersize=5, label="held-out wordings")
    axes.set_yticks(rows, list(dimensions))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def label_line_ends(axes: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write labels at the right edge, moved apart where lines lie close together.

    Args:
        axes: the panel.
        ends: value, label and colour of every line.
    """
    low, high = axes.get_ylim()
    gap = (high - low) * 0.055
    position = -np.inf
    for value, label, colour in sorted(ends):
        position = max(value, position + gap)
        axes.annotate(
            label,
            xy=(1, value),
            xycoords=("axes fraction", "data"),
            xytext=(1.03, position),
            textcoords=("axes fraction", "data"),
            color=colour,
            va="center",
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6},
        )


def legend_beside(axes: Axes, fontsize: int = 9) -> None:
    """Put the legend to the right of a panel."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=fontsize)


def _linestyle(dash: tuple[int, ...]) -> str | tuple[int, tuple[int, ...]]:
    return (0, dash) if dash else "-"
