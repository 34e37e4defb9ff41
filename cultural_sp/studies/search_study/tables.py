"""Tables of the study: losses of every run, curves of every search, and medians over regions and seeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from cultural_sp.config.groups import JOINT
from cultural_sp.config.studies import StudyConfig
from cultural_sp.reporting.aggregate import CONDITION_COLUMNS, run_table
from cultural_sp.reporting.text_tables import markdown_frame
from cultural_sp.runs.folder import RESULT, RunFolder
from cultural_sp.runs.history import best_so_far
from cultural_sp.runs.methods import METHODS as METHODS_TABLE
from cultural_sp.runs.result import ScoreRecord, load_result, pooled
from cultural_sp.studies.search_study.grid import GRADIENT, WARM, Cell

METHODS = (*METHODS_TABLE, GRADIENT)
CONDITIONS = {
    "tuned expected": (pooled("tuned"), "expected"),
    "held out expected": (pooled("held_out"), "expected"),
    "tuned argmax": (pooled("tuned"), "argmax"),
    "held out argmax": (pooled("held_out"), "argmax"),
}


def score_table(grid: Sequence[Cell]) -> pd.DataFrame:
    """Return losses, a row per run, region, method and condition."""
    entries = [(cell, folder) for cell in grid for folder in RunFolder(cell.config).regions.values()]
    results = [load_result(folder / RESULT) for _, folder in entries]
    with_gradient = [
        replace(result, scores=[*result.scores, *_gradient_records(cell)])
        for (cell, _), result in zip(entries, results, strict=True)
    ]
    table = run_table(with_gradient)
    cells = [entries[run][0] for run in table.run]
    named = table.assign(model=[cell.model for cell in cells], arm=[cell.arm for cell in cells])
    return named[["model", "arm", "region", "seed", *CONDITION_COLUMNS, "loss"]]


def _gradient_records(cell: Cell) -> list[ScoreRecord]:
    """Read the scores of the gradient reference; none if the study left it out for this run."""
    if not cell.gradient_file.is_file():
        return []
    entries = json.loads(cell.gradient_file.read_text(encoding="utf-8"))["records"]
    return [ScoreRecord(**entry) for entry in entries]


def curve_table(grid: Sequence[Cell]) -> pd.DataFrame:
    """Return the loss of the best candidate so far, a row per run, region, search and number of evaluations.

    An arm's random search draws from the arm's own space.
    """
    rows = [
        (cell.model, cell.arm, region, cell.seed, search, n, loss)
        for cell in grid
        for region in RunFolder(cell.config).regions
        for search, curve in best_so_far(cell.folder, region).items()
        for n, loss in curve.items()
    ]
    return pd.DataFrame(rows, columns=["model", "arm", "region", "seed", "search", "evaluations", "loss"])


def method_table(scores: pd.DataFrame) -> str:
    """Return median losses in Markdown: a row per region on the tuned wordings, then a row per condition over all regions."""
    tuned = scores[(scores.wording == pooled("tuned")) & (scores.readout == "expected")]
    present = [m for m in METHODS if m in set(scores.method)]
    by_region = tuned.pivot_table("loss", "region", "method", "median", sort=False)[present]
    rows = {f"{region} (tuned expected)": row for region, row in by_region.iterrows()}
    for name, (wording, readout) in CONDITIONS.items():
        chosen = scores[(scores.wording == wording) & (scores.readout == readout)]
        rows[f"**all, {name}**"] = chosen.groupby("method").loss.median().reindex(present)
    return markdown_frame(pd.DataFrame(rows).T, "median loss")


def verdicts(scores: pd.DataFrame) -> str:
    """Return the answers to the study's questions, as a list in Markdown."""
    wide = {
        name: scores[(scores.wording == wording) & (scores.readout == readout)].pivot_table(
            "loss", ["region", "seed"], "method", "mean"
        )
        for name, (wording, readout) in CONDITIONS.items()
    }
    tuned, held_out = wide["tuned expected"], wide["held out expected"]
    ratio = tuned.aligned.median() / tuned.naive.median()
    wins = int((tuned.aligned < tuned.random_search).sum())
    by_region = tuned.groupby(level="region").median()
    persona = int((by_region.aligned < by_region.persona).sum())
    gain, held_out_gain = (tuned.naive - tuned.aligned).median(), (held_out.naive - held_out.aligned).median()
    lines = [
        f"- median aligned loss over median naive loss: {ratio:.2f}",
        f"- below random search in {wins} of {len(tuned)} runs; below persona in the median of {persona} of "
        f"{len(by_region)} regions",
        f"- improvement over naive, median: {gain:.1f} on tuned wordings, {held_out_gain:.1f} on held-out wordings "
        f"({held_out_gain / gain:.0%} of it)",
    ]
    for name in ("tuned argmax", "held out argmax"):
        better = wide[name].naive - wide[name].aligned
        lines.append(
            f"- {name}: median improvement {better.median():.1f}, better in {int((better > 0).sum())} of {len(better)} runs"
        )
    return "\n".join(lines)


def arm_table(curves: pd.DataFrame) -> str:
    """Return median losses over regions and seeds after a quarter, half and all of the evaluations, in Markdown."""
    budget = int(curves[~curves.arm.isin((JOINT, WARM))].evaluations.max())
    marks = sorted({max(1, budget // 4), max(1, budget // 2), budget})
    rows = {}
    for (arm, search), part in curves.groupby(["arm", "search"], sort=False):
        name = arm if search == "aligned" else f"random search in the space of {arm}"
        at = {f"{m} evaluations": part[part.evaluations == m].loss.median() for m in marks}
        last = part[part.evaluations == part.evaluations.max()].loss
        rows[name] = {
            **at,
            "quartiles at the end": f"{last.quantile(0.25):.1f}-{last.quantile(0.75):.1f}",
            "runs": str(len(last)),
        }
    return markdown_frame(pd.DataFrame(rows).T, "median loss")


def savings(curves: pd.DataFrame, config: StudyConfig) -> str:
    """Return after how many evaluations joint runs and warm starts reach the final median loss of the chosen arm.

    A list in Markdown; empty if the study has neither.
    """
    median = curves[curves.search == "aligned"].groupby(["arm", "evaluations"]).loss.median()
    alone = median[config.chosen]
    lines = []
    for arm, times in ((JOINT, len(config.regions)), (WARM, 1)):
        if arm in median.index.get_level_values("arm"):
            reached = median[arm].index[median[arm] <= alone.iloc[-1]]
            after = f"after {reached[0]}" if len(reached) else f"not after {median[arm].index[-1]}"
            what = f"one joint run of {times} regions" if arm == JOINT else "from the journal of another region"
            lines.append(
                f"- {what}: the median loss of {alone.iloc[-1]:.1f} that takes {times * alone.index[-1]} evaluations alone is "
                f"reached {after} evaluations"
            )
    return "\n".join(lines)
