"""Groups of runs that differ only in the seed, with their losses over seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from cultural_sp.config.groups import ModelConfig
from cultural_sp.config.registries import OPTIMIZERS
from cultural_sp.reporting.aggregate import Estimate, estimate, losses_by_method, rounding, run_table
from cultural_sp.reporting.html_report.collect import Run
from cultural_sp.reporting.tables import labels
from cultural_sp.runs.methods import SUMMARY
from cultural_sp.runs.result import KINDS, ScoreRecord
from cultural_sp.survey.instrument import Item, Survey, load_survey

OUTPUT_KEYS = ("output_dir", "overwrite", "tracker.")
"""Beginnings of config keys that change neither a run nor its numbers."""
GROUP_KEYS = ("region.", "model.name_or_path", "model.adapter", "model.note", "seed", "optimizer.seed", *OUTPUT_KEYS)
"""Beginnings of config keys that are no part of a group's setting: its region, model and seeds have their own places."""
SURVEY_KEY = "survey.instrument"
TUNED, HELD_OUT = "tuned", "held out"
"""Kinds of wordings: those that the search saw, and those that no search saw."""
KEYS = {name: kind for kind, name in KINDS.items()}
"""Name of a kind of wordings on the page -> its key in results."""
WORDING_RANGE = "range of single wordings"
"""Interval of an :class:`Estimate` of one seed and several wordings."""


@dataclass(frozen=True)
class Group:
    """Runs of one region, vintage, model and setting; they differ in the seed."""

    id: str
    model: str
    """Short name, unique among the models of the report."""
    setting: str
    """Values of the config keys in which groups of the report differ, besides region and model; empty with one setting."""
    runs: tuple[Run, ...]
    survey: Survey | str
    """The instrument, or the reason why it can't be read."""

    @property
    def first(self) -> Run:
        """The run of the lowest seed, for everything that all runs have in common."""
        return self.runs[0]

    @property
    def region(self) -> str:
        """Code of the region in capitals."""
        return self.first.result.region.code.upper()

    @property
    def country(self) -> str:
        """Name of the region."""
        return self.first.result.region.country

    @property
    def vintage(self) -> str:
        """Edition of the target."""
        return self.first.result.region.vintage

    @property
    def title(self) -> str:
        """Country, model and setting, which together are unique in a report."""
        return " · ".join(part for part in (self.country, self.model, self.setting) if part)

    @property
    def note(self) -> str:
        """The model's note; empty if it has none."""
        return self.first.result.note

    @property
    def unit(self) -> str:
        """Unit of scores and losses."""
        return self.first.result.unit

    @property
    def digits(self) -> int:
        """Decimals of losses; scores have one less."""
        return self.first.result.digits + 1

    @property
    def target(self) -> dict[str, float | None]:
        """Dimension -> published score; None where the region has none."""
        return self.first.result.region.target

    @cached_property
    def items(self) -> dict[str, Item]:
        """Id -> item of the survey; empty if the survey can't be read."""
        return {} if isinstance(self.survey, str) else {item.id: item for item in self.survey.items}

    @property
    def names(self) -> dict[str, str]:
        """Method -> label; ``persona`` is the strongest in-context baseline."""
        return labels(self.first.result, self.first.readout) | {"persona": "ICL"}

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs."""
        return [run.result.seed for run in self.runs]

    def records(self, method: str, wording: str, readout: str | None = None) -> list[ScoreRecord]:
        """Return one record per run.

        Without ``readout`` the one of the search is taken on tuned wordings, and expected on the others.
        """
        searched = wording in self.wordings[TUNED]
        return [r.result.score(method, wording, readout or (r.readout if searched else "expected")) for r in self.runs]

    @cached_property
    def wordings(self) -> dict[str, list[str]]:
        """``tuned`` -> names of its single wordings, and the same for ``held out`` if there are any."""
        result = self.first.result
        others = result.wordings("held_out")
        return {TUNED: result.wordings("tuned"), **({HELD_OUT: others} if others else {})}

    @cached_property
    def losses(self) -> dict[str, dict[str, Estimate | None]]:
        """``tuned`` or ``held out`` -> method -> loss of the scores pooled over these wordings; None if it is missing."""
        table = run_table([run.result for run in self.runs])
        return {kind: self._estimates(table, kind) for kind in self.wordings}

    def _estimates(self, table: pd.DataFrame, kind: str) -> dict[str, Estimate | None]:
        """Method -> mean pooled loss over the seeds; with one seed its interval is the range of the single wordings' losses."""
        readout = self.first.readout if kind == TUNED else "expected"
        pools = losses_by_method(table, KEYS[kind], readout, by=["run"])
        estimates = {method: estimate(pools[method].tolist(), self.digits) for method in SUMMARY}
        if len(self.runs) > 1 or len(self.wordings[kind]) == 1:
            return estimates
        single = table[table.wording.isin(self.wordings[kind]) & (table.readout == readout)]
        ranges = single.groupby("method").loss.agg(["min", "max"])
        return {
            method: loss
            and replace(loss, low=ranges["min"][method], high=ranges["max"][method], interval=WORDING_RANGE)
            for method, loss in estimates.items()
        }

    def closest(self, kind: str) -> list[str]:
        """Return the methods with the lowest mean loss on a kind of wordings; several if they agree when rounded.

        Methods without a loss for every seed are left out.
        """
        means = {m: e.mean for m, e in self.losses[kind].items() if e is not None and e.complete}
        return [m for m, loss in means.items() if loss <= min(means.values()) + rounding(self.digits)]


