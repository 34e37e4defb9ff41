"""The factor analyses of simulated respondents that runs of a reproduction have."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cultural_sp.reporting.html_report.factors import read_factors
from cultural_sp.reporting.text_tables import markdown_frame
from cultural_sp.studies.paper.runs import Runs
from cultural_sp.utils.files import write_text

FILE = "factor_analysis.md"


def write_factors(runs: Runs, folder: Path) -> None:
    """Write ``factor_analysis.md``, a row of fit indices per run and group of respondents; nothing if no run has an analysis.

    Groups that couldn't be analysed are listed below the table with the reason.
    """
    rows, remarks = {}, []
    for path, result in zip(runs.folders, runs.results, strict=True):
        notes: list[str] = []
        factors = read_factors(path, notes)
        name = f"{result.region.code.upper()} seed {result.seed}"
        remarks += [f"{name}: {note}" for note in notes]
        if factors is None:
            continue
        remarks += [f"{name}, {group}: {'; '.join(lines)}" for group, lines in factors.remarks.items()]
        for place, group in enumerate(factors.tables[0].groups if factors.tables else []):
            rows[f"{name}, {group}"] = {row: cells[place] for t in factors.tables[:2] for row, cells in t.rows.items()}
    if not remarks:
        return
    parts = [
        "# Factor analysis of simulated respondents",
        runs.caption() + ".",
        *(f"**{note}**" for note in runs.notes),
    ]
    if rows:
        parts.append(markdown_frame(pd.DataFrame(rows).T, "run, respondents"))
    write_text(folder / FILE, "\n\n".join([*parts, "\n".join(f"- {line}" for line in remarks)]) + "\n")
