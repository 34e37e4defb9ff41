"""From journal records to what is plotted: a row per evaluation, and with the last one of a generation that generation."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, pstdev
from typing import Any

SEARCHES = ("random_search", "aligned")
AXES = {
    f"{search}{part}": f"{search}{part}/{axis}"
    for search in SEARCHES
    for part, axis in (("", "evaluation"), ("_generation", "number"))
}
"""Prefix of metrics -> the metric they are plotted against."""


class Rows:
    """Turns the records of a journal, given in order, into rows."""

    def __init__(self, population: int, budget: int, target: Mapping[str, float | None]) -> None:
        """For searches of ``budget`` evaluations in generations of ``population`` towards a target (dimension -> score)."""
        self._population, self._budget, self._target = population, budget, target
        self._generation: list[dict[str, Any]] = []
        self._best: dict[str, Any] = {}

    def row(self, record: dict[str, Any]) -> tuple[int, dict[str, float]]:
        """Step and metrics of a record; the step is the place of the evaluation among all of the run, from 0.

        Losses in what the search lowers, l1, scores and misses (score minus target) in index points; what is missing is left out.
        """
        search, index = record["search"], record["index"]
        if index == 0:
            self._generation, self._best = [], {}
        self._generation.append(record)
        loss = record["loss"]
        if loss is not None and (not self._best or loss < self._best["loss"]):
            self._best = record
        row: dict[str, float | None] = {
            f"{search}/evaluation": index + 1,
            f"{search}/loss": loss,
            f"{search}/l1": record["l1"],
            f"{search}/best_loss": self._best.get("loss"),
            f"{search}/best_l1": self._best.get("l1"),
            f"{search}/valid_mass": record["valid_mass"],
            f"{search}/seconds": record["seconds"],
            **self._dimensions(search, record),
        }
        if len(self._generation) == self._population or index + 1 == self._budget:
            row |= self._of_generation(f"{search}_generation")
            self._generation = []
        step = SEARCHES.index(search) * self._budget + index
        return step, {key: value for key, value in row.items() if value is not None}

    def _of_generation(self, prefix: str) -> dict[str, float | None]:
        records = self._generation
        losses = [r["loss"] for r in records if r["loss"] is not None]
        masses = [r["valid_mass"] for r in records if r["valid_mass"] is not None]
        seconds = sum(r["seconds"] for r in records)
        return {
            f"{prefix}/number": records[0]["generation"],
            f"{prefix}/best_loss": self._best.get("loss"),
            f"{prefix}/best_l1": self._best.get("l1"),
            f"{prefix}/mean_loss": fmean(losses) if losses else None,
            f"{prefix}/spread_loss": pstdev(losses) if losses else None,
            f"{prefix}/failed": len(records) - len(losses),
            f"{prefix}/valid_mass": fmean(masses) if masses else None,
            f"{prefix}/seconds": seconds,
            f"{prefix}/evaluations_per_second": len(records) / seconds if seconds else None,
            **self._dimensions(prefix, self._best),
        }

    def _dimensions(self, prefix: str, record: dict[str, Any]) -> dict[str, float | None]:
        found: dict[str, float | None] = {}
        for dimension, score in record.get("dimensions", {}).items():
            target = self._target.get(dimension)
            found[f"{prefix}/score/{dimension}"] = score
            found[f"{prefix}/miss/{dimension}"] = None if score is None or target is None else score - target
        return found