def common_unit(groups: Sequence[Group]) -> str | None:
    """Return the unit of all groups; None if they differ, so that their numbers can't be compared."""
    units = {(g.unit, g.digits) for g in groups}
    return groups[0].unit if len(units) == 1 else None


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean; None if a value is missing or there are no values."""
    entries = list(values)
    numbers = [value for value in entries if value is not None]
    return sum(numbers) / len(numbers) if numbers and len(numbers) == len(entries) else None


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Group runs by region, model and setting, sorted by country, model and setting; members are sorted by seed."""
    models = _short_names([run.model for run in runs])
    settings = _settings(runs)
    members: dict[tuple[str, ...], list[Run]] = {}
    for run, setting in zip(runs, settings, strict=True):
        region = run.result.region
        # Targets and readouts may differ where a config is lost; numbers of such runs must not be averaged.
        wordings = str([run.result.wordings("tuned"), run.result.wordings("held_out")])
        conditions = (region.vintage, str(region.target), run.readout, wordings)
        key = (region.country, models[run.model], setting, region.code, *conditions)
        members.setdefault(key, []).append(run)
    surveys = {name: _survey(name) for name in {run.config.get(SURVEY_KEY) for run in runs}}
    groups = []
    for i, ((_, model, setting, *_), group) in enumerate(sorted(members.items(), key=lambda entry: entry[0])):
        by_seed = tuple(sorted(group, key=lambda run: run.result.seed))
        groups.append(Group(f"g{i}", model, setting, by_seed, surveys[group[0].config.get(SURVEY_KEY)]))
    return groups


def _settings(runs: Sequence[Run]) -> list[str]:
    """Return the setting of every run: the values of the config keys in which the runs differ, and what a config lacks."""
    keys = [key for key in _differing(runs) if not key.startswith(GROUP_KEYS)]
    several_optimizers = len({run.result.optimizer for run in runs}) > 1
    several_vintages = len({run.result.region.vintage for run in runs}) > 1
    settings = []
    for run in runs:
        parts = [run.result.region.vintage] if several_vintages else []
        parts += [f"{key}={run.config.get(key, 'unknown')}" for key in keys]
        if not keys and several_optimizers:  # no config tells them apart
            parts.append(OPTIMIZERS[run.result.optimizer].label)
        if run.result.joint:
            parts.append("joint run")
        settings.append(" ".join(parts))
    return settings


def _survey(name: str | None) -> Survey | str:
    """Load a survey; return the reason where it can't be read."""
    if name is None:
        return "the run's config doesn't say which survey it is"
    try:
        return load_survey(name)
    except ValueError as error:
        return str(error)


def _differing(runs: Sequence[Run]) -> list[str]:
    """Return the config keys that don't have one value in all runs, in the order of the config."""
    configs = [run.config for run in runs if run.config]
    keys = dict.fromkeys(key for config in configs for key in config)
    return [key for key in keys if len({config.get(key) for config in configs}) > 1]


def config_differences(runs: Sequence[Run]) -> list[str]:
    """Return the config keys in which runs differ, without :data:`OUTPUT_KEYS`."""
    return [key for key in _differing(runs) if not key.startswith(OUTPUT_KEYS)]


def _short_names(models: Iterable[tuple[str, str | None, str]]) -> dict[tuple[str, str | None, str], str]:
    """Return a short name per model; its full name where several would have the same short one."""
    short = {model: ModelConfig(name_or_path=model[0], adapter=model[1]).slug for model in models}
    times = Counter(short.values())
    return {model: " ".join(filter(None, model)) if times[name] > 1 else name for model, name in short.items()}
