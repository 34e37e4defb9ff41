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
from cultural_sp.search.journal import JOURNAL, POOLED, WORDING, read_header, read_records
from cultural_sp.search.objective import Objective
from cultural_sp.types import Array
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.serialize import as_array

UNRANKED = {"loss": None, "l1": None}


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
            if record["search"] not in rows:  # the selection
                continue
            ranked = record.get(POOLED) if WORDING in record else record
            parts = [_values(part, own) for part in (record, ranked or UNRANKED)]
            rows[record["search"]].append([math.nan if x is None else float(x) for part in parts for x in part])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        n_read = sum(map(len, rows.values()))
        notes.append(f"{JOURNAL} can't be read beyond evaluation {n_read} ({reason_of(error)})")
    return {name: _search(np.array(losses)) for name, losses in rows.items() if losses}


def _values(record: Mapping[str, Any], objective: Objective | None) -> list[float | None]:
    """Return loss and mean absolute difference: the recorded ones, or those under the objective of another region."""
    if objective is None or record["loss"] is None:
        return [record["loss"], record["l1"]]
    scores = as_array((record["valid_mass"], *record["dimensions"].values()))[None]
    if scores.shape[1] == 1 or (scores.shape[1] - 1) % len(objective.target):
        raise ValueError(f"{scores.shape[1] - 1} dimension scores")
    loss, l1 = objective(scores[:, 1:], scores[:, 0])
    return [float(loss[0]), float(l1[0])]


def _search(rows: Array) -> SearchLosses:
    _, l1, ranked, ranked_l1 = rows.T
    return SearchLosses(l1, value_of_best(ranked, ranked_l1))


def _objective(result: Result, objective: object, header: Mapping[str, Any]) -> Objective:
    if not isinstance(objective, dict):
        raise ValueError("the config doesn't say what a joint run lowered")
    return recorded_objective(result.region.target, objective, header)
