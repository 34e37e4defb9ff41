"""Checks of a valid survey file: a summary, and what its author should know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.regions import load_region, region_codes, vintages
from cultural_sp.survey.scoring import dimension_scores

ENOUGH_WORDINGS = 4
"""Wordings to test on below which a survey's author is told."""
NEAR = 0.6
"""Share of different words that two wordings of an item must not have in common."""


def overview(survey: Survey) -> str:
    """Summarise a valid survey; then one line per remark for its author.

    Raises:
        ValueError: if no region has a score in the default vintage.
    """
    reach = reachable(survey)
    middle = dimension_scores(survey.scoring, np.mean(survey.ends(), axis=0))
    options = Counter(len(item.scale.labels) for item in survey.items)
    lines = [
        f"{survey.title} ({survey.name})",
        f"{len(survey.items)} items; options: "
        + ", ".join(f"{n} ({count} items)" for n, count in sorted(options.items())),
        f"{survey.n_wordings} wordings each: "
        + ", ".join(f"{len(places)} to {role} on" for role, places in survey.roles.items()),
        f"scoring: {survey.scoring.kind}, in {survey.unit}",
    ]
    for k, (name, weights) in enumerate(survey.dimensions.items()):
        lines.append(
            f"  {name}: {len(weights)} items; answers can reach {reach[k, 0]:.4g} to {reach[k, 1]:.4g}, in the "
            f"middle of every scale is {middle[k]:.4g}"
        )
    counts = [f"{v} ({len(region_codes(survey, v))} complete)" for v in vintages(survey)]
    lines.append(f"targets: {', '.join(counts)}; default {survey.default_vintage}")
    return "\n".join([*lines, *(f"note: {note}" for note in notes(survey))])


def reachable(survey: Survey) -> np.ndarray:
    """Lowest and highest score [K, 2] that answers can give."""
    low, high = survey.ends()
    weights, constants = survey.scoring.weights, survey.scoring.constants
    ends = [np.where(weights > 0, a, b) for a, b in ((low, high), (high, low))]
    return np.stack([(weights * end).sum(axis=1) + constants for end in ends], axis=1)


def near_duplicates(wordings: Sequence[str]) -> list[tuple[int, int, float]]:
    """Pairs of wordings, by place, that share at least :data:`NEAR` of their different words (Jaccard index), with the share."""
    words = [set(re.findall(r"[^\W_]+", wording.lower())) for wording in wordings]
    pairs = [(a, b, len(words[a] & words[b]) / len(words[a] | words[b])) for a, b in combinations(range(len(words)), 2)]
    return [pair for pair in pairs if pair[2] >= NEAR]


def notes(survey: Survey) -> list[str]:
    """Remarks on a valid survey: what it lacks, and targets that its scores can't reach.

    Raises:
        ValueError: if the default vintage isn't in the targets.
    """
    remarks = []
    if survey.default_vintage not in vintages(survey):
        raise ValueError(
            f"default_vintage={survey.default_vintage!r} is not in the targets; allowed: {', '.join(vintages(survey))}"
        )
    if survey.n_wordings < 2:
        remarks.append("one wording: nothing is held out, so a run can't show whether an alignment carries over")
    elif len(survey.roles["test"]) < ENOUGH_WORDINGS:
        remarks.append(
            f"{len(survey.roles['test'])} wording(s) to test on: a score pooled over few wordings says little about others; "
            f"{ENOUGH_WORDINGS} are better"
        )
    remarks += [
        f"item {item.id}: wordings {a} and {b} share {share:.0%} of their words, so they count as one"
        for item in survey.items
        for a, b, share in near_duplicates(item.wordings)
    ]
    lacking = survey.without_poles()
    if lacking:
        remarks.append(f"no pole personas for {', '.join(lacking)}: runs need validity=false")
    used = {item for weights in survey.dimensions.values() for item in weights}
    unused = [item for item in survey.item_ids if item not in used]
    if unused:
        remarks.append(f"items that measure no dimension: {', '.join(unused)}")
    long = [item.id for item in survey.items if len(item.scale.labels) > 9]
    if long:
        remarks.append(
            f"more than nine options in {', '.join(long)}: only survey.scoring=label takes it; label fewer points, with codes"
        )
    begun = [f"{a!r} begins {b!r}" for scale in dict.fromkeys(i.scale for i in survey.items) for a, b in scale.begun()]
    if begun:
        remarks.append(f"{begun[0]}: only survey.scoring=number takes it, up to nine options; name the points in words")
    thin = [d for d, weights in survey.dimensions.items() if len(weights) < 3]
    if thin:
        remarks.append(
            f"fewer than three items for {', '.join(thin)}: factor analysis of this dimension alone isn't identified"
        )
    reach = reachable(survey)
    for k, name in enumerate(survey.dimensions):
        beyond = [
            code
            for code in region_codes(survey, survey.default_vintage)
            if not reach[k, 0] <= load_region(survey, code).target[k] <= reach[k, 1]
        ]
        if beyond:
            remarks.append(f"{name}: no answers reach the target of {', '.join(beyond)}")
    return remarks
