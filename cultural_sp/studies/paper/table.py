"""Table 1: the loss of every method for every region, and what the model knows before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from cultural_sp.reporting.aggregate import dimension_table, with_icl
from cultural_sp.reporting.text_tables import markdown_frame
from cultural_sp.runs.methods import METHODS
from cultural_sp.runs.result import Result, pooled
from cultural_sp.stats.intervals import Interval, bootstrap, rank_agreement, wilson
from cultural_sp.studies.paper.runs import Runs
from cultural_sp.types import Array
from cultural_sp.utils.files import disk_errors, write_text

METHOD_LABELS = {"naive": "Naive", "icl": "ICL (strongest)", "aligned": "DE"} | {
    key: METHODS[key].label for key in ("random_search", "midpoint")
}
"""Method -> its name in the paper, or its usual label if the paper doesn't have it, in the order of the table."""
CONDITIONS = {
    "tuned": "Loss on what was tuned; intervals over seeds",
    "held_out": "Loss on held-out wordings, which no search saw, pooled; intervals over seeds",
    "single": "Mean loss of single held-out wordings; intervals over seeds and wordings",
}
SINGLE = "single"
QUESTION_FORMS = ("easy", "hard")
ICL_DEFINITION = (
    "ICL is, for each run, the strongest on the tuned wordings of persona, persona with demonstrations (which sides they take "
    "follows from the target scores) and persona in the region's language."
)
PROMPTED_METHODS = ("naive", "icl", "aligned")
"""The methods that also answer knowledge questions."""
MEAN = "mean"
Row = tuple[str, str, str, float, float, float, int, int]


def write_table(runs: Runs, folder: Path) -> None:
    """Write ``table_1.csv`` (tidy, all numbers), ``table_1.md`` and ``table_1.tex`` (as printed)."""
    tidy = tidy_table(runs)
    panels = {title: _panel(tidy, condition) for condition, title in CONDITIONS.items()}
    for form in QUESTION_FORMS:
        if (tidy.condition == form).any():
            title = f"{_knowledge_title(runs)}, {form} form: share of questions about the region's own country answered right"
            panels[title] = _panel(tidy, form)
    caption = f"VSM13 loss (mean absolute difference, index points), {runs.readout} readout. {runs.caption()}."
    with disk_errors(folder / "table_1.csv"):
        tidy.to_csv(folder / "table_1.csv", index=False)
    write_text(folder / "table_1.md", _markdown(runs, caption, panels))
    write_text(folder / "table_1.tex", _latex(runs, caption, panels))


def _markdown(runs: Runs, caption: str, panels: Mapping[str, pd.DataFrame]) -> str:
    parts = ["# Table 1", caption, ICL_DEFINITION, *(f"**{note}**" for note in runs.notes)]
    for title, panel in panels.items():
        parts += [f"{title}.", markdown_frame(panel, "method")]
    parts.append("Kendall's tau-b over regions between scores and targets, per dimension, mean over seeds.")
    return "\n\n".join([*parts, kendall(runs)]) + "\n"


def _latex(runs: Runs, caption: str, panels: Mapping[str, pd.DataFrame]) -> str:
    comments = [f"% {line}" for line in (caption, *runs.notes)]
    tables = [panel.to_latex(caption=f"{caption} {title}.", escape=True) for title, panel in panels.items()]
    return "\n".join([*comments, *tables])


def tidy_table(runs: Runs) -> pd.DataFrame:
    """Return all numbers of the table, a row per condition, region (or ``mean``) and method.

    The columns are ``estimate``, ``low`` and ``high`` of the 95 % interval (NaN where nothing varies), and the numbers of
    ``seeds`` and ``wordings``. Losses are in index points. Under the conditions ``easy`` and ``hard`` the estimate is the
    accuracy, from 0 to 1, on knowledge questions of this form.
    """
    rows: list[Row] = []
    for condition in CONDITIONS:
        table = _rows_of(runs, condition)
        for method in METHOD_LABELS:
            by_region = {code: _losses(table, method, code) for code in runs.codes}
            complete = {code: losses for code, losses in by_region.items() if losses.size}
            if len({losses.shape for losses in complete.values()}) == 1 and len(complete) == len(by_region):
                complete[MEAN] = np.mean(list(complete.values()), axis=0)
            for region, losses in complete.items():
                n_wordings = len(runs.wordings("held_out" if condition == SINGLE else condition))
                rows.append((condition, region, method, *_interval(losses), len(losses), n_wordings))
    columns = ["condition", "region", "method", "estimate", "low", "high", "seeds", "wordings"]
    return pd.DataFrame([*rows, *_knowledge(runs)], columns=columns)


