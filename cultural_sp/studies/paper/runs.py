"""The finished runs that a reproduction is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from cultural_sp.reporting.aggregate import with_icl
from cultural_sp.runs.folder import CONFIG, RESULT
from cultural_sp.runs.result import Result, load_result
from cultural_sp.studies.paper.losses import ScoringSetting, loss_table
from cultural_sp.survey.instrument import load_survey
from cultural_sp.survey.scoring import INDEX

PROFILE_FILE = "profile.yaml"
"""File of the config that was reproduced and of the paths of its runs."""


@dataclass(frozen=True)
class RunConditions:
    """What runs must have in common to stand in one table."""

    model: str
    """Name or path, with the adapter if there is one."""
    instrument: str
    constant: float
    """C of the index formulas."""
    vintage: str
    readout: str
    """The readout that the search used."""
    budget: int
    """Evaluations of a search."""
    optimizer: str


@dataclass
class Runs:
    """Finished runs of one model, one per region and seed."""

    folders: Sequence[Path]
    results: list[Result] = field(init=False)

    def __post_init__(self) -> None:
        """Read the results."""
        self.results = [load_result(folder / RESULT) for folder in self.folders]

    @classmethod
    def of(cls, folder: Path) -> Runs:
        """Read the runs of the reproduction in a folder, in its order.

        Raises:
            ValueError: if the folder holds no finished reproduction.
        """
        try:
            names = yaml.safe_load((folder / PROFILE_FILE).read_text(encoding="utf-8"))["runs"]
            return cls([folder / str(name) for name in names])
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
            raise ValueError(
                f"{folder} holds no finished reproduction; give the folder of `cultural-sp reproduce`"
            ) from error

    def wordings(self, kind: str) -> list[str]:
        """Return the single wordings of a kind, which all runs have in common."""
        return self.results[0].wordings(kind)

    @cached_property
    def conditions(self) -> RunConditions:
        """What the runs have in common.

        Raises:
            ValueError: if they differ in it.
        """
        conditions = [_conditions(*pair) for pair in zip(self.folders, self.results, strict=True)]
        names = [entry.name for entry in fields(RunConditions)]
        differing = [name for name in names if len({getattr(entry, name) for entry in conditions}) > 1]
        if differing:
            raise ValueError(
                f"runs differ in {', '.join(differing)}, so one table can't hold them; give those of one profile"
            )
        return conditions[0]

    @property
    def setting(self) -> ScoringSetting:
        """The setting whose loss the searches lowered."""
        return ScoringSetting(self.conditions.vintage, self.conditions.constant, self.conditions.instrument)

    @property
    def readout(self) -> str:
        """The readout that the searches used."""
        return self.conditions.readout

    @cached_property
    def losses(self) -> pd.DataFrame:
        """The table of :func:`loss_table`, with the strongest in-context baseline of each run once more as ``icl``."""
        return with_icl(loss_table(self.results, self.setting), self.readout)

    @property
    def codes(self) -> list[str]:
        """Codes of the regions in the order of the runs."""
        return list(dict.fromkeys(r.region.code for r in self.results))

    @property
    def notes(self) -> list[str]:
        """The notes of the models, which stand beside their numbers."""
        return list(dict.fromkeys(r.note for r in self.results if r.note))

    def caption(self) -> str:
        """Return model, budget, seeds and targets in a line."""
        seeds = len({r.seed for r in self.results})
        common = self.conditions
        effort = f"{common.budget} evaluations, {seeds} seed{'s' if seeds > 1 else ''}"
        return f"{common.model}; {effort}; targets {common.vintage}, C = {common.constant:g}"


def _conditions(folder: Path, result: Result) -> RunConditions:
    config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    adapter = config["model"]["adapter"]
    return RunConditions(
        model=result.model + (f" with {adapter}" if adapter else ""),
        instrument=config["survey"]["instrument"],
        constant=_constant(config),
        vintage=result.region.vintage,
        readout=config["readout"]["kind"],
        budget=result.evaluations,
        optimizer=result.optimizer,
    )


def _constant(config: Mapping[str, Any]) -> float:
    """Return C of a run: the config's, or the survey's where the config has none.

    Raises:
        ValueError: if the survey has no index formulas with one C, as the paper's has.
    """
    constant = config["objective"]["constant"]
    survey = load_survey(config["survey"]["instrument"])
    scoring = survey.scoring if constant is None else survey.scoring.with_constant(constant)
    if scoring.kind != INDEX or np.ptp(scoring.constants):
        raise ValueError(
            f"{survey.name} isn't scored by index formulas with one constant C, so it can't stand in Table 1"
        )
    return float(scoring.constants[0])
