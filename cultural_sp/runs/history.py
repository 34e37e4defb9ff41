"""The course of a run as its journal tells it, for each of its regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cultural_sp.config.groups import ObjectiveConfig
from cultural_sp.search.goal import Objective

Target = Mapping[str, float | None]
"""Dimension -> score."""


def targets(config: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Target]:
    """Region code -> its target, of a resolved config and a journal's header; those from before joint runs have one."""
    found: dict[str, Target] = header.get("targets") or {config["region"]["code"].lower(): header["target"]}
    return found


class RegionHistory:
    """The evaluations of a run one after the other, as one of its regions judges them."""

    def __init__(self, region: str, config: Mapping[str, Any], header: Mapping[str, Any]) -> None:
        """For a region of the run with this resolved config and this header of its journal."""
        self.region, self.target = region, targets(config, header)[region]
        self.best: dict[str, Any] = {}
        """The record of the search that goes on with the lowest loss; empty while there is none."""
        target = np.array([np.nan if score is None else score for score in self.target.values()])
        n_tuned = len(config["survey"].get("tune_wordings", [0]))
        self._goal = Objective(target, ObjectiveConfig(**config["objective"]), header.get("start_mass"), n_tuned)

    def add(self, record: dict[str, Any]) -> dict[str, Any]:
        """Take in the next record of the journal and return it with the loss and the l1 that it has for this region."""
        if record["index"] == 0:
            self.best = {}
        if (
            record.get("objective", self.region) != self.region
        ):  # the journal has those of the region whose optimizer asked
            record = record | self._judged(record)
        loss = record["loss"]
        if loss is not None and (not self.best or loss < self.best["loss"]):
            self.best = record
        return record

    def _judged(self, record: dict[str, Any]) -> dict[str, Any]:
        numbers = [np.nan if x is None else x for x in (*record["dimensions"].values(), record["valid_mass"])]
        table = np.array([numbers], dtype=float)
        loss, l1 = self._goal(table[:, :-1], table[:, -1])
        return {"loss": float(loss[0]), "l1": float(l1[0])} if np.isfinite(loss[0]) else {"loss": None, "l1": None}
