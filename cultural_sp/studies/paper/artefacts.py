"""What a reproduction ends with, made from the folders of finished runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from cultural_sp.studies.paper.claims import judge, markdown
from cultural_sp.studies.paper.losses import Setting, loss_table
from cultural_sp.survey.instrument import load_survey
from cultural_sp.survey.scoring import INDEX
from cultural_sp.utils.files import write_text

GRID = "profile.yaml"
"""What was reproduced, and where its runs lie."""


@dataclass(frozen=True)
class RunConditions:
    """What runs must have in common to stand in one table."""

    model: str
    """With its adapter, if it has one."""
    instrument: str
    constant: float
    """C of the index formulas."""
    vintage: str
    readout: str
    """The searched one."""
    budget: int
    """Evaluations of a search."""
    optimizer: str


@dataclass
class Runs:
    """Finished runs of one model, one for each region and seed."""

    folders: Sequence[Path]
    results: list[Result] = field(init=False)

    def __post_init__(self) -> None:
        """Read the results."""
        self.results = [load_result(folder / RESULT) for folder in self.folders]

    @classmethod
    def of(cls, folder: Path) -> Runs:
        """Those of a reproduction, in its order.

        Raises:
            ValueError: in one line, if the folder holds no finished reproduction.
        """
        try:
            names = yaml.safe_load((folder / GRID).read_text(encoding="utf-8"))["runs"]
            return cls([folder / str(name) for name in names])
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
            raise ValueError(
                f"{folder} holds no finished reproduction; give the folder of `cultural-sp reproduce`"
            ) from error

    @cached_property
    def asked(self) -> RunConditions:
        """What the runs have in common.

        Raises:
            ValueError: in one line, if they differ.
        """
        found = []
        for folder, result in zip(self.folders, self.results, strict=True):
            given = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
            adapter = given["model"]["adapter"]
            found.append(
                RunConditions(
                    model=result.model + (f" with {adapter}" if adapter else ""),
                    instrument=given["survey"]["instrument"],
                    constant=_constant(given),
                    vintage=result.region.vintage,
                    readout=given["readout"]["kind"],
                    budget=result.evaluations,
                    optimizer=result.optimizer,
                )
            )
        differing = [f.name for f in fields(RunConditions) if len({getattr(asked, f.name) for asked in found}) > 1]
        if differing:
            raise ValueError(
                f"runs differ in {', '.join(differing)}, so one table can't hold them; give those of one profile"
            )
        return found[0]

    @property
    def setting(self) -> Setting:
        """What the searches were tuned for."""
        return Setting(self.asked.vintage, self.asked.constant, self.asked.instrument)

    @property
    def readout(self) -> str:
        """The searched readout."""
        return self.asked.readout

    @cached_property
    def losses(self) -> pd.DataFrame:
        """Losses as :func:`loss_table` has them, with the strongest in-context baseline once more as ``icl``."""
        return with_icl(loss_table(self.results, self.setting), self.readout)

    @property
    def codes(self) -> list[str]:
        """Regions in the order of the runs."""
        return list(dict.fromkeys(r.region.code for r in self.results))

    @property
    def notes(self) -> list[str]:
        """What must be said about the model."""
        return list(dict.fromkeys(r.note for r in self.results if r.note))

    def caption(self) -> str:
        """Model, budget and seeds in a line."""
        seeds = len({r.seed for r in self.results})
        asked = self.asked
        effort = f"{asked.budget} evaluations, {seeds} seed{'s' if seeds > 1 else ''}"
        return f"{asked.model}; {effort}; targets {asked.vintage}, C = {asked.constant:g}"


def _constant(given: dict[str, Any]) -> float:
    """C of a run, its survey's own if it gives none.

    Raises:
        ValueError: in one line, if the survey has no index formulas with one C, as the paper's has.
    """
    own = given["objective"]["constant"]
    survey = load_survey(given["survey"]["instrument"])
    scoring = survey.scoring if own is None else survey.scoring.with_constant(own)
    if scoring.kind != INDEX or np.ptp(scoring.constants):
        raise ValueError(
            f"{survey.name} isn't scored by index formulas with one constant C, so it can't stand in Table 1"
        )
    return float(scoring.constants[0])


def write_claims(runs: Runs, folder: Path) -> None:
    """``claims.md``: every public claim of the paper with its verdict."""
    head = [
        "# Claims of arXiv 2503.16094, tested",
        runs.caption() + ".",
        *(f"**{note}**" for note in runs.notes),
        "A claim *holds* if its test is significant at 0.05, *fails* if the opposite is, and otherwise *can't be told*. "
        "Verdicts are about this model and these settings.",
    ]
    write_text(folder / "claims.md", "\n\n".join([*head, markdown(judge(runs.results, runs.setting, runs.readout))]))


def _table_1(runs: Runs, folder: Path) -> None:
    from cultural_sp.studies.paper.table import write_table

    write_table(runs, folder)


def _factors(runs: Runs, folder: Path) -> None:
    from cultural_sp.studies.paper.factors import write_factors

    write_factors(runs, folder)


def _figure(name: str) -> Callable[[Runs, Path], None]:
    def write(runs: Runs, folder: Path) -> None:
        from cultural_sp.studies.paper.figures import save_figure

        save_figure(name, runs, folder)

    return write


ARTEFACTS: dict[str, Callable[[Runs, Path], None]] = {
    "table_1": _table_1,
    "claims": write_claims,
    "factor_analysis": _factors,
    **{f"figure_{name}": _figure(name) for name in ("convergence", "dimensions", "readouts", "wordings")},
}
"""Name -> writes its files into a folder; the factor analysis only if runs have one."""
