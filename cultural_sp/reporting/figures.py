"""The two figures of a run, and how every figure is saved: as PNG and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from cultural_sp.reporting.figure_data import loss_level, score_marks, search_curve
from cultural_sp.reporting.panels import convergence_panel, dimension_panel, label_line_ends, legend_beside
from cultural_sp.reporting.tables import labels, origin
from cultural_sp.runs.methods import SEARCHES, icl_keys
from cultural_sp.runs.result import Result
from cultural_sp.search.history import SearchResult
from cultural_sp.utils.serialize import as_array


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
    """Draw the best loss so far against evaluations, single evaluations as dots, every baseline as a labelled line."""
    figure, axes = plt.subplots(figsize=(7.5, 4.5))
    names = labels(result, readout)
    curves = [
        search_curve(method, names[method], search.l1, search.l1_of_best)
        for method, search in zip(SEARCHES, searches, strict=True)
    ]
    losses = {method: result.score(method, readout=readout).loss for method in baselines(result, readout)}
    levels = [loss_level(method, names[method], loss) for method, loss in losses.items() if loss is not None]
    convergence_panel(axes, curves, levels)
    label_line_ends(axes, curves, levels, result.digits + 1)
    axes.set_ylabel(f"loss (mean absolute difference, {result.unit})\ntuned, {readout} readout")
    axes.set_title(_title(result, "best candidate so far"), loc="left", fontsize=11)
    return figure


def baselines(result: Result, readout: str) -> list[str]:
    """Return the methods of a result other than searches; of the in-context baselines only the strongest one."""
    hidden = {*SEARCHES, *icl_keys()} - {result.icl(readout)}
    return [method for method in result.methods if method not in hidden]


def dimensions(result: Result, readout: str) -> Figure:
    """Draw the scores of three methods beside the target, on tuned and on held-out wordings."""
    figure, axes = plt.subplots(figsize=(7.5, 0.62 * len(result.region.target) + 1.5))
    names = labels(result, readout)
    marks = [
        score_marks([result], method, names[method], readout, (result.wordings("tuned"), result.wordings("held_out")))
        for method in ("naive", result.icl(readout), "aligned")
    ]
    target = as_array(result.region.target.values())
    dimension_panel(axes, list(result.region.target), marks, target, result.published_range)
    axes.set_xlabel(f"{result.unit} ({readout} readout; the published scale is shaded)")
    axes.set_title(_title(result, "dimension scores"), loc="left", fontsize=11)
    legend_beside(axes)
    return figure


def _title(result: Result, subject: str) -> str:
    lines = [f"{result.region.country} ({result.region.vintage}): {subject}"]
    return "\n".join([*lines, *(fill(line, 90) for line in origin(result))])
