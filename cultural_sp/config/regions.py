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
    """Return code -> vintage. None stands for the survey's default; a country without all scores there has its latest vintage."""
    options: dict[str, str | None] = {}
    with TABLE.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):  # vintages stand in the order of their years
            if all(value for column, value in row.items() if column not in NOT_SCORES):
                code, vintage = row["iso_alpha2"].lower(), row["vintage"]
                if vintage == DEFAULT_VINTAGE or options.get(code, vintage) is not None:
                    options[code] = None if vintage == DEFAULT_VINTAGE else vintage
    return dict(sorted(options.items()))
