"""Runs that differ in nothing but the seed, and what their numbers come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import sqrt

from scipy.special import stdtrit

from cultural_sp.config.groups import ModelConfig
from cultural_sp.config.registries import OPTIMIZERS
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
T_INTERVAL, SEED_RANGE, WORDING_RANGE = "95 % t over seeds", "range over seeds", "range over wordings"


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, and over wordings where there are several."""

    mean: float
    low: float
    high: float
    seeds: int
    """Those with a value."""
    of: int
    """All."""
    interval: str = ""
    """What ``low`` and ``high`` are; empty if there is one value."""
    digits: int = 1
    """Decimals that are shown."""

    @property
    def whole(self) -> bool:
        """Whether every seed has a value."""
        return self.seeds == self.of

    @property
    def spread(self) -> bool:
        """Whether the interval is so wide that it shows."""
        return self.high - self.low > same(self.digits)

    def shown(self, value: float) -> str:
        """A loss with as many decimals as its unit calls for."""
        return f"{value:.{self.digits}f}"

    def __str__(self) -> str:
        text = self.shown(self.mean)
        if self.spread:
            text += f" [{self.shown(self.low)}, {self.shown(self.high)}]"
        return text if self.whole else f"{text} ({self.seeds} of {self.of} seeds)"


def same(digits: int) -> float:
    """Differences up to this don't show in numbers with so many decimals."""
    return 0.5 * 10.0**-digits


def estimate(values: Sequence[float | None], digits: int = 1) -> Estimate | None:
    """Mean over seeds with the 95 % t interval from three on, the range with two; None without any value."""
    known = [v for v in values if v is not None]
    if not known:
        return None
    n, mean = len(known), sum(known) / len(known)
    if n > 2:
        half = float(stdtrit(n - 1, 0.975)) * sqrt(sum((v - mean) ** 2 for v in known) / (n - 1) / n)
        return Estimate(mean, mean - half, mean + half, n, len(values), T_INTERVAL, digits)
    return Estimate(mean, min(known), max(known), n, len(values), SEED_RANGE if n == 2 else "", digits)


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
        return {kind: {m: self._loss(m, names) for m in SUMMARY} for kind, names in self.wordings.items()}

    def _loss(self, method: str, wordings: list[str]) -> Estimate | None:
        by_seed = list(zip(*([r.loss for r in self.records(method, w)] for w in wordings), strict=True))
        found = estimate([mean(losses) for losses in by_seed], self.digits)
        if found is None or len(by_seed) > 1 or len(wordings) == 1:
            return found
        known = [loss for loss in by_seed[0] if loss is not None]
        return replace(found, low=min(known), high=max(known), interval=WORDING_RANGE)

    def closest(self, kind: str) -> list[str]:
        """Methods with the lowest mean loss, several if they agree to a digit; none without any loss."""
        whole = {m: e.mean for m, e in self.losses[kind].items() if e is not None and e.whole}
        return [m for m, loss in whole.items() if loss <= min(whole.values()) + same(self.digits)]


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
