"""Baselines without a search: the midpoint respondent and written personas (in-context learning)."""

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


def persona(survey: Survey, region: Region) -> str:
    """System message that tells the model whom to answer as; the survey has its last sentence."""
    text = (
        f"You are an ordinary adult from {region.country}. You were born and raised there and have always lived there."
    )
    return f"{text} {survey.persona_instruction.replace('{country}', region.country)}".strip()


def with_demonstrations(survey: Survey, region: Region) -> str | None:
    """The persona with demonstrations: answers to claims about constructs that no item has; None if the survey has no claims.

    The answers follow from the region's published scores, which are also the target of the search. A claim of the high pole gets
    the fifth of the 0-100 scale in which the score lies (0 to 20: completely disagree), a claim of the low pole the fifth of
    100 minus the score. Dimensions without a target have no demonstration.
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
    return "\n".join([persona(survey, region), asked, *lines])


def _answer(score: float, pole: str) -> str:
    strength = score if pole == "high" else 100 - score
    return ANSWERS[int(np.clip(strength // 20, 0, len(ANSWERS) - 1))]


def native_persona(region: Region) -> str | None:
    """The persona in a language of the region; None if there is no translation, as for countries that speak English."""
    return _native().get(region.code)


@cache
def _native() -> dict[str, str]:
    raw = yaml.safe_load((DATA / "personas" / "native.yaml").read_text(encoding="utf-8"))
    return {code: entry["text"] for code, entry in raw.items()}
