"""The way of each search, read from a journal; of a joint run's as the region in question judges it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cultural_sp.config.groups import ObjectiveConfig
from cultural_sp.runs.methods import SEARCHES
from cultural_sp.runs.result import Result
from cultural_sp.search.history import value_of_best
from cultural_sp.search.journal import JOURNAL, read_header, read_records
from cultural_sp.search.objective import Objective
from cultural_sp.types import Array
from cultural_sp.utils.errors import reason_of


@dataclass(frozen=True)
class Search:
    """The evaluations of one search, in their order."""

    l1: Array
    """[n], mean absolute difference in the survey's unit; NaN where there is none."""
    best: Array
    """[n], that of whichever candidate has had the lowest loss."""


def read_searches(path: Path, result: Result, objective: object, n_tuned: int, notes: list[str]) -> dict[str, Search]:
    """The searches that a journal holds; what can't be read goes into ``notes``, a line each.

    Args:
        path: the journal.
        result: that of the region in question. In a joint run its losses are worked out from the dimension scores, as the
            recorded ones are those of the region whose optimizer asked.
        objective: that part of the run's config, as it was read.
        n_tuned: number of wordings that were tuned on.
        notes: gets a line for whatever can't be read.
    """
    try:
        goal = _goal(result, objective, read_header(path), n_tuned) if result.joint else None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        notes.append(f"{JOURNAL} can't be read ({reason_of(error, 120)})")
        return {}
    rows: dict[str, list[list[float]]] = {name: [] for name in SEARCHES}
    try:
        for record in read_records(path, strict=False):
            values = [record["loss"], record["l1"]] if goal is None else _answers(record, len(goal.target))
            rows[record["search"]].append([math.nan if x is None else float(x) for x in values])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        n_read = sum(map(len, rows.values()))
        notes.append(f"{JOURNAL} can't be read beyond evaluation {n_read} ({reason_of(error, 120)})")
    try:
        return {name: _search(np.array(losses), goal) for name, losses in rows.items() if losses}
    except ValueError as error:  # rows of different lengths
        notes.append(f"{JOURNAL} can't be read ({reason_of(error, 120)})")
        return {}


def _answers(record: Mapping[str, Any], size: int) -> list[float | None]:
    """Valid mass, then the dimension scores of all views."""
    scores = list(record["dimensions"].values())
    if not scores or len(scores) % size:
        raise ValueError(f"{len(scores)} dimension scores")
    return [record["valid_mass"], *scores]


def _search(rows: Array, goal: Objective | None) -> Search:
    losses, l1 = rows.T if goal is None else goal(rows[:, 1:], rows[:, 0])
    return Search(l1, value_of_best(losses, l1))


def _goal(result: Result, objective: object, header: Mapping[str, Any], n_tuned: int) -> Objective:
    """What the run lowered for the region of a result.

    Raises:
        ValueError: if that isn't known any more.
    """
    if not isinstance(objective, dict):
        raise ValueError("the config doesn't say what a joint run lowered")
    given = ObjectiveConfig(**objective)
    mass = header.get("start_mass")
    if given.valid_mass_weight and mass is None:
        raise ValueError("its header lacks start_mass")
    target = np.array([math.nan if t is None else t for t in result.region.target.values()], dtype=float)
    return Objective(target, given, mass, n_tuned)
