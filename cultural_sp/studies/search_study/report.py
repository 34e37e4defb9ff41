"""The report of the study: its tables in Markdown and CSV, and its figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from cultural_sp.config.groups import ModelConfig
from cultural_sp.config.studies import StudyConfig
from cultural_sp.studies.search_study.figure import convergence_figure
from cultural_sp.studies.search_study.grid import Cell
from cultural_sp.studies.search_study.tables import arm_table, curve_table, method_table, savings, score_table, verdicts
from cultural_sp.utils.files import disk_errors, write_text
from cultural_sp.utils.terminal import show


def write_report(folder: Path, config: StudyConfig, grid: Sequence[Cell]) -> None:
    """Write ``study.md``, ``scores.csv``, ``curves.csv`` and ``curves.png`` into ``folder``, and print the first."""
    scores = score_table(grid)
    curves = curve_table(grid)
    parts = ["# The search on trial", *_notes(grid)]
    for model in config.models:
        chosen = scores[(scores.model == model) & (scores.arm == config.chosen)]
        parts += [f"## {model}: arm {config.chosen}", method_table(chosen), verdicts(chosen)]
        by_arm = curves[curves.model == model]
        parts += ["### All arms", arm_table(by_arm), savings(by_arm, config)]
    with disk_errors(folder):
        scores.to_csv(folder / "scores.csv", index=False)
        curves.to_csv(folder / "curves.csv", index=False)
        convergence_figure(curves, scores, config, _notes(grid)).savefig(
            folder / "curves.png", dpi=150, bbox_inches="tight"
        )
        plt.close("all")
    text = "\n\n".join(parts) + "\n"
    write_text(folder / "study.md", text)
    show(text)


def _notes(grid: Sequence[Cell]) -> list[str]:
    """Return the notes of the models, which stand beside their numbers."""
    models: dict[str, ModelConfig] = {cell.model: cell.config.model for cell in grid}
    return [f"**{name}**: {model.note}." for name, model in models.items() if model.note]
