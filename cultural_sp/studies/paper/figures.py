"""Draws the figures of a reproduction, as PNG and PDF."""

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
from cultural_sp.reporting import figures as run_figures
from cultural_sp.reporting.figure_data import (
    Curve,
    Level,
    highest_loss,
    loss_level,
    score_marks,
    summary_curve,
)
from cultural_sp.reporting.panels import convergence_panel, dimension_panel, legend_beside
from cultural_sp.runs.history import best_so_far
from cultural_sp.runs.methods import SEARCHES, style_of
from cultural_sp.runs.result import KINDS, pooled
from cultural_sp.studies.paper.runs import Runs
from cultural_sp.studies.paper.table import METHOD_LABELS
from cultural_sp.utils.files import disk_errors
from cultural_sp.utils.serialize import as_array


def save_figure(name: str, runs: Runs, folder: Path) -> None:
    """Draw one of :data:`FIGURES` into ``figure_NAME.png`` and ``.pdf``."""
    figure = FIGURES[name](runs)
    caption = [runs.caption(), *runs.notes]
    figure.text(0.01, -0.02, "\n".join(fill(line, 150) for line in caption), fontsize=8, va="top", color="#444444")
    with disk_errors(folder):
        run_figures.save_figure(folder, f"figure_{name}", figure)


def _panels(runs: Runs, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with an empty panel for each region."""
    figure, axes = plt.subplots(
        1, len(runs.codes), figsize=(width * len(runs.codes), height), squeeze=False, sharey=True, layout="constrained"
    )
    countries = {r.region.code: r.region.country for r in runs.results}
    for panel, code in zip(axes[0], runs.codes, strict=True):
        panel.set_title(countries[code], loc="left", fontsize=11)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, list(axes[0])


def convergence(runs: Runs) -> Figure:
    """Draw the loss of the best candidate so far: median over seeds, band from lowest to highest; other methods as lines."""
    figure, panels = _panels(runs, 3.4, 3.8)
    table = runs.losses[(runs.losses.wording == pooled("tuned")) & (runs.losses.readout == runs.readout)]
    content = [(_curves(runs, code), _levels(table[table.region == code])) for code in runs.codes]
    top = max(highest_loss(curves, levels) for curves, levels in content)
    for panel, (curves, levels) in zip(panels, content, strict=True):
        convergence_panel(panel, curves, levels, top)
    panels[0].set_ylabel(f"loss of the best candidate so far\n(index points, tuned, {runs.readout} readout)")
    legend_beside(panels[-1], 8)
    return figure


def _curves(runs: Runs, code: str) -> list[Curve]:
    """Return the searches of a region, each summarised over its seeds."""
    folders = [f for f, result in zip(runs.folders, runs.results, strict=True) if result.region.code == code]
    by_seed = [best_so_far(folder, code) for folder in folders]
    return [
        summary_curve(
            METHOD_LABELS[search], style_of(search).colour, pd.DataFrame([x[search] for x in by_seed]).to_numpy()
        )
        for search in SEARCHES
    ]


def _levels(table: pd.DataFrame) -> list[Level]:
    """Return the mean losses of the other methods, from a region's rows of the table of losses."""
    losses = table.groupby("method").loss.mean()
    return [loss_level(m, METHOD_LABELS[m], losses[m]) for m in ("naive", "icl", "midpoint") if m in losses.index]


def dimensions(runs: Runs) -> Figure:
    """Draw dimension scores of the target, naive, in-context and aligned; a mark per seed."""
    figure, panels = _panels(runs, 3.4, 4.0)
    for panel, code in zip(panels, runs.codes, strict=True):
        results = [r for r in runs.results if r.region.code == code]
        target = results[0].region.target
        marks = [
            score_marks(results, method, METHOD_LABELS[method], runs.readout, ([pooled("tuned")], []))
            for method in ("naive", "icl", "aligned")
        ]
        dimension_panel(panel, list(target), marks, as_array(target.values()), results[0].published_range)
    legend_beside(panels[-1], 8)
    figure.supxlabel("index points (the published scale is shaded); a mark per seed", fontsize=10)
    return figure


def readouts(runs: Runs) -> Figure:
    """Draw the loss under each readout on the first tuned wording: mean over seeds, whiskers from lowest to highest."""
    table = runs.losses[runs.losses.wording == "tuned"]
    kinds = [kind for kind in (*READOUTS, GENERATE) if (table.readout == kind).any()]
    return _bars(runs, {kind: table[table.readout == kind] for kind in kinds}, "readout on the first tuned wording")


def wordings(runs: Runs) -> Figure:
    """Draw the loss on every kind of wordings, pooled and single: mean over seeds, whiskers from lowest to highest."""
    table = runs.losses[runs.losses.readout == runs.readout]
    groups = {}
    for kind, name in KINDS.items():
        if single := runs.wordings(kind):
            groups[f"{name}, pooled"] = table[table.wording == pooled(kind)]
            groups[f"{name}, single ({len(single)})"] = table[table.wording.isin(single)]
    return _bars(runs, groups, f"wordings under the {runs.readout} readout")


def _bars(runs: Runs, groups: dict[str, pd.DataFrame], label: str) -> Figure:
    figure, panels = _panels(runs, 3.4, 3.6)
    methods = [m for m in METHOD_LABELS if any((table.method == m).any() for table in groups.values())]
    width = 0.8 / len(methods)
    for panel, code in zip(panels, runs.codes, strict=True):
        for i, method in enumerate(methods):
            losses = [t[(t.method == method) & (t.region == code)].loss for t in groups.values()]
            means = np.array([x.mean() for x in losses])
            whiskers = np.abs(np.array([[x.min() for x in losses], [x.max() for x in losses]]) - means)
            positions = np.arange(len(groups)) + (i - (len(methods) - 1) / 2) * width
            panel.bar(positions, means, width, color=style_of(method).colour, label=METHOD_LABELS[method])
            panel.errorbar(positions, means, whiskers, fmt="none", ecolor="#444444", elinewidth=0.8, capsize=1.5)
        panel.set_xticks(np.arange(len(groups)), list(groups), fontsize=8)
    panels[0].set_ylabel("loss (mean absolute difference, index points)")
    figure.supxlabel(label, fontsize=10)
    legend_beside(panels[-1], 8)
    return figure


FIGURES: dict[str, Callable[[Runs], Figure]] = {
    "convergence": convergence,
    "dimensions": dimensions,
    "readouts": readouts,
    "wordings": wordings,
}
"""Name -> function that draws the figure."""
