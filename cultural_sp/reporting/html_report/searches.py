"""Reads the losses of each search from a journal; for a joint run under the objective of one region."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cultural_sp.runs.history import recorded_objective
from cultural_sp.runs.methods import SEARCHES
from cultural_sp.runs.result import Result
from cultural_sp.search.history import value_of_best
from cultural_sp.search.journal import JOURNAL, read_header, read_records
from cultural_sp.search.objective import Objective
from cultural_sp.types import Array
from cultural_sp.utils.errors import reason_of


@dataclass(frozen=True)
class SearchLosses:
    """Losses of one search, in the order of evaluation."""

    l1: Array
    """[n], mean absolute difference of every evaluation in the survey's unit; NaN where there is none."""
    best: Array
    """[n], mean absolute difference of the candidate with the lowest loss so far."""


def read_searches(path: Path, result: Result, objective: object, notes: list[str]) -> dict[str, SearchLosses]:
    """Return the searches in a journal, by method.

    A journal of a joint run records the losses for the region whose optimizer asked. For other regions the losses are computed
    from the recorded dimension scores.

    Args:
        path: the journal.
        result: result of one region of the run.
        objective: the entry ``objective`` of the run's config, not yet checked.
        notes: gets a line for each part that can't be read.
    """
    try:
        own = _objective(result, objective, read_header(path)) if result.joint else None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        notes.append(f"{JOURNAL} can't be read ({reason_of(error)})")
        return {}
    rows: dict[str, list[list[float]]] = {name: [] for name in SEARCHES}
    try:
        for record in read_records(path, strict=False):
            values = [record["loss"], record["l1"]] if own is None else _mass_and_scores(record, len(own.target))
            rows[record["search"]].append([math.nan if x is None else float(x) for x in values])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        n_read = sum(map(len, rows.values()))
        notes.append(f"{JOURNAL} can't be read beyond evaluation {n_read} ({reason_of(error)})")
    try:
        return {name: _search(np.array(losses), own) for name, losses in rows.items() if losses}
    except ValueError as error:  # rows of different lengths
        notes.append(f"{JOURNAL} can't be read ({reason_of(error)})")
        return {}


def _mass_and_scores(record: Mapping[str, Any], size: int) -> list[float | None]:
    """Return the valid mass, then the dimension scores of all views."""
    scores = list(record["dimensions"].values())
    if not scores or len(scores) % size:
        raise ValueError(f"{len(scores)} dimension scores")
    return [record["valid_mass"], *scores]


def _search(rows: Array, objective: Objective | None) -> SearchLosses:
    losses, l1 = rows.T if objective is None else objective(rows[:, 1:], rows[:, 0])
    return SearchLosses(l1, value_of_best(losses, l1))


def _objective(result: Result, objective: object, header: Mapping[str, Any]) -> Objective:
    if not isinstance(objective, dict):
        raise ValueError("the config doesn't say what a joint run lowered")
    return recorded_objective(result.region.target, objective, header)
