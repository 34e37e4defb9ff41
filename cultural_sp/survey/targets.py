"""Target tables: a shipped file, a file beside the survey file, or a part of the survey file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cultural_sp.config.checks import check_plain_name
from cultural_sp.utils.tables import Row, read_table, refuse_repeated

COLUMNS = ("vintage", "iso_alpha2", "country", "estimated")
ESTIMATED = ("yes", "no", "")
FORM = "VINTAGE: {ISO_CODE: {country: NAME, DIMENSION: number or null, ...}}"


@dataclass(frozen=True)
class Targets:
    """Scores of regions, a row per region and vintage."""

    source: str
    """Name of the table, for messages."""
    rows: tuple[Mapping[str, str], ...]
    """Columns ``vintage``, ``iso_alpha2``, ``country``, ``estimated`` (yes, no or empty) and the dimensions; empty if missing."""


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
    inside = not isinstance(given, str)
    rows = _inline(given, dimensions) if inside else _from_file(given, dimensions, folder, shipped)
    for row in rows:
        _check(row, dimensions)
    refuse_repeated(rows, ("vintage", "iso_alpha2"))
    return Targets("targets" if inside else given, tuple(row.cells for row in rows))


def _from_file(name: str, dimensions: Sequence[str], folder: Path, shipped: Path) -> list[Row]:
    table = read_table(_path(name, folder, shipped), f"targets={name}")
    needed = (*COLUMNS, *dimensions)
    lacking = [column for column in needed if column not in table.columns]
    if lacking:
        kind = "dimensions" if set(lacking) <= set(dimensions) else "entries"
        raise ValueError(f"{kind} {', '.join(lacking)} are no columns of targets={name}; it needs {', '.join(needed)}")
    if not table.rows:
        raise ValueError(f"targets={name} has no rows; give at least one region")
    return [Row(row.where, {**row.cells, "iso_alpha2": row["iso_alpha2"].upper()}) for row in table.rows]


def _path(name: str, folder: Path, shipped: Path) -> Path:
    for path in (folder / name, shipped / name):
        if path.is_file() and Path(name).name == name:
            return path
    known = ", ".join(sorted(path.name for path in shipped.glob("*.csv")))
    raise ValueError(f"targets={name!r} is unknown; allowed: a CSV file beside the survey file, or {known}")


def _inline(given: Any, dimensions: Sequence[str]) -> list[Row]:
    if not isinstance(given, dict) or not given or not all(isinstance(regions, dict) for regions in given.values()):
        raise ValueError(f"targets must name a CSV file or have the form {FORM}")
    return [
        _row(str(vintage), code, entry, dimensions)
        for vintage, regions in given.items()
        for code, entry in regions.items()
    ]


def _row(vintage: str, code: Any, entry: Any, dimensions: Sequence[str]) -> Row:
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
    estimated = entry.get("estimated") or False
    if not isinstance(entry["country"], str) or not isinstance(estimated, bool):
        raise ValueError(
            f"{where}: country must be text, in quotes where YAML reads something else, and estimated true or false"
        )
    cells = {
        "vintage": vintage,
        "iso_alpha2": code.upper(),
        "country": entry["country"],
        "estimated": "yes" if estimated else "",
        **{d: "" if entry.get(d) is None else str(entry[d]) for d in dimensions},
    }
    return Row(where, cells)


def _check(row: Row, dimensions: Sequence[str]) -> None:
    """Refuse a row that no region could be read from, or another one than its author means."""
    row.require(("vintage", "iso_alpha2", "country"))
    for column in ("vintage", "iso_alpha2"):
        check_plain_name(f"{row.where}, column {column}", row[column])
    if row["estimated"] not in ESTIMATED:
        raise ValueError(
            f"{row.where}, column estimated: {row['estimated']!r} is not allowed; give yes, no or nothing, and put a text with "
            "commas in quotes"
        )
    for dimension in dimensions:
        row.number(dimension)
