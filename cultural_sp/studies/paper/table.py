"""Table 1: the loss of every method for every region, and what the model knows before and after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from cultural_sp.reporting.aggregate import select
from cultural_sp.reporting.text_tables import markdown_frame
from cultural_sp.runs.result import Result
from cultural_sp.stats.intervals import Interval, bootstrap, rank_agreement, wilson
from cultural_sp.studies.paper.runs import Runs
from cultural_sp.types import Array
from cultural_sp.utils.files import disk_errors, write_text

METHODS = {
    "naive": "Naive",
    "icl": "ICL (strongest)",
    "aligned": "DE",
    "random_search": "random search",
    "midpoint": "midpoint respondent",
}
CONDITIONS = {
    "tuned": "Loss on the tuned wording; intervals over seeds",
    "held_out": "Loss on held-out wordings, which no search saw; intervals over seeds",
    "any": "Loss on all wordings; intervals over seeds and wordings",
}
ICL_IS = (
    "ICL is, for each run, the strongest on the tuned wording of persona, persona with demonstrations (which sides they take "
    "follows from the target scores) and persona in the region's language."
)
KNOWN = ("naive", "icl", "aligned")
MEAN = "mean"
Row = tuple[str, str, str, float, float, float, int, int]


def write_table(runs: Runs, folder: Path) -> None:
    """``table_1.csv`` (tidy, all numbers), ``.md`` and ``.tex`` (as printed)."""
    tidy = tidy_table(runs)
    panels = {title: _panel(tidy, condition) for condition, title in CONDITIONS.items()}
    panels |= {
        f"{_asked(runs)}, {form} form: share of questions about the region's own country answered right": _panel(
            tidy, form
        )
        for form in ("easy", "hard")
        if (tidy.condition == form).any()
    }
    agreement = kendall(runs)
    title = f"VSM13 loss (mean absolute difference, index points), {runs.readout} readout. {runs.caption()}."
    with disk_errors(folder / "table_1.csv"):
        tidy.to_csv(folder / "table_1.csv", index=False)
    parts = ["# Table 1", title, ICL_IS, *(f"**{note}**" for note in runs.notes)]
    for name, panel in panels.items():
        parts += [f"{name}.", markdown_frame(panel, "method")]
    parts += ["Kendall's tau-b over regions between scores and targets, per dimension, mean over seeds.", agreement]
    write_text(folder / "table_1.md", "\n\n".join(parts) + "\n")
    tex = ["% " + title, *(f"% {note}" for note in runs.notes)]
    for name, panel in panels.items():
        tex.append(panel.to_latex(caption=f"{title} {name}.", escape=True))
    write_text(folder / "table_1.tex", "\n".join(tex))


def tidy_table(runs: Runs) -> pd.DataFrame:
    """A row per condition, region (or ``mean``) and method: estimate, low, high of the 95 % interval, seeds and wordings."""
    rows: list[Row] = []
    for condition in CONDITIONS:
        there = select(runs.losses, r"\w+" if condition == "any" else condition, runs.readout)
        for method in METHODS:
            found = {code: _losses(there, method, code) for code in runs.codes}
            known = {code: x for code, x in found.items() if x.size}
            if len({x.shape for x in known.values()}) == 1 and len(known) == len(found):
                known[MEAN] = np.mean(list(known.values()), axis=0)
            for region, x in known.items():
                if condition != "any":
                    x = x.mean(axis=1, keepdims=True)  # wordings as they are
                rows.append((condition, region, method, *_interval(x), x.shape[0], there.wording.nunique()))
    rows += _knowledge(runs)
    columns = ["condition", "region", "method", "estimate", "low", "high", "seeds", "wordings"]
    return pd.DataFrame(rows, columns=columns)


def _losses(table: pd.DataFrame, method: str, code: str) -> Array:
    """Losses [seeds, wordings] of a method for a region; nothing if one is missing."""
    own = table[(table.method == method) & (table.region == code)].pivot_table("loss", "seed", "wording", dropna=False)
    return own.to_numpy(dtype=float) if len(own) and own.notna().to_numpy().all() else np.empty((0, 0))


def _interval(values: Array) -> tuple[float, float, float]:
    """Mean of values [seeds, wordings or questions] with an interval over the axes along which they vary."""
    varies = [axis for axis in (0, 1) if values.shape[axis] > 1 and np.ptp(values, axis=axis).any()]
    if not varies:
        return float(values.mean()), np.nan, np.nan
    found = bootstrap(values, varies)
    return found.estimate, found.low, found.high


def _knowledge(runs: Runs) -> list[Row]:
    """Rows whose condition is the form of the questions: accuracy with an interval over questions (and seeds)."""
    rows: list[Row] = []
    for form in ("easy", "hard"):
        for method in KNOWN:
            for code in runs.codes:
                own = [r for r in runs.results if r.region.code == code]
                answers = [_right(r, runs.readout if method == "icl" else "", method, form) for r in own]
                if all(a is not None for a in answers):
                    share = _share(np.array(answers, dtype=float))
                    rows.append((form, code, method, share.estimate, share.low, share.high, len(own), 0))
    return rows


def _right(result: Result, readout: str, method: str, form: str) -> list[bool] | None:
    """Which questions about its own country a run's method answered right, orders averaged; None if it wasn't asked."""
    name = result.icl(readout) if method == "icl" else method
    for s in [] if result.knowledge is None else result.knowledge.scores:
        if (s.method, s.task, s.order, s.country) == (name, form, "averaged", result.region.country):
            return list(s.answers.values())
    return None


def _share(answers: Array) -> Interval:
    """Share of right answers [seeds, questions], with Wilson's interval if all seeds answered alike, else a bootstrap's."""
    if (answers == answers[0]).all():
        return wilson(int(answers[0].sum()), answers.shape[1])
    found = bootstrap(answers, [axis for axis in (0, 1) if answers.shape[axis] > 1])
    return Interval(found.estimate, max(found.low, 0.0), min(found.high, 1.0))


def _panel(tidy: pd.DataFrame, condition: str) -> pd.DataFrame:
    """Methods x regions, as text: estimate and interval."""
    there = tidy[tidy.condition == condition]
    text: Callable[[pd.Series], str] = _percent if condition in ("easy", "hard") else _points
    cells = there.assign(text=there.apply(text, axis=1)).pivot_table("text", "method", "region", "first", sort=False)
    table = cells.rename(index=METHODS, columns=lambda c: c if c == MEAN else str(c).upper())
    return table.rename_axis(index=None, columns=None)


def _points(row: pd.Series) -> str:
    return f"{row.estimate:.1f}" + ("" if pd.isna(row.low) else f" [{row.low:.1f}, {row.high:.1f}]")


def _percent(row: pd.Series) -> str:
    return f"{row.estimate:.0%}" + ("" if pd.isna(row.low) else f" [{row.low:.0%}, {row.high:.0%}]")


def _asked(runs: Runs) -> str:
    return next((r.knowledge.title for r in runs.results if r.knowledge is not None), "")


def kendall(runs: Runs) -> str:
    """Rank agreement of the tuned wording's scores with the targets over regions, as a table of methods x dimensions."""
    first = runs.results[0]
    dimensions = list(first.region.target)
    rows = {}
    for method in KNOWN:
        taus = []
        for seed in dict.fromkeys(r.seed for r in runs.results):
            own = [r for r in runs.results if r.seed == seed]
            names = [r.icl(runs.readout) if method == "icl" else method for r in own]
            scores = [r.score(m, "tuned", runs.readout).dimensions for r, m in zip(own, names, strict=True)]
            given = np.array([[x[d] for d in dimensions] for x in scores], dtype=float)
            wanted = np.array([[r.region.target[d] for d in dimensions] for r in own], dtype=float)
            taus.append([np.nan if a.tau_b is None else a.tau_b for a in rank_agreement(given, wanted)])
        means = pd.DataFrame(taus, columns=dimensions).mean()
        # The plain model is the same everywhere: no ranks, a dash.
        rows[METHODS[method]] = means.map(lambda x: "-" if pd.isna(x) else f"{x:+.2f}")
    return markdown_frame(pd.DataFrame(rows).T, "method")
