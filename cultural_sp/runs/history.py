"""The evaluations of a run under the objective of each of its regions, read from its journal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from cultural_sp.config.groups import ObjectiveConfig
from cultural_sp.runs.folder import CONFIG
from cultural_sp.runs.methods import SEARCHES
from cultural_sp.search.journal import JOURNAL, POOLED, WORDING, read_header, read_records
from cultural_sp.search.objective import Objective
from cultural_sp.utils.serialize import as_array


class RegionHistory:
    """The evaluations of a run in order, under the objective of one of its regions. Tracks the best candidate so far."""

    def __init__(self, region: str, config: Mapping[str, Any], header: Mapping[str, Any]) -> None:
        """Start before the first evaluation.

        Args:
            region: code of a region of the run.
            config: the run's resolved config.
            header: the header of its journal.
        """
        self.region = region
        self.target: Mapping[str, float | None] = header["targets"][region]
        """Dimension -> target score; None if the region has none."""
        self.best: dict[str, Any] = {}
        """The record with the lowest loss over all tuned wordings in the current search; empty while none has a loss."""
        self._objective = recorded_objective(self.target, config["objective"], header)

    def add(self, record: dict[str, Any]) -> dict[str, Any]:
        """Add the next record of the journal; return it with ``loss`` and ``l1`` for this region.

        A candidate that was asked one wording is ranked only once it was checked in all tuned ones.
        """
        if record["index"] == 0:
            self.best = {}
        record = self._of_region(record)
        ranked = record
        if WORDING in record:
            ranked = self._of_region(record | record.get(POOLED, {"loss": None, "l1": None}))
        loss = ranked["loss"]
        if loss is not None and (not self.best or loss < self.best["loss"]):
            self.best = ranked
        return record

    def _of_region(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a record, whose losses are for the region whose optimizer proposed it, with those for this region."""
        return record if record["objective"] == self.region or record["loss"] is None else record | self._losses(record)

    def _losses(self, record: dict[str, Any]) -> dict[str, Any]:
        table = as_array((*record["dimensions"].values(), record["valid_mass"]))[None]
        loss, l1 = self._objective(table[:, :-1], table[:, -1])
        return {"loss": float(loss[0]), "l1": float(l1[0])} if np.isfinite(loss[0]) else {"loss": None, "l1": None}


def recorded_objective(
    target: Mapping[str, float | None], objective: Mapping[str, Any], header: Mapping[str, Any]
) -> Objective:
    """Return the objective that a run had for one of its regions.

    Args:
        target: dimension -> target score; None if the region has none.
        objective: the entry ``objective`` of the run's config.
        header: the header of its journal.

    Raises:
        TypeError: if ``objective`` has unknown entries.
        ValueError: if an entry has a wrong value, or the header lacks ``start_mass`` and the objective needs it.
    """
    config, start_mass = ObjectiveConfig(**objective), header.get("start_mass")
    if config.valid_mass_weight and start_mass is None:
        raise ValueError("its header lacks start_mass")
    return Objective(as_array(target.values()), config, start_mass)


def best_so_far(folder: Path, region: str) -> dict[str, pd.Series]:
    """Return search -> mean absolute difference of its best candidate after 1, 2, ... evaluations, in the unit of the survey.

    Args:
        folder: folder of a finished run.
        region: code of one of its regions.

    Raises:
        OSError, ValueError: if the config or the journal can't be read.
    """
    config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    history = RegionHistory(region, config, read_header(folder / JOURNAL))
    curves: dict[str, list[float]] = {}
    for record in read_records(folder / JOURNAL):
        if record["search"] not in SEARCHES:  # the selection
            continue
        history.add(record)
        curves.setdefault(record["search"], []).append(history.best["l1"] if history.best else np.inf)
    return {search: pd.Series(losses, index=range(1, len(losses) + 1)) for search, losses in curves.items()}
