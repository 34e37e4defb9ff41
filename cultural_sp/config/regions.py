"""The options of the group ``region``: every country of Hofstede's target table that has all scores in some vintage."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

TABLE = Path(__file__).parent.parent / "survey" / "data" / "hofstede.csv"
DEFAULT_VINTAGE = "insights_2021"
"""The default of the survey VSM 2013."""
NOT_SCORES = ("vintage", "iso_alpha2", "iso_alpha3", "country", "estimated")


@cache
def region_options() -> dict[str, str | None]:
    """Return code -> vintage of every option. None stands for the survey's default vintage.

    A country without all scores in the default vintage has the latest vintage with all of them.
    """
    latest: dict[str, str] = {}
    complete_by_default: set[str] = set()
    with TABLE.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):  # vintages stand in the order of their years
            if all(value for column, value in row.items() if column not in NOT_SCORES):
                code = row["iso_alpha2"].lower()
                latest[code] = row["vintage"]
                if row["vintage"] == DEFAULT_VINTAGE:
                    complete_by_default.add(code)
    return {code: None if code in complete_by_default else latest[code] for code in sorted(latest)}
