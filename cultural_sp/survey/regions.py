"""Target scores of regions, by vintage of the published table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cultural_sp.config.regions import folded, names_of, region_names, similar_regions
from cultural_sp.survey.instrument import Survey


@dataclass(frozen=True)
class Region:
    """A region's target vector [K] in the unit of the survey; NaN where the vintage has no score."""

    code: str
    country: str
    vintage: str
    target: NDArray[np.float64]
    estimated: bool
    """Whether the source marks the scores as estimates."""


def vintages(survey: Survey) -> list[str]:
    """Vintages of the survey's target table, oldest first."""
    return list(dict.fromkeys(row["vintage"] for row in survey.targets.rows))


def region_codes(survey: Survey, vintage: str | None = None) -> list[str]:
    """ISO alpha-2 codes, in lower case, of regions with a score for every dimension in the (or any) vintage."""
    return sorted(
        {
            row["iso_alpha2"].lower()
            for row in survey.targets.rows
            if (vintage is None or row["vintage"] == vintage) and all(row[d] for d in survey.dimensions)
        }
    )


def known_vintage(survey: Survey, vintage: str | None) -> str:
    """Return the vintage of this name; the survey's default for None.

    Raises:
        ValueError: if the table doesn't have it.
    """
    vintage = vintage or survey.default_vintage
    if vintage not in vintages(survey):
        raise ValueError(f"region.vintage={vintage!r} is unknown; allowed: {', '.join(vintages(survey))}, or null")
    return vintage


def region_code(survey: Survey, name: str) -> str | None:
    """Return the code, in lower case, of the region that the survey's targets know by this name; None if there is none.

    Args:
        survey: has the target table.
        name: ISO alpha-2 or alpha-3 code or English name, in any case.
    """
    own = names_of(survey.targets.rows)
    code = own.get(folded(name)) or region_names().get(folded(name))
    return code if code in own.values() else None


def load_region(survey: Survey, code: str, vintage: str | None = None, key: str = "region.code") -> Region:
    """Load the targets of one region in one vintage.

    Args:
        survey: has the target table and the order of dimensions.
        code: ISO alpha-2 or alpha-3 code or English name, in any case.
        vintage: a vintage of the table; the survey's default when None.
        key: config key of the code, for messages.

    Raises:
        ValueError: for an unknown code or vintage or a region without any score in it.
    """
    vintage = known_vintage(survey, vintage)
    found = region_code(survey, code)
    if found is None:
        raise ValueError(
            f"{key}={code!r} is in no target table of {survey.name}; allowed: ISO alpha-2 codes such as "
            f"{', '.join(region_codes(survey)[:6])}, ..., alpha-3 codes and English names "
            f"(the whole table: {survey.targets.source})"
            f"{similar_regions(code, survey.targets.rows)}"
        )
    rows = {r["vintage"]: r for r in survey.targets.rows if r["iso_alpha2"].lower() == found}
    row = rows.get(vintage)
    if row is None or not any(row[d] for d in survey.dimensions):
        known = [v for v, r in rows.items() if any(r[d] for d in survey.dimensions)]
        raise ValueError(
            f"{key}={code!r} has no score in region.vintage={vintage}; it has in: {', '.join(known) or 'none'}; choose "
            "one of these, or another region"
        )
    target = np.array([float(row[d]) if row[d] else np.nan for d in survey.dimensions])
    return Region(row["iso_alpha2"].lower(), row["country"], vintage, target, row["estimated"] == "yes")


def target_range(survey: Survey) -> NDArray[np.float64]:
    """Highest minus lowest score [K] of all regions in the default vintage, in the unit of the survey.

    Raises:
        ValueError: if a dimension has fewer than two different scores there, so that nothing can be compared with its range.
    """
    rows = [row for row in survey.targets.rows if row["vintage"] == survey.default_vintage]
    scores = {d: [float(row[d]) for row in rows if row[d]] for d in survey.dimensions}
    ranges = np.array([max(column, default=0.0) - min(column, default=0.0) for column in scores.values()])
    if not (ranges > 0).all():
        flat = [d for d, spread in zip(scores, ranges, strict=True) if not spread > 0]
        raise ValueError(
            f"the targets of {survey.name} have fewer than two different scores for {', '.join(flat)} in "
            f"{survey.default_vintage}; the validity check compares with their range: add regions, or set validity=false"
        )
    return ranges


def complete_regions(survey: Survey, vintage: str) -> list[Region]:
    """The regions with a score for every dimension in one vintage."""
    codes = region_codes(survey, vintage)
    return [load_region(survey, code, vintage) for code in codes]
