"""What an evolved prompt is compared with: the midpoint respondent and written personas (in-context learning)."""

from __future__ import annotations

from functools import cache

import numpy as np
import yaml
from numpy.typing import NDArray

from cultural_sp.survey.instrument import DATA, Survey
from cultural_sp.survey.regions import Region
from cultural_sp.survey.value_statements import load_statements

DEMONSTRATIONS = DATA / "demonstrations"
ANSWERS = ("completely disagree", "mostly disagree", "half agree", "mostly agree", "completely agree")


def midpoint_item_means(survey: Survey) -> NDArray[np.float64]:
    """Item means [Q] of a respondent who always picks the middle of the scale; under VSM 2013 every index is then C."""
    means: NDArray[np.float64] = np.mean(survey.ends(), axis=0)
    return means


def persona(region: Region) -> str:
    """The model is told whom to answer as."""
    return (
        f"You are an ordinary adult from {region.country}. You were born and raised there and have always lived there. "
        f"Answer every question the way most people in {region.country} would."
    )


def with_demonstrations(survey: Survey, region: Region) -> str | None:
    """The persona, and how its people would answer claims about other constructs than those of the items; None without any.

    The answers follow from the region's published scores, the same that the search aims at: a claim on the side of the high pole
    is answered by the fifth of the 0-100 scale in which the score lies (0 to 20: completely disagree), one on the side of the low
    pole by that of 100 minus the score. Dimensions without a target have no demonstration.
    """
    if not survey.demonstrations:
        return None
    targets = dict(zip(survey.dimension_names, region.target, strict=True))
    lines = [
        f'"{claim.text}" - {_answer(targets[claim.dimension], claim.pole)}'
        for claim in load_statements(survey.demonstrations, key="survey file: demonstrations", folder=DEMONSTRATIONS)
        if not np.isnan(targets.get(claim.dimension, np.nan))
    ]
    if not lines:
        return None
    asked = f"Asked about other matters, people in {region.country} answered:"
    return "\n".join([persona(region), asked, *lines])


def _answer(score: float, pole: str) -> str:
    strength = score if pole == "high" else 100 - score
    return ANSWERS[int(np.clip(strength // 20, 0, len(ANSWERS) - 1))]


def native_persona(region: Region) -> str | None:
    """The persona in a language of the region; None where we have none, such as in countries that speak English."""
    return _native().get(region.code)


@cache
def _native() -> dict[str, str]:
    raw = yaml.safe_load((DATA / "personas" / "native.yaml").read_text(encoding="utf-8"))
    return {code: entry["text"] for code, entry in raw.items()}
