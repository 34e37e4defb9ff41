"""The program ``wordings``: draws how the loss falls with the number of wordings that a search saw and that a score pools."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from cultural_sp.config.error_messages import exit_on_bad_input
from cultural_sp.reporting.figures import save_figure
from cultural_sp.reporting.text_tables import text_table
from cultural_sp.runs.folder import finished_runs, result_files
from cultural_sp.runs.result import Result, load_result
from cultural_sp.search.objective import l1_loss
from cultural_sp.utils.files import disk_errors, write_text
from cultural_sp.utils.serialize import as_array
from cultural_sp.utils.terminal import show

NAME = "wordings"
SHADES = ("#9ecae1", "#6baed6", "#3182bd", "#08519c")  # from few tuned wordings to many


def pooled_losses(result: Result) -> list[float]:
    """Return the losses of the aligned model on 1, 2, ... held-out wordings, pooled: the mean over all choices of so many."""
    scores = np.stack(
        [as_array(result.score("aligned", wording).dimensions.values()) for wording in result.wordings("held_out")]
    )
    target = as_array(result.region.target.values())
    return [
        float(
            np.mean(
                [l1_loss(scores[list(chosen)].mean(axis=0), target) for chosen in combinations(range(len(scores)), n)]
            )
        )
        for n in range(1, len(scores) + 1)
    ]


def loss_table(results: Sequence[Result]) -> pd.DataFrame:
    """Return the losses by number of tuned (rows) and of held-out wordings (columns), means over regions, then over seeds.

    Only regions are kept that have a run for every number of tuned wordings, so that all rows are means over the same ones.

    Raises:
        ValueError: if no run has held-out wordings.
    """
    rows = [
        {"tuned": len(result.wordings("tuned")), "region": result.region.code, "held_out": n, "loss": loss}
        for result in results
        if result.wordings("held_out")
        for n, loss in enumerate(pooled_losses(result), 1)
    ]
    if not rows:
        raise ValueError("no run with held-out wordings; give folders of finished runs of a survey that has some")
    table = pd.DataFrame(rows).pivot_table(index=["region", "tuned"], columns="held_out", values="loss")
    numbers = table.index.unique("tuned")
    complete = table.groupby("region").filter(lambda runs: len(runs) == len(numbers))
    return (table if complete.empty else complete).groupby("tuned").mean()


def draw(results: Sequence[Result], output: Path) -> str:
    """Save the figure and its numbers in a folder; return the numbers as text.

    Raises:
        ValueError: if no run has held-out wordings, or if the disk refuses a file.
    """
    table = loss_table(results)
    figure, axes = plt.subplots(figsize=(6.5, 3.8))
    for shade, (tuned, losses) in zip(
        np.linspace(0, len(SHADES) - 1, len(table)).round().astype(int), table.iterrows(), strict=True
    ):
        label = f"{tuned} tuned wording{'s' * (tuned != 1)}"
        axes.plot(losses.index, losses, marker="o", color=SHADES[shade], label=label)
    midpoint = float(np.mean([loss for r in results if (loss := r.score("midpoint").loss) is not None]))
    axes.axhline(midpoint, color="#777777", linestyle="--", label="midpoint respondent")
    axes.set(xlabel="held-out wordings pooled", ylim=(0, None))
    axes.set_ylabel(f"loss (mean absolute difference, {results[0].unit})")
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    with disk_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        save_figure(output, NAME, figure)
    write_text(output / f"{NAME}.csv", table.to_csv())
    heads = ["tuned wordings", *(f"{n} held out" for n in table.columns)]
    return text_table(heads, [[str(tuned), *(f"{x:.1f}" for x in losses)] for tuned, losses in table.iterrows()])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program: ``cultural-sp wordings FOLDER ... --output FOLDER``."""
    parser = argparse.ArgumentParser(description="Draw how the loss falls with the number of wordings.")
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="run folders, or folders above several")
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="FOLDER", help="where the figure goes; default: here"
    )
    given = parser.parse_args(arguments)
    with exit_on_bad_input():
        files = [file for folder in given.folders for run in finished_runs(folder) for file in result_files(run)]
        show(draw([load_result(file) for file in files], given.output))
