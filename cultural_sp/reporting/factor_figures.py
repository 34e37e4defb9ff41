"""Draws the figures of a factor analysis: loadings with their intervals, and correlations of items."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from cultural_sp.stats.factor.analysis import Analysis
from cultural_sp.stats.factor.answers import MeasurementModel

COLOURS = ("#000000", "#009E73", "#D55E00")  # Okabe and Ito: before, after, people
MARKERS = ("o", "D", "^")


def loadings_figure(analyses: Sequence[Analysis]) -> Figure:
    """Draw standardised loadings times their declared sign, with 95 % intervals; right of 0 the sign is as declared.

    Args:
        analyses: analyses of the same measurement model; ones without a fit are left out.
    """
    fits = [a.fit for a in analyses if a.fit is not None]
    first = fits[0].loadings
    rows = np.arange(len(first))[::-1]
    figure, axes = plt.subplots(figsize=(7.0, 0.28 * len(first) + 1.5))
    for number, (analysis, fit) in enumerate(zip(analyses, fits, strict=True)):
        values = np.array([x.standardised * x.declared for x in fit.loadings])
        errors = np.array([1.96 * (x.standardised_error or 0.0) for x in fit.loadings])
        offset = 0.15 * (len(fits) - 1) - 0.3 * number
        axes.errorbar(
            values,
            rows + offset,
            xerr=errors,
            fmt=MARKERS[number],
            color=COLOURS[number],
            markersize=4,
            linewidth=1,
            label=analysis.group + ("" if fit.proper else "\n(improper solution)"),
        )
    axes.axvline(0, color="#999999", linewidth=1)
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, -1.6), min(high, 1.6))
    axes.set_yticks(rows, [f"{x.dimension} {'+' if x.declared > 0 else '-'} {x.item}" for x in first])
    axes.set_ylim(-0.7, len(first) - 0.3)
    for row, (above, below) in zip(rows[1:], pairwise(first), strict=True):
        if above.dimension != below.dimension:
            axes.axhline(row + 0.5, color="#dddddd", linewidth=0.8, zorder=0)
    axes.set_xlabel("standardised loading, turned to its declared direction (95 % interval)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def correlations_figure(analyses: Sequence[Analysis], model: MeasurementModel) -> Figure:
    """Draw a heat map of item correlations per group, with lines between dimensions; grey if an item has no variance."""
    items = model.items
    of = {item: d for d, its in reversed(list(model.signs.items())) for item in its}  # the first dimension of each item
    edges = [i for i in range(1, len(items)) if of[items[i]] != of[items[i - 1]]]
    size = 0.24 * len(items) + 1.6
    figure, panels = plt.subplots(1, len(analyses), figsize=(size * len(analyses) + 1, size), squeeze=False)
    colours = plt.get_cmap("RdBu_r").with_extremes(bad="#bbbbbb")
    for panel, analysis in zip(panels[0], analyses, strict=True):
        table = np.array([[np.nan if x is None else x for x in row] for row in analysis.correlations])
        panel.imshow(np.ma.masked_invalid(table), cmap=colours, vmin=-1, vmax=1)
        for edge in edges:
            panel.axhline(edge - 0.5, color="black", linewidth=0.6)
            panel.axvline(edge - 0.5, color="black", linewidth=0.6)
        panel.set_xticks(range(len(items)), items, rotation=90, fontsize=7)
        panel.set_yticks(range(len(items)), items, fontsize=7)
        panel.set_title(f"{analysis.group} ({analysis.n_respondents} respondents)", fontsize=10)
    figure.colorbar(panels[0][0].images[0], ax=panels[0].tolist(), label="correlation", shrink=0.8)
    return figure
