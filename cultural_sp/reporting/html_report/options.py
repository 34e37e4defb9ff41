"""Option probabilities of single items: the data of the bars that the page draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cultural_sp.reporting.html_report.groups import HELD_OUT, KEYS, TUNED, Group, mean
from cultural_sp.runs.methods import SUMMARY
from cultural_sp.runs.result import pooled


def options(groups: Sequence[Group]) -> dict[str, Any]:
    """Return probabilities in per mille by group, method, wording and item, averaged over seeds.

    Groups with the same items and wordings share one entry of ``surveys``. Groups without recorded probabilities are left out.
    """
    surveys: list[dict[str, Any]] = []
    entries = {}
    for g in groups:
        wordings = [pooled(KEYS[kind]) for kind in (TUNED, HELD_OUT) if kind in g.wordings]
        by_method = {method: [_chances(g, method, wording) for wording in wordings] for method in SUMMARY}
        complete = {method: by_wording for method, by_wording in by_method.items() if all(by_wording)}
        if not complete:
            continue
        first = next(iter(complete.values()))[0]
        survey = {
            "items": [[item, title] for item, title in items_of(g, list(first)).items()],
            "labels": _labels(g, first),
            "wordings": wordings,
        }
        if survey not in surveys:
            surveys.append(survey)
        entries[g.id] = {
            "survey": surveys.index(survey),
            "chances": {m: [list(chances.values()) for chances in by_wording] for m, by_wording in complete.items()},
        }
    return {"surveys": surveys, "groups": entries}


def _chances(g: Group, method: str, wording: str) -> dict[str, list[int]]:
    """Return the per mille of each option by item; empty if a run lacks them."""
    recorded = [record.option_probabilities for record in g.records(method, wording, "expected")]
    known = [chances for chances in recorded if chances]
    if len(known) != len(recorded) or any(_shape(chances) != _shape(known[0]) for chances in known):
        return {}
    return {
        item: [round(1000 * p) for p in (mean(ps) or 0.0 for ps in zip(*(c[item] for c in known), strict=True))]
        for item in known[0]
    }


def _shape(chances: dict[str, list[float]]) -> list[tuple[str, int]]:
    return [(item, len(ps)) for item, ps in chances.items()]


def items_of(g: Group, items: Sequence[str]) -> dict[str, str]:
    """Return the construct of each item, in a few words; empty texts if the survey can't be read any more."""
    return {item: g.items[item].construct if item in g.items else "" for item in items}


def codes_of(g: Group, item: str, number: int) -> tuple[float, ...]:
    """Return the codes of an item with ``number`` options; 1, 2, ... if the survey can't be read any more."""
    codes = g.items[item].scale.codes if item in g.items else ()
    return codes if len(codes) == number else tuple(range(1, number + 1))


def _labels(g: Group, chances: dict[str, list[int]]) -> list[list[str]]:
    labels = []
    for item, numbers in chances.items():
        codes = [f"{code:g}" for code in codes_of(g, item, len(numbers))]
        texts = g.items[item].scale.labels if item in g.items else ()
        labels.append([f"{c} {t}" for c, t in zip(codes, texts, strict=True)] if len(texts) == len(codes) else codes)
    return labels
