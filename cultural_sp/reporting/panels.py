"""Draws figure data with matplotlib: a panel of losses against evaluations, and a panel of scores by dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from cultural_sp.reporting.figure_data import (
    TARGET_COLOUR,
    Curve,
    Level,
    ScoreMarks,
    highest_loss,
    line_ends,
    n_evaluations,
    row_offsets,
    score_range,
    spread_out,
)
from cultural_sp.types import Array


def convergence_panel(axes: Axes, curves: Sequence[Curve], levels: Sequence[Level], top: float | None = None) -> None:
    """Draw searches as curves and other methods as lines over the evaluations.

    Args:
        axes: the panel.
        curves: the searches.
        levels: the other methods.
        top: upper end of the axis of losses, for panels that share it; None to fit it to the lines.
    """
    for curve in curves:
        steps = np.arange(1, len(curve.best) + 1)
        if curve.evaluations is not None:
            axes.plot(steps, curve.evaluations, ".", color=curve.colour, markersize=3, alpha=0.4)
        if curve.low is not None and curve.high is not None:
            axes.fill_between(steps, curve.low, curve.high, color=curve.colour, alpha=0.18, linewidth=0, step="post")
        axes.plot(
            steps,
            curve.best,
            color=curve.colour,
            linestyle=_linestyle(curve.dash),
            linewidth=1.9,
            drawstyle="steps-post",
            label=curve.label,
        )
    for level in levels:
        axes.axhline(level.loss, color=level.colour, linestyle=_linestyle(level.dash), linewidth=1.2, label=level.label)
    axes.set_xlim(1, n_evaluations(curves))
    axes.set_ylim(0, highest_loss(curves, levels) if top is None else top)
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
    for offset, method in zip(row_offsets(len(marks)), marks, strict=True):
        style: dict[str, Any] = {"color": method.colour, "marker": method.marker, "linestyle": "none"}
        for scores in method.held_out:
            axes.plot(scores, rows - offset, **style, markersize=5, markerfacecolor="none", zorder=2)
        for i, scores in enumerate(method.tuned):
            label = method.label if i == 0 else None
            axes.plot(scores, rows - offset, **style, markersize=6, alpha=0.8, label=label, zorder=3)
    axes.plot(target, rows, "|", color=TARGET_COLOUR, markersize=26, markeredgewidth=3, zorder=4)
    axes.plot([], [], "|", color=TARGET_COLOUR, markersize=10, markeredgewidth=3, label="target")
    if any(len(method.held_out) for method in marks):
        axes.plot([], [], "o", color="#666666", markerfacecolor="none", markersize=5, label="held-out wordings")
    low, high = score_range(
        [target, *(x for method in marks for x in (method.tuned, method.held_out))], published_range
    )
    axes.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))
    axes.set_yticks(rows, list(dimensions))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def label_line_ends(axes: Axes, curves: Sequence[Curve], levels: Sequence[Level], digits: int) -> None:
    """Write label and loss of every line at the right edge, moved apart where lines lie close together."""
    ends = line_ends(curves, levels)
    low, high = axes.get_ylim()
    positions = spread_out([end.loss for end in ends], 0.055 * (high - low), low, high)
    for end, position in zip(ends, positions, strict=True):
        axes.annotate(
            f"{end.label} {end.loss:.{digits}f}",
            xy=(1, end.loss),
            xycoords=("axes fraction", "data"),
            xytext=(1.03, position),
            textcoords=("axes fraction", "data"),
            color=end.colour,
            va="center",
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": end.colour, "linewidth": 0.6},
        )


def legend_beside(axes: Axes, fontsize: int = 9) -> None:
    """Put the legend to the right of a panel."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=fontsize)


def _linestyle(dash: tuple[int, ...]) -> str | tuple[int, tuple[int, ...]]:
    return (0, dash) if dash else "-"
