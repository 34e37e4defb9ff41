"""Reads the factor analysis in a run folder, for the report."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from cultural_sp.config.studies import FactorConfig
from cultural_sp.reporting.factor_tables import remarks, tables
from cultural_sp.runs.result import FACTORS_FILE
from cultural_sp.stats.factor.analysis import from_json
from cultural_sp.utils.errors import reason_of

FOLDER = FactorConfig.name
"""Where ``cultural-sp factor-analysis run=FOLDER`` writes, in the run folder."""
FIGURES = {
    "loadings": "Standardised loadings with 95 % intervals; right of 0 is as the survey declares",
    "correlations": "Correlations of the items",
}


@dataclass(frozen=True)
class FactorTable:
    """Rows of text, a column per group of respondents."""

    title: str
    groups: list[str]
    rows: dict[str, list[str]]


@dataclass(frozen=True)
class Factors:
    """The factor analysis of a run."""

    remarks: dict[str, list[str]]
    """Group of respondents, with their number -> remarks on its analysis."""
    tables: list[FactorTable]
    """Empty if no group could be analysed."""
    figures: dict[str, str]
    """Caption -> PNG in base64."""


def read_factors(run: Path, notes: list[str]) -> Factors | None:
    """Return the factor analysis in a run folder; None if there is none. An unreadable one adds a line to ``notes``."""
    folder = run / FOLDER
    if not (folder / FACTORS_FILE).is_file():
        return None
    try:
        analyses = from_json(json.loads((folder / FACTORS_FILE).read_text(encoding="utf-8"))["analyses"])
        remarks_by_group = {
            f"{a.group}, {a.n_respondents} respondents": [str(line) for line in remarks(a)] for a in analyses
        }
        figures = {
            caption: base64.b64encode(path.read_bytes()).decode("ascii")
            for name, caption in FIGURES.items()
            if (path := folder / "figures" / f"{name}.png").is_file()
        }
        return Factors(remarks_by_group, [FactorTable(*table) for table in tables(analyses)], figures)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        notes.append(f"{FOLDER}/{FACTORS_FILE} can't be read ({reason_of(error)})")
        return None
