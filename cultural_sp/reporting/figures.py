"""The two figures of a run, and how every figure is saved: as PNG and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from cultural_sp.reporting.panels import (
    Curve,
    Level,
    ScoreMarks,
    convergence_panel,
    dimension_panel,
    label_line_ends,
    legend_beside,
)
from cultural_sp.reporting.tables import labels, origin
from cultural_sp.runs.methods import METHODS, SEARCHES, icl_keys
from cultural_sp.runs.result import Result
from cultural_sp.search.history import SearchResult
from cultural_sp.types import DimensionScores


def save_figures(folder: Path, result: Result, searches: Sequence[SearchResult], readout: str) -> None:
    """Save ``convergence`` and ``dimensions`` in ``folder``.

    Args:
        folder: an existing folder.
        result: the result of one region.
        searches: its searches, in the order of :data:`SEARCHES`.
        readout: the searched readout.
    """
    save_figure(folder, "convergence", convergence(result, searches, readout))
    save_figure(folder, "dimensions", dimensions(result, readout))


def save_figure(folder: Path, name: str, figure: Figure) -> None:
    """Save a figure as ``NAME.png`` and ``NAME.pdf``, and close it."""
    for ending in ("png", "pdf"):
        figure.savefig(folder / f"{name}.{ending}", dpi=150, bbox_inches="tight")
    plt.close(figure)


def convergence(result: Result, searches: Sequence[SearchResult], readout: str) -> Figure:
    """Best loss so far against evaluations, single evaluations as dots, every baseline as a labelled line."""
    figure, axes = plt.subplots(figsize=(7.5, 4.5))
    names = labels(result, readout)
    curves = [
        Curve(names[method], METHODS[method].colour, search.l1_of_best(), evaluations=search.l1)
        for method, search in zip(SEARCHES, searches, strict=True)
    ]
    levels = []
    for method in baselines(result, readout):
        loss, style = result.score(method, "tuned", readout).loss, METHODS[method]
        if loss is not None:
            levels.append(Level(names[method], style.colour, loss, style.dash))
    convergence_panel(axes, curves, levels)
    ends = [(float(curve.best[-1]), curve.label, curve.colour) for curve in curves]
    ends += [(level.loss, level.label, level.colour) for level in levels]
    digits = result.digits + 1
    label_line_ends(axes, [(value, f"{label} {value:.{digits}f}", colour) for value, label, colour in ends])
    axes.set_xlim(1, max(len(searches[-1].l1), 2))
    axes.set_ylabel(f"loss (mean absolute difference, {result.unit})\ntuned wording, {readout} readout")
    axes.set_title(_title(result, "best candidate so far"), loc="left", fontsize=11)
    return figure


def baselines(result: Result, readout: str) -> list[str]:
    """Methods of a result that are no search, with the strongest in-context baseline only."""
    hidden = {*SEARCHES, *icl_keys()} - {result.icl(readout)}
    return [method for method in result.methods if method not in hidden]


def dimensions(result: Result, readout: str) -> Figure:
    """Scores before and after beside the target, on the tuned wording and on held-out wordings."""
    figure, axes = plt.subplots(figsize=(7.5, 0.62 * len(result.region.target) + 1.5))
    held_out = sorted({r.wording for r in result.scores if r.wording.startswith("held_out")})
    names = labels(result, readout)
    marks = [
        ScoreMarks(
            names[method],
            METHODS[method].colour,
            tuned=_scores(result, method, ["tuned"], readout),
            held_out=_scores(result, method, held_out, "expected"),
        )
        for method in ("naive", result.icl(readout), "aligned")
    ]
    target = np.array([np.nan if score is None else score for score in result.region.target.values()])
    dimension_panel(axes, list(result.region.target), marks, target, result.published_range)
    axes.set_xlabel(f"{result.unit} ({readout} readout; the published scale is shaded)")
    axes.set_title(_title(result, "dimension scores"), loc="left", fontsize=11)
    legend_beside(axes)
    return figure


def _title(result: Result, subject: str) -> str:
    lines = [f"{result.region.country} ({result.region.vintage}): {subject}"]
    return "\n".join([*lines, *(fill(line, 90) for line in origin(result))])


def _scores(result: Result, method: str, wordings: Sequence[str], readout: str) -> DimensionScores:
    """Scores [wordings, K] of a method; NaN where one is missing."""
    records = [result.score(method, wording, readout).dimensions for wording in wordings]
    rows = [[np.nan if record[d] is None else record[d] for d in result.region.target] for record in records]
    return np.array(rows, dtype=float).reshape(len(rows), len(result.region.target))
