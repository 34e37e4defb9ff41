"""Target tables: a shipped file, a file beside the survey file, or a part of the survey file."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLUMNS = ("vintage", "iso_alpha2", "country", "estimated")
FORM = "VINTAGE: {ISO_CODE: {country: NAME, DIMENSION: number or null, ...}}"


@dataclass(frozen=True)
class Targets:
    """Scores of regions, a row per region and vintage."""

    source: str
    """Name of the table, for messages."""
    rows: tuple[Mapping[str, str], ...]
    """Columns ``vintage``, ``iso_alpha2``, ``country``, ``estimated`` (yes or empty) and the dimensions; empty where missing."""


def read_targets(given: Any, dimensions: Sequence[str], folder: Path, shipped: Path) -> Targets:
    """Read the targets that a survey file declares.

    Args:
        given: name of a CSV file, or the table itself by vintage and code.
        dimensions: names of the dimensions.
        folder: folder of the survey file.
        shipped: folder of the tables in this package.

    Raises:
        ValueError: the message doesn't name the survey file.
    """
    targets = (
        _file(str(given), folder, shipped) if isinstance(given, str) else Targets("targets", _inline(given, dimensions))
    )
    if not targets.rows:
        raise ValueError(f"targets={targets.source} has no rows; give at least one region")
    unknown = [column for column in (*COLUMNS, *dimensions) if column not in targets.rows[0]]
    if unknown:
        needed = ", ".join((*COLUMNS, *dimensions))
        kind = "dimensions" if set(unknown) <= set(dimensions) else "entries"
        raise ValueError(f"{kind} {', '.join(unknown)} are no columns of targets={targets.source}; it needs {needed}")
    for row in targets.rows:
        for dimension in dimensions:
            _number(row, dimension, targets.source)
    return targets


def _file(name: str, folder: Path, shipped: Path) -> Targets:
    for path in (folder / name, shipped / name):
        if path.is_file() and Path(name).name == name:
            try:
                with path.open(encoding="utf-8-sig", newline="") as handle:
                    return Targets(name, tuple(csv.DictReader(handle, strict=True)))
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                raise ValueError(f"targets={name} can't be read as a CSV file in UTF-8 ({error}); mend it") from error
    known = ", ".join(sorted(path.name for path in shipped.glob("*.csv")))
    raise ValueError(f"targets={name!r} is unknown; allowed: a CSV file beside the survey file, or {known}")


def _inline(given: Any, dimensions: Sequence[str]) -> tuple[Mapping[str, str], ...]:
    if not isinstance(given, dict) or not given or not all(isinstance(regions, dict) for regions in given.values()):
        raise ValueError(f"targets must name a CSV file or have the form {FORM}")
    return tuple(
        _row(str(vintage), code, entry, dimensions)
        for vintage, regions in given.items()
        for code, entry in regions.items()
    )


def _row(vintage: str, code: Any, entry: Any, dimensions: Sequence[str]) -> Mapping[str, str]:
    where = f"targets, {vintage}, {code}"
    if not isinstance(code, str):
        raise ValueError(
            f'{where}: the code must be text; put it in quotes where YAML reads something else, such as "no"'
        )
    if not isinstance(entry, dict) or "country" not in entry:
        raise ValueError(f"{where}: needs a country and scores, in the form {FORM}")
    allowed = ("country", "estimated", *dimensions)
    unknown = sorted(set(entry) - set(allowed))
    if unknown:
        raise ValueError(f"{where}: unknown entry {', '.join(unknown)}; allowed: {', '.join(allowed)}")
    return {
        "vintage": vintage,
        "iso_alpha2": code.upper(),
        "country": str(entry["country"]),
        "estimated": "yes" if entry.get("estimated") else "",
        **{d: "" if entry.get(d) is None else str(entry[d]) for d in dimensions},
    }


def _number(row: Mapping[str, str], dimension: str, source: str) -> None:
    try:
        score = float(row[dimension] or 0)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):  # a nan that stands in a file may mean anything
        raise ValueError(
            f"targets={source}: {row['iso_alpha2']} in {row['vintage']} has {dimension}={row[dimension]!r}, which is no number; "
            "give one, or nothing where it is missing"
        )
