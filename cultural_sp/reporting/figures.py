"""The two figures of a run, and how every figure is written: as PNG and PDF."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

import matplotlib
import numpy as np
from numpy.typing import NDArray

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cultural_sp.reporting.tables import labels, origin
from cultural_sp.runs.result import ICL, Result
from cultural_sp.search.history import SearchResult

# Okabe and Ito's palette: told apart by readers with any colour vision.
COLOURS = {
    "midpoint": "#999999",
    "naive": "#000000",
    **dict.fromkeys(ICL, "#D55E00"),  # figures show the strongest
    "start": "#CC79A7",
    "random_search": "#56B4E9",
    "aligned": "#009E73",
}
DASHES = {"midpoint": ":", "naive": "--", **dict.fromkeys(ICL, "-."), "start": (0, (5, 1, 1, 1, 1, 1))}


def save_figures(folder: Path, result: Result, random_search: SearchResult, search: SearchResult, readout: str) -> None:
    """Write ``convergence`` and ``dimensions`` into ``folder``.

    Args:
        folder: an existing folder.
        result: the run.
        random_search: the evaluations of random search.
        search: those of the search.
        readout: the searched readout.
    """
    figures = {
        "convergence": convergence(result, random_search, search, readout),
        "dimensions": dimensions(result, readout),
    }
    for name, figure in figures.items():
        write_figure(folder, name, figure)


def write_figure(folder: Path, name: str, figure: Figure) -> None:
    """Write a figure as ``NAME.png`` and ``NAME.pdf``, and forget it."""
    for ending in ("png", "pdf"):
        figure.savefig(folder / f"{name}.{ending}", dpi=150, bbox_inches="tight")
    plt.close(figure)


def convergence(result: Result, random_search: SearchResult, search: SearchResult, readout: str) -> Figure:
    """Best loss so far against evaluations, single evaluations as dots, every baseline as a labelled line."""
    figure, axes = plt.subplots(figsize=(7.5, 4.5))
    ends: list[tuple[float, str]] = []
    for method, found in (("random_search", random_search), ("aligned", search)):
        steps = np.arange(1, len(found.l1) + 1)
        best = found.l1_of_best()
        axes.plot(steps, found.l1, ".", color=COLOURS[method], markersize=3, alpha=0.4)
        axes.plot(steps, best, color=COLOURS[method], linewidth=2, drawstyle="steps-post")
        ends.append((float(best[-1]), method))
    for method in (m for m in DASHES if m not in ICL or m == result.icl(readout)):
        loss = result.score(method, "tuned", readout).loss
        if loss is not None:
            axes.axhline(loss, color=COLOURS[method], linestyle=DASHES[method], linewidth=1.3)
            ends.append((loss, method))
    _label_ends(axes, ends, labels(result, readout), result.digits + 1)
    axes.set_xlim(1, max(len(search.l1), 2))
    axes.set_xlabel("evaluations")
    axes.set_ylabel(f"loss (mean absolute difference, {result.unit})\ntuned wording, {readout} readout")
    axes.set_title(_title(result, "best candidate so far"), loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _title(result: Result, shown: str) -> str:
    return "\n".join(
        [
            f"{result.region.country} ({result.region.vintage}): {shown}",
            *(fill(line, 90) for line in origin(result)),
        ]
    )


def _label_ends(axes: Axes, ends: list[tuple[float, str]], names: dict[str, str], digits: int) -> None:
    """Name every line at the right edge, moved apart where lines lie close together."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.055
    position = -np.inf
    for value, method in sorted(ends):
        position = max(value, position + gap)
        axes.annotate(
            f"{names[method]} {value:.{digits}f}",
            xy=(1, value),
            xycoords=("axes fraction", "data"),
            xytext=(1.03, position),
            textcoords=("axes fraction", "data"),
            color=COLOURS[method],
            va="center",
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": COLOURS[method], "linewidth": 0.6},
        )


def dimensions(result: Result, readout: str) -> Figure:
    """Scores before and after beside the target, tuned wording and held-out wordings."""
    names = list(result.region.target)
    rows = np.arange(len(names))[::-1]
    figure, axes = plt.subplots(figsize=(7.5, 0.62 * len(names) + 1.5))
    axes.axvspan(*result.published_range, color="#f2f2f2", zorder=0)
    held_out = sorted({r.wording for r in result.scores if r.wording.startswith("held_out")})
    for method, offset in (("naive", 0.16), (result.icl(readout), 0.0), ("aligned", -0.16)):
        tuned = _scores(result, method, "tuned", readout, names)
        axes.plot(
            tuned,
            rows + offset,
            "o",
            color=COLOURS[method],
            markersize=7,
            label=labels(result, readout)[method],
            zorder=3,
        )
        for wording in held_out:
            other = _scores(result, method, wording, "expected", names)
            axes.plot(other, rows + offset, "o", color=COLOURS[method], markersize=5, markerfacecolor="none", zorder=2)
    target = np.array([np.nan if result.region.target[d] is None else result.region.target[d] for d in names])
    axes.plot(target, rows, "|", color="#0072B2", markersize=26, markeredgewidth=3, zorder=4)
    axes.plot([], [], "|", color="#0072B2", markersize=10, markeredgewidth=3, label="target")
    axes.plot([], [], "o", color="#666666", markerfacecolor="none", markersize=5, label="held-out wordings")
    axes.set_yticks(rows, names)
    axes.set_xlabel(f"{result.unit} ({readout} readout; the published scale is shaded)")
    axes.set_title(_title(result, "dimension scores"), loc="left", fontsize=11)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def _scores(result: Result, method: str, wording: str, readout: str, names: list[str]) -> NDArray[np.float64]:
    scores = result.score(method, wording, readout).dimensions
    return np.array([np.nan if scores[d] is None else scores[d] for d in names], dtype=float)
