"""Converts a result into the summary and the tables that a tracker shows at the end of a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cultural_sp.reporting.aggregate import run_table, with_icl
from cultural_sp.runs.methods import METHODS, SUMMARY
from cultural_sp.runs.result import Result, pooled

Table = tuple[list[str | int], list[Iterable[Any]]]
"""Column names and rows, with the types of wandb's own tables."""
LOSSES = tuple("icl" if method == "persona" else method for method in SUMMARY)
"""The methods whose losses dashboards set side by side."""


def summary_of(result: Result, searched: str) -> dict[str, Any]:
    """Flat keys of numbers and words; what is missing is left out.

    ``scores/METHOD/WORDING/ORDER/READOUT/...`` has every record of the result, item means aside; ``loss/WORDING/METHOD`` (where
    ``icl`` is the strongest persona) and ``dimension/METHOD/...`` are the excerpt of tables: tuned wordings, pooled, under the
    searched readout, all else under expected.
    """
    summary: dict[str, Any] = {}
    for record in result.scores:
        prefix = f"scores/{record.method}/{record.wording}/{record.option_order}/{record.readout}"
        numbers = {"loss": record.loss, "valid_mass": record.valid_mass, "missing": record.missing, **record.dimensions}
        summary |= {f"{prefix}/{name}": number for name, number in numbers.items()}
    table = with_icl(run_table([result]), searched)
    excerpt = table[table.readout == np.where(table.wording == pooled("tuned"), searched, "expected")].dropna(
        subset="loss"
    )
    summary |= {f"loss/{row.wording}/{row.method}": row.loss for row in excerpt.itertuples()}
    for method in result.methods:
        dimensions = result.score(method, readout=searched).dimensions
        summary |= {f"dimension/{method}/{dimension}": score for dimension, score in dimensions.items()}
    summary |= {f"target/{dimension}": score for dimension, score in result.region.target.items()}
    summary |= {f"seconds/{part}": seconds for part, seconds in result.seconds.items()}
    if result.warm_start is not None:
        summary["warm_start/offered"] = result.warm_start["offered"]
    if result.validity is not None:
        summary["validity/verdict"] = result.validity.verdict
        summary["validity/items_right"] = result.validity.items_right
        summary["validity/items_total"] = result.validity.items_total
        summary |= {f"validity/effect/{dimension}": effect for dimension, effect in result.validity.effects.items()}
    return {key: value for key, value in summary.items() if value is not None}


def answers(result: Result) -> Table:
    """Return item means: a row per wording, order, readout and item, a column per method."""
    means: dict[tuple[str, str, str, str], dict[str, float | None]] = {}
    for record in result.scores:
        for item, mean in record.item_means.items():
            means.setdefault((record.wording, record.option_order, record.readout, item), {})[record.method] = mean
    rows: list[Iterable[Any]] = []
    for key, by_method in means.items():
        naive, aligned = by_method.get("naive"), by_method.get("aligned")
        change = None if naive is None or aligned is None else aligned - naive
        rows.append([*key, *(by_method.get(method) for method in METHODS), change])
    return ["wording", "option_order", "readout", "item", *METHODS, "aligned - naive"], rows


def scores(result: Result) -> Table:
    """Return the score records without their item means."""
    dimensions = list(result.region.target)
    heads = ["method", "wording", "option_order", "readout", "loss", "valid_mass", "missing"]
    rows: list[Iterable[Any]] = [
        [*(getattr(record, head) for head in heads), *(record.dimensions[d] for d in dimensions)]
        for record in result.scores
    ]
    return [*heads, *dimensions], rows
