"""Converts journal records into rows of metrics: one per evaluation; the last of a generation also summarises it."""

from __future__ import annotations

from statistics import fmean, pstdev
from typing import Any

from cultural_sp.runs.history import RegionHistory
from cultural_sp.runs.methods import SEARCHES
from cultural_sp.search.journal import POOLED, WORDING

AXES = {
    f"{search}{part}": f"{search}{part}/{axis}"
    for search in SEARCHES
    for part, axis in (("", "evaluation"), ("_generation", "number"))
}
"""Prefix of metrics -> metric on their x axis."""


class Rows:
    """Converts the records of a journal, in their order, into rows for one region."""

    def __init__(self, history: RegionHistory, population: int, budget: int) -> None:
        """Start before the first record. A search has ``budget`` evaluations, in generations of ``population``."""
        self._history, self._population, self._budget = history, population, budget
        self._generation: list[dict[str, Any]] = []

    def row(self, record: dict[str, Any]) -> tuple[int, dict[str, float]]:
        """Return step and metrics of a record. The step counts all evaluations of the run from 0.

        The metrics are the loss under the run's objective, the mean absolute difference (l1), scores, and misses (score minus
        target). Missing values are left out.
        """
        record = self._history.add(record)
        search, index, best = record["search"], record["index"], self._history.best
        if index == 0:
            self._generation = []
        self._generation.append(record)
        row: dict[str, float | None] = {
            f"{search}/evaluation": index + 1,
            f"{search}/loss": record["loss"],
            f"{search}/l1": record["l1"],
            f"{search}/best_loss": best.get("loss"),
            f"{search}/best_l1": best.get("l1"),
            f"{search}/valid_mass": record["valid_mass"],
            f"{search}/seconds": record["seconds"],
            **self._dimensions(search, record),
        }
        is_last = POOLED in record if WORDING in record else len(self._generation) == self._population
        if is_last or index + 1 == self._budget:
            row |= self._of_generation(f"{search}_generation")
            self._generation = []
        step = SEARCHES.index(search) * self._budget + index
        return step, {key: value for key, value in row.items() if value is not None}

    def _of_generation(self, prefix: str) -> dict[str, float | None]:
        records, best = self._generation, self._history.best
        losses = [r["loss"] for r in records if r["loss"] is not None]
        masses = [r["valid_mass"] for r in records if r["valid_mass"] is not None]
        seconds = sum(r["seconds"] for r in records)
        return {
            f"{prefix}/number": records[0]["generation"],
            f"{prefix}/best_loss": best.get("loss"),
            f"{prefix}/best_l1": best.get("l1"),
            f"{prefix}/mean_loss": fmean(losses) if losses else None,
            f"{prefix}/spread_loss": pstdev(losses) if losses else None,
            f"{prefix}/failed": len(records) - len(losses),
            f"{prefix}/valid_mass": fmean(masses) if masses else None,
            f"{prefix}/seconds": seconds,
            f"{prefix}/evaluations_per_second": len(records) / seconds if seconds else None,
            **self._dimensions(prefix, best),
        }

    def _dimensions(self, prefix: str, record: dict[str, Any]) -> dict[str, float | None]:
        """Return score and miss of every dimension. Keys of the first view are plain; others start with the name of the view."""
        metrics: dict[str, float | None] = {}
        for name, score in record.get("dimensions", {}).items():
            dimension, _, view = (name, "", "") if name in self._history.target else name.rpartition(", ")
            key = f"{view.replace(' ', '_')}/{dimension}" if view else dimension
            target = self._history.target[dimension]
            metrics[f"{prefix}/score/{key}"] = score
            metrics[f"{prefix}/miss/{key}"] = None if score is None or target is None else score - target
        return metrics
