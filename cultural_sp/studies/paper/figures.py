"""The figures of a reproduction, as PNG and PDF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import fill

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cultural_sp.config.registries import GENERATE, READOUTS
from cultural_sp.reporting.figures import COLOURS, DASHES, write_figure
from cultural_sp.runs.history import best_so_far
from cultural_sp.runs.result import SEARCHES
from cultural_sp.studies.paper.artefacts import Runs
from cultural_sp.studies.paper.table import METHODS
from cultural_sp.utils.files import disk_errors

COLOUR = {**COLOURS, "icl": COLOURS["persona"]}
DASH = {**DASHES, "icl": DASHES["persona"]}


def save_figure(name: str, runs: Runs, folder: Path) -> None:
    """Draw one of :data:`FIGURES` into ``figure_NAME.png`` and ``.pdf``."""
    figure = FIGURES[name](runs)
    told = [runs.caption(), *runs.notes]
    figure.text(0.01, -0.02, "\n".join(fill(line, 150) for line in told), fontsize=8, va="top", color="#444444")
    with disk_errors(folder):
        write_figure(folder, f"figure_{name}", figure)


def _panels(runs: Runs, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A panel for each region."""
    figure, axes = plt.subplots(
        1, len(runs.codes), figsize=(width * len(runs.codes), height), squeeze=False, sharey=True, layout="constrained"
    )
    countries = {r.region.code: r.region.country for r in runs.results}
    for panel, code in zip(axes[0], runs.codes, strict=True):
        panel.set_title(countries[code], loc="left", fontsize=11)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, list(axes[0])


def convergence(runs: Runs) -> Figure:
    """Loss of the best candidate so far: median over seeds, band from lowest to highest; other methods as lines."""
    figure, panels = _panels(runs, 3.4, 3.8)
    table = runs.losses[(runs.losses.wording == "tuned") & (runs.losses.readout == runs.readout)]
    for panel, code in zip(panels, runs.codes, strict=True):
        own = [
            best_so_far(folder, code)
            for folder, result in zip(runs.folders, runs.results, strict=True)
            if result.region.code == code
        ]
        for search in SEARCHES:
            curves = pd.DataFrame([curve[search] for curve in own])
            steps = curves.columns.to_numpy(dtype=float)
            panel.plot(steps, curves.median(), color=COLOUR[search], linewidth=1.8, label=METHODS[search])
            panel.fill_between(steps, curves.min(), curves.max(), color=COLOUR[search], alpha=0.18, linewidth=0)
        for method in ("naive", "icl", "midpoint"):
            losses = table[(table.method == method) & (table.region == code)].loss
            if len(losses):
                panel.axhline(
                    losses.mean(), color=COLOUR[method], linestyle=DASH[method], linewidth=1.2, label=METHODS[method]
                )
        panel.set_xlabel("evaluations")
        panel.set_ylim(bottom=0)
    panels[0].set_ylabel(f"loss of the best candidate so far\n(index points, tuned wording, {runs.readout} readout)")
    panels[-1].legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def dimensions(runs: Runs) -> Figure:
    """Dimension scores: target, naive, in-context and aligned; dots are seeds."""
    figure, panels = _panels(runs, 3.4, 4.0)
    for panel, code in zip(panels, runs.codes, strict=True):
        own = [r for r in runs.results if r.region.code == code]
        names = list(own[0].region.target)
        rows = np.arange(len(names))[::-1]
        panel.axvspan(0, 100, color="#f2f2f2", zorder=0)
        for method, offset in (("naive", 0.22), ("icl", 0.0), ("aligned", -0.22)):
            for i, result in enumerate(own):
                name = result.icl(runs.readout) if method == "icl" else method
                scores = result.score(name, "tuned", runs.readout).dimensions
                x = np.array([scores[d] for d in names], dtype=float)
                label = METHODS[method] if i == 0 else None
                panel.plot(x, rows + offset, "o", color=COLOUR[method], markersize=4, alpha=0.7, label=label, zorder=3)
        wanted = np.array([own[0].region.target[d] for d in names], dtype=float)
        panel.plot(wanted, rows, "|", color="#0072B2", markersize=26, markeredgewidth=3, zorder=2)
        panel.set_yticks(rows, names)
    panels[-1].plot([], [], "|", color="#0072B2", markersize=10, markeredgewidth=3, label="target")
    panels[-1].legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.supxlabel("index points (the published scale is shaded); a dot per seed", fontsize=10)
    return figure


def readouts(runs: Runs) -> Figure:
    """Loss under each readout on the tuned wording, mean over seeds, whiskers from lowest to highest."""
    table = runs.losses[runs.losses.wording == "tuned"]
    kinds = [kind for kind in (*READOUTS, GENERATE) if (table.readout == kind).any()]
    return _bars(runs, {kind: table[table.readout == kind] for kind in kinds}, "readout on the tuned wording")


def wordings(runs: Runs) -> Figure:
    """Loss on the tuned wording and on each held-out one, mean over seeds, whiskers from lowest to highest."""
    table = runs.losses[runs.losses.readout == runs.readout]
    groups = {w.replace("_", " "): table[table.wording == w] for w in dict.fromkeys(table.wording)}
    return _bars(runs, groups, f"wording under the {runs.readout} readout")


def _bars(runs: Runs, groups: dict[str, pd.DataFrame], what: str) -> Figure:
    figure, panels = _panels(runs, 3.4, 3.6)
    methods = [m for m in METHODS if any((table.method == m).any() for table in groups.values())]
    width = 0.8 / len(methods)
    for panel, code in zip(panels, runs.codes, strict=True):
        for i, method in enumerate(methods):
            losses = [t[(t.method == method) & (t.region == code)].loss for t in groups.values()]
            means = np.array([x.mean() for x in losses])
            reach = np.abs(np.array([[x.min() for x in losses], [x.max() for x in losses]]) - means)
            at = np.arange(len(groups)) + (i - (len(methods) - 1) / 2) * width
            panel.bar(at, means, width, color=COLOUR[method], label=METHODS[method])
            panel.errorbar(at, means, reach, fmt="none", ecolor="#444444", elinewidth=0.8, capsize=1.5)
        panel.set_xticks(np.arange(len(groups)), list(groups), fontsize=8)
    panels[0].set_ylabel("loss (mean absolute difference, index points)")
    figure.supxlabel(what, fontsize=10)
    panels[-1].legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


FIGURES: dict[str, Callable[[Runs], Figure]] = {
    "convergence": convergence,
    "dimensions": dimensions,
    "readouts": readouts,
    "wordings": wordings,
}
"""Name -> draws it."""
