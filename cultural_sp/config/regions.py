"""The options of the group ``region``, every country of Hofstede's target table with all scores in some vintage; their names."""

from __future__ import annotations

import csv
import difflib
import unicodedata
from collections.abc import Collection, Mapping
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
    for row in _rows():  # vintages stand in the order of their years
        if all(value for column, value in row.items() if column not in NOT_SCORES):
            code = row["iso_alpha2"].lower()
            latest[code] = row["vintage"]
            if row["vintage"] == DEFAULT_VINTAGE:
                complete_by_default.add(code)
    return {code: None if code in complete_by_default else latest[code] for code in sorted(latest)}


@cache
def region_names() -> Mapping[str, str]:
    """Return name -> ISO alpha-2 code in lower case; names are both ISO codes and English names, :func:`folded`."""
    return names_of(_rows())


def names_of(rows: Collection[Mapping[str, str]]) -> Mapping[str, str]:
    """Return folded name -> code in lower case, from the rows of a target table. A code goes before another row's name."""
    columns = ("country", "iso_alpha3", "iso_alpha2")  # the later take precedence
    return {folded(row[column]): row["iso_alpha2"].lower() for column in columns for row in rows if row.get(column, "")}


def folded(name: str) -> str:
    """Return a name without what people write in different ways: case, accents and the width of spaces."""
    plain = "".join(x for x in unicodedata.normalize("NFKD", name) if not unicodedata.combining(x))
    return " ".join(plain.casefold().split())


def similar_regions(name: str, rows: Collection[Mapping[str, str]]) -> str:
    """Return a question that offers the regions of a target table with the most similar names; empty if there are none."""
    names = names_of(rows)
    near = dict.fromkeys(names[x] for x in difflib.get_close_matches(folded(name), names, 5))
    countries = {row["iso_alpha2"].lower(): row["country"] for row in rows}
    return f"; do you mean {' or '.join(f'{code} ({countries[code]})' for code in list(near)[:3])}?" if near else ""


def region_option(name: str) -> str:
    """Return the option of the group ``region`` with this name; a name that isn't known as it is."""
    code = region_names().get(folded(name))
    return code if code in region_options() else name


def similar_options(name: str) -> str:
    """Return such a question about the options of the group ``region``."""
    return similar_regions(name, [row for row in _rows() if row["iso_alpha2"].lower() in region_options()])


@cache
def _rows() -> tuple[dict[str, str], ...]:
    with TABLE.open(encoding="utf-8", newline="") as handle:
        return tuple(csv.DictReader(handle))
