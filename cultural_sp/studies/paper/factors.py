"""How the survey's factor model fits the answers of simulated respondents, in the runs of a reproduction that were analysed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cultural_sp.reporting.html_report.factors import read_factors
from cultural_sp.reporting.text_tables import markdown_frame
from cultural_sp.studies.paper.runs import Runs
from cultural_sp.utils.files import write_text

NAME = "factor_analysis.md"


def write_factors(runs: Runs, folder: Path) -> None:
    """``factor_analysis.md``: a row per run and group of respondents, and why there is none where there is none."""
    rows, said = {}, []
    for path, result in zip(runs.folders, runs.results, strict=True):
        notes: list[str] = []
        found = read_factors(path, notes)
        name = f"{result.region.code.upper()} seed {result.seed}"
        said += [f"{name}: {note}" for note in notes]
        if found is None:
            continue
        said += [f"{name}, {group}: {'; '.join(lines)}" for group, lines in found.remarks.items()]
        for place, group in enumerate(found.tables[0].groups if found.tables else []):
            rows[f"{name}, {group}"] = {row: cells[place] for t in found.tables[:2] for row, cells in t.rows.items()}
    if not said:
        return
    parts = [
        "# Factor analysis of simulated respondents",
        runs.caption() + ".",
        *(f"**{note}**" for note in runs.notes),
    ]
    if rows:
        parts.append(markdown_frame(pd.DataFrame(rows).T, "run, respondents"))
    write_text(folder / NAME, "\n\n".join([*parts, "\n".join(f"- {line}" for line in said)]) + "\n")
