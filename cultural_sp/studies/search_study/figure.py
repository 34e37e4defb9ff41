"""Figure of the study: loss against evaluations of every arm."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cultural_sp.config.groups import JOINT
from cultural_sp.config.studies import StudyConfig
from cultural_sp.reporting.figure_data import Level, summary_curve
from cultural_sp.reporting.panels import convergence_panel, legend_beside
from cultural_sp.runs.methods import METHODS as METHODS_TABLE
from cultural_sp.runs.result import pooled
from cultural_sp.studies.search_study.grid import GRADIENT, WARM

ARM_LABELS = {JOINT: "joint, evaluations of all regions", WARM: "warm start from another region"}
BASELINE_DASHES = {key: METHODS_TABLE[key].dash for key in ("naive", "persona", "midpoint")} | {GRADIENT: (8, 3)}
RANDOM_SEARCH_DASH = (4, 2)
QUARTILES = (0.25, 0.75)
PALETTE = ("#009E73", "#0072B2", "#D55E00", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")


def convergence_figure(
    curves: pd.DataFrame, scores: pd.DataFrame, config: StudyConfig, notes: Sequence[str] = ()
) -> Figure:
    """Draw loss against evaluations: a panel per model, a line per arm, quartiles of the chosen arm; ``notes`` below."""
    figure, axes = plt.subplots(len(config.models), 1, figsize=(9.5, 4.5 * len(config.models)), squeeze=False)
    for panel, model in zip(axes[:, 0], config.models, strict=True):
        _panel(panel, curves[curves.model == model], scores[scores.model == model], config.chosen)
        panel.set_title(f"{model}: {len(config.regions)} regions, {len(config.seeds)} seeds", loc="left", fontsize=11)
        panel.set_ylabel("loss of the best candidate so far\n(mean absolute difference)")
    figure.tight_layout()
    for number, note in enumerate(notes):
        text = textwrap.fill(note.replace("*", ""), 110)
        figure.text(0.02, -0.01 - 0.05 * number, text, fontsize=9, va="top")
    return figure


def _panel(panel: Axes, curves: pd.DataFrame, scores: pd.DataFrame, chosen: str) -> None:
    """Draw the arms of one model, and the chosen arm's baselines."""
    lines = [(arm, "aligned") for arm in curves.arm.unique()] + [(chosen, "random_search")]
    arm_curves = []
    for (arm, search), colour in zip(lines, PALETTE * len(lines), strict=False):
        part = curves[(curves.arm == arm) & (curves.search == search)]
        best = part.pivot_table("loss", ["region", "seed"], "evaluations", dropna=False).to_numpy()
        name = ARM_LABELS.get(arm, arm) if search == "aligned" else f"random search ({arm})"
        label = f"{name} {np.nanmedian(best[:, -1]):.1f}"
        dash = () if search == "aligned" else RANDOM_SEARCH_DASH
        arm_curves.append(summary_curve(label, colour, best, QUARTILES if arm == chosen else None, dash))
    tuned = scores[(scores.arm == chosen) & (scores.wording == pooled("tuned")) & (scores.readout == "expected")]
    medians = tuned.groupby("method").loss.median().dropna()
    levels = [
        Level(f"{method.replace('_', ' ')} {medians[method]:.1f}", "black", medians[method], dash)
        for method, dash in BASELINE_DASHES.items()
        if method in medians.index
    ]
    convergence_panel(panel, arm_curves, levels)
    legend_beside(panel)
