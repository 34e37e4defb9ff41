"""Runs that differ in nothing but the seed, and what their numbers come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from cultural_sp.config.groups import ModelConfig
from cultural_sp.config.registries import OPTIMIZERS
from cultural_sp.reporting.aggregate import Estimate, average_wordings, estimate, rounding, run_table
from cultural_sp.reporting.html_report.collect import Run, held_out, tuned
from cultural_sp.reporting.tables import labels
from cultural_sp.runs.methods import SUMMARY
from cultural_sp.runs.result import ScoreRecord
from cultural_sp.survey.instrument import Item, Survey, load_survey

MODEL = ("model.name_or_path", "model.adapter", "model.note")
ELSEWHERE = ("output_dir", "overwrite", "tracker.")  # where a run lies and is shown
NOT_SETTINGS = ("region.", *MODEL, "seed", "optimizer.seed", *ELSEWHERE)
SURVEY = "survey.instrument"
TUNED, HELD_OUT = "tuned", "held out"
WORDING_RANGE = "range over wordings"


@dataclass(frozen=True)
class Group:
    """Runs of one region, vintage, model and setting; they differ in the seed."""

    id: str
    model: str
    """Short name, unique among the models of the report."""
    setting: str
    """The keys in which groups of the report differ, besides region and model; empty if there is one setting."""
    runs: tuple[Run, ...]
    survey: Survey | str
    """The instrument, or why it can't be read any more."""

    @property
    def first(self) -> Run:
        """One of the runs, for what all have in common."""
        return self.runs[0]

    @property
    def region(self) -> str:
        """Code in capitals."""
        return str(self.first.result.region.code).upper()

    @property
    def country(self) -> str:
        """Name with the vintage's warning where scores are estimates."""
        return str(self.first.result.region.country)

    @property
    def vintage(self) -> str:
        """Edition of the target."""
        return str(self.first.result.region.vintage)

    @property
    def title(self) -> str:
        """Everything that tells the group from others."""
        return " · ".join(part for part in (self.country, self.model, self.setting) if part)

    @property
    def note(self) -> str:
        """What must be said about the model; empty if nothing."""
        return self.first.result.note

    @property
    def unit(self) -> str:
        """What scores and losses are counted in."""
        return self.first.result.unit

    @property
    def digits(self) -> int:
        """Decimals of losses; scores are shown with one less."""
        return self.first.result.digits + 1

    @property
    def target(self) -> dict[str, float | None]:
        """Dimension -> score."""
        target: dict[str, float | None] = self.first.result.region.target
        return target

    @cached_property
    def items(self) -> dict[str, Item]:
        """Those of the survey by their ids; none where it can't be read any more."""
        return {} if isinstance(self.survey, str) else {item.id: item for item in self.survey.items}

    @property
    def names(self) -> dict[str, str]:
        """Method -> label; persona is the strongest in-context baseline."""
        return labels(self.first.result, self.first.readout) | {"persona": "ICL"}

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs."""
        return [run.result.seed for run in self.runs]

    def records(self, method: str, wording: str, readout: str | None = None) -> list[ScoreRecord]:
        """A record per run; the searched readout for tuned wordings, expected for the others, unless one is given."""
        searched = wording in self.wordings[TUNED]
        return [r.result.score(method, wording, readout or (r.readout if searched else "expected")) for r in self.runs]

    @cached_property
    def wordings(self) -> dict[str, list[str]]:
        """``tuned`` and, if there are any, ``held out`` -> names of wordings."""
        others = held_out(self.first.result)
        return {TUNED: tuned(self.first.result, self.first.readout), **({HELD_OUT: others} if others else {})}

    @cached_property
    def losses(self) -> dict[str, dict[str, Estimate | None]]:
        """``tuned`` or ``held out`` (mean over those wordings) -> method -> loss."""
        table = run_table([run.result for run in self.runs])
        readouts = {TUNED: self.first.readout, HELD_OUT: "expected"}
        return {
            kind: self._estimates(table[table.wording.isin(wordings) & (table.readout == readouts[kind])])
            for kind, wordings in self.wordings.items()
        }

    def _estimates(self, rows: pd.DataFrame) -> dict[str, Estimate | None]:
        """Method -> mean over the wordings and seeds in the rows; with one seed its interval is the range over wordings."""
        means = average_wordings(rows, by=["run"])
        estimates = {method: estimate(means[method].tolist(), self.digits) for method in SUMMARY}
        if len(self.runs) > 1 or rows.wording.nunique() == 1:
            return estimates
        ranges = rows.groupby("method").loss.agg(["min", "max"])
        return {
            method: found
            and replace(found, low=ranges["min"][method], high=ranges["max"][method], interval=WORDING_RANGE)
            for method, found in estimates.items()
        }

    def closest(self, kind: str) -> list[str]:
        """Methods with the lowest mean loss, several if they agree to a digit; none without any loss."""
        whole = {m: e.mean for m, e in self.losses[kind].items() if e is not None and e.complete}
        return [m for m, loss in whole.items() if loss <= min(whole.values()) + rounding(self.digits)]


def common_unit(groups: Sequence[Group]) -> str | None:
    """The unit of all groups; None if they differ, so that nothing may be compared across them."""
    units = {(g.unit, g.digits) for g in groups}
    return groups[0].unit if len(units) == 1 else None


def mean(values: Iterable[float | None]) -> float | None:
    """Mean, or None if a value is missing or there is none."""
    known = list(values)
    numbers = [v for v in known if v is not None]
    return sum(numbers) / len(numbers) if numbers and len(numbers) == len(known) else None


def group(runs: Sequence[Run]) -> list[Group]:
    """The runs by region, model and setting, sorted by country; settings are named by the keys in which runs differ."""
    models = _short_names([run.model for run in runs])
    keys = [k for k in _differing(runs) if not k.startswith(NOT_SETTINGS)]
    grouped: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        region = run.result.region
        setting = [f"{k}={run.config.get(k, 'unknown')}" for k in keys]
        if not keys and len({r.result.optimizer for r in runs}) > 1:  # no config tells them apart
            setting = [OPTIMIZERS[run.result.optimizer].label]
        if len({r.result.region.vintage for r in runs}) > 1:
            setting.insert(0, region.vintage)
        if run.result.joint:
            setting.append("joint run")
        # Targets and readouts may differ where a config is lost; numbers of such runs must not be averaged.
        wordings = str([tuned(run.result, run.readout), held_out(run.result)])
        apart = (region.vintage, str(region.target), run.readout, wordings)
        key = (region.country, models[run.model], " ".join(setting), region.code, *apart)
        grouped.setdefault(key, []).append(run)
    surveys = {name: _survey(name) for name in {run.config.get(SURVEY) for run in runs}}
    return [
        Group(
            f"g{i}",
            key[1],
            key[2],
            tuple(sorted(members, key=lambda run: run.result.seed)),
            surveys[members[0].config.get(SURVEY)],
        )
        for i, (key, members) in enumerate(sorted(grouped.items(), key=lambda entry: entry[0]))
    ]


def _survey(name: str | None) -> Survey | str:
    if name is None:
        return "the run's config doesn't say which survey it is"
    try:
        return load_survey(name)
    except ValueError as error:
        return str(error)


def _differing(runs: Sequence[Run]) -> list[str]:
    """Keys of the config that don't have one value in all runs, in the order of the config."""
    configs = [run.config for run in runs if run.config]
    keys = dict.fromkeys(key for config in configs for key in config)
    return [key for key in keys if len({config.get(key) for config in configs}) > 1]


def config_differences(runs: Sequence[Run]) -> list[str]:
    """The keys in which the runs of a report differ, without those that only say where a run lies and is shown."""
    return [key for key in _differing(runs) if not key.startswith(ELSEWHERE)]


def _short_names(models: Iterable[tuple[str, str | None, str]]) -> dict[tuple[str, str | None, str], str]:
    short = {model: ModelConfig(name_or_path=model[0], adapter=model[1]).slug for model in models}
    times = Counter(short.values())
    return {model: " ".join(filter(None, model)) if times[name] > 1 else name for model, name in short.items()}