def _rows_of(runs: Runs, condition: str) -> pd.DataFrame:
    """Return the rows of :func:`~cultural_sp.reporting.aggregate.run_table` that a condition is about."""
    names = runs.wordings("held_out") if condition == SINGLE else [pooled(condition)]
    return runs.losses[(runs.losses.readout == runs.readout) & runs.losses.wording.isin(names)]


def _losses(table: pd.DataFrame, method: str, code: str) -> Array:
    """Return losses [seeds, wordings] of a method for a region; an empty array if one is missing."""
    rows = table[(table.method == method) & (table.region == code)]
    losses = rows.pivot_table("loss", "seed", "wording", dropna=False)
    complete = len(losses) and losses.notna().to_numpy().all()
    return losses.to_numpy(dtype=float) if complete else np.empty((0, 0))


def _interval(values: Array) -> tuple[float, float, float]:
    """Return the mean of values [seeds, wordings] and the ends of its interval over the axes along which they vary."""
    axes = [axis for axis in (0, 1) if values.shape[axis] > 1 and np.ptp(values, axis=axis).any()]
    if not axes:
        return float(values.mean()), np.nan, np.nan
    interval = bootstrap(values, axes)
    return interval.estimate, interval.low, interval.high


def _knowledge(runs: Runs) -> list[Row]:
    """Return rows whose condition is the form of the questions: accuracy with an interval over questions and seeds."""
    rows: list[Row] = []
    for form, method, code in product(QUESTION_FORMS, PROMPTED_METHODS, runs.codes):
        results = [r for r in runs.results if r.region.code == code]
        answers = [_right(r, runs.readout, method, form) for r in results]
        if all(right is not None for right in answers):
            share = _share(np.array(answers, dtype=float))
            rows.append((form, code, method, share.estimate, share.low, share.high, len(results), 0))
    return rows


def _right(result: Result, readout: str, method: str, form: str) -> list[bool] | None:
    """Return which questions about its own country a method answered right, orders averaged; None if it answered none."""
    if result.knowledge is None:
        return None
    key = result.icl(readout) if method == "icl" else method
    for score in result.knowledge.scores:
        if (score.method, score.task, score.order, score.country) == (key, form, "averaged", result.region.country):
            return list(score.answers.values())
    return None


def _share(answers: Array) -> Interval:
    """Return the share of right answers [seeds, questions]: Wilson's interval if all seeds answered alike, else a bootstrap's."""
    if (answers == answers[0]).all():
        return wilson(int(answers[0].sum()), answers.shape[1])
    interval = bootstrap(answers, [axis for axis in (0, 1) if answers.shape[axis] > 1])
    return Interval(interval.estimate, max(interval.low, 0.0), min(interval.high, 1.0))


def _panel(tidy: pd.DataFrame, condition: str) -> pd.DataFrame:
    """Return estimates and intervals as text, methods x regions."""
    rows = tidy[tidy.condition == condition]
    text: Callable[[pd.Series], str] = _percent if condition in QUESTION_FORMS else _points
    cells = rows.assign(text=rows.apply(text, axis=1)).pivot_table("text", "method", "region", "first", sort=False)
    table = cells.rename(index=METHOD_LABELS, columns=lambda code: code if code == MEAN else str(code).upper())
    return table.rename_axis(index=None, columns=None)


def _points(row: pd.Series) -> str:
    return f"{row.estimate:.1f}" + ("" if pd.isna(row.low) else f" [{row.low:.1f}, {row.high:.1f}]")


def _percent(row: pd.Series) -> str:
    return f"{row.estimate:.0%}" + ("" if pd.isna(row.low) else f" [{row.low:.0%}, {row.high:.0%}]")


def _knowledge_title(runs: Runs) -> str:
    return next((r.knowledge.title for r in runs.results if r.knowledge is not None), "")


def kendall(runs: Runs) -> str:
    """Return the rank agreement of tuned scores with targets over regions, a Markdown table of methods x dimensions."""
    table = with_icl(dimension_table(runs.results), runs.readout)
    table = table[(table.wording == pooled("tuned")) & (table.readout == runs.readout)]
    dimensions = list(runs.results[0].region.target)
    rows = {}
    for method in PROMPTED_METHODS:
        taus = []
        for _, by_seed in table[table.method == method].groupby("seed"):
            wide = by_seed.pivot(index="region", columns="dimension", values=["score", "target"])
            agreements = rank_agreement(wide["score"][dimensions], wide["target"][dimensions])
            taus.append([np.nan if a.tau_b is None else a.tau_b for a in agreements])
        means = pd.DataFrame(taus, columns=dimensions).mean()
        # The plain model answers alike for every region, so it has no ranks: a dash.
        rows[METHOD_LABELS[method]] = means.map(lambda tau: "-" if pd.isna(tau) else f"{tau:+.2f}")
    return markdown_frame(pd.DataFrame(rows).T, "method")
