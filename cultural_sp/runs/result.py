"""Schema of ``result.json``: what a run found and where it came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from cultural_sp.config.schema import AlignConfig
from cultural_sp.runs.methods import METHODS, icl_keys
from cultural_sp.survey.instrument import Survey, decimals
from cultural_sp.survey.regions import Region
from cultural_sp.utils.files import write_text
from cultural_sp.utils.serialize import jsonable

VERDICTS = ("not measurable", "weakly measurable", "measurable")
"""On whether a model can take a survey, the worst first."""
SCHEMA_VERSION = 1
EVALUATION = "evaluation"  # name of results that no search belongs to
ALL = "all"  # countries together
FACTORS = "factor_analysis.json"


Record = TypeVar("Record")


def _strict(schema: type[Record]) -> type[Record]:
    """Make pydantic refuse unknown fields and numbers that are not finite."""
    schema.__pydantic_config__ = {"extra": "forbid", "allow_inf_nan": False}  # type: ignore[attr-defined]
    return schema


@_strict
@dataclass(frozen=True)
class ScoreRow:
    """What one respondent answered under one wording, option order and readout; the fields are those of a score record."""

    wording: str
    option_order: str
    readout: str
    dimensions: dict[str, float | None]
    item_means: dict[str, float | None]
    valid_mass: float | None
    missing: float
    option_probabilities: dict[str, list[float]] | None = None


@_strict
@dataclass(frozen=True)
class ScoreRecord:
    """One row of the tidy table ``scores``: a method under one wording, option order and readout."""

    method: str
    """A key of :data:`cultural_sp.runs.methods.METHODS`."""
    wording: str
    """tuned, held_out_1 or held_out_2."""
    option_order: str
    """ascending, descending, both (averaged), or none where no list of options is shown."""
    readout: str
    """expected, argmax, sample or generate."""
    loss: float | None
    """Mean absolute difference to the target in the unit of the survey; None if an item needed for it has no answer."""
    dimensions: dict[str, float | None]
    """Dimension -> score in the unit of the survey."""
    item_means: dict[str, float | None]
    """Item -> mean code."""
    valid_mass: float | None
    """Mean probability given to all valid options together; None for generated text and the midpoint respondent."""
    missing: float
    """Share of answers that are missing: refusals and text that can't be read."""
    option_probabilities: dict[str, list[float]] | None = None
    """Item -> probability of each option in the order of the codes, over the options alone; only with readout expected."""


@_strict
@dataclass(frozen=True)
class Validity:
    """Whether the model can take the survey at all; see ``analysis/validity.py`` for each statistic."""

    verdict: str
    """One of :data:`VERDICTS`."""
    sentence: str
    """The verdict with its reasons."""
    items_right: int
    """Items that opposite personas move in the right direction, averaged over wordings."""
    items_total: int
    share_interval: tuple[float, float]
    """95 % Wilson interval of the share of items right."""
    items_right_by_wording: dict[str, int]
    effects: dict[str, float]
    """Dimension -> score under the high persona minus score under the low one, averaged over wordings."""
    wording_agreement: float | None
    """Mean correlation of item means between wordings, after taking out each scale's mean."""
    order_agreement: float | None
    """The same between ascending and descending order; None if only one order, or no list, is shown."""
    content_share: float | None
    """Share of the variance of item means within a scale that belongs to the item (one-way ICC over wordings and orders)."""
    valid_mass: float
    """Mean probability on valid options over the personas."""


@_strict
@dataclass(frozen=True)
class KnowledgeScore:
    """How many questions, about one country or all, a method answered right, in one form and order."""

    method: str
    """naive, aligned, or the strongest in-context baseline, an in-context baseline."""
    task: str
    """easy: one choice among four options; hard: four judgements true or false, all of which must be right."""
    order: str
    """published: the options (easy) or the words true and false (hard) in one order; averaged: over all of them."""
    country: str
    """Its name, or all for all countries together."""
    right: int
    total: int
    accuracy: float
    low: float
    """Of the 95 % Wilson interval over questions."""
    high: float
    chance: float
    """Accuracy of guessing."""
    valid_mass: float
    """Mean probability given to the allowed answers together."""
    answers: dict[str, bool]
    """Question -> whether it was answered right, so that methods can be compared question by question."""


@_strict
@dataclass(frozen=True)
class Knowledge:
    """What a run found about cultural knowledge."""

    name: str
    """own or culturalbench."""
    title: str
    """What tables call the set of questions."""
    fingerprint: str
    """SHA-256 of the questions."""
    scores: list[KnowledgeScore]


@_strict
@dataclass(frozen=True)
class OpenAnswer:
    """What methods wrote to one open question, greedily."""

    question: str
    answers: dict[str, str]
    """naive and aligned -> text."""


@_strict
@dataclass(frozen=True)
class RegionTarget:
    """The region that a run aligned to, with the published scores that it aimed at."""

    code: str
    """ISO 3166 alpha-2 code in lower case."""
    country: str
    vintage: str
    """Edition of the table that the scores are from."""
    estimated: bool
    """Whether the source marks the scores as estimates."""
    target: dict[str, float | None]
    """Dimension -> score in the unit of the survey; None where the region has none."""

    @classmethod
    def of(cls, survey: Survey, region: Region) -> RegionTarget:
        """The target of a region under a survey."""
        return cls(region.code, region.country, region.vintage, region.estimated, region_target(survey, region))


@_strict
@dataclass(frozen=True)
class Result:
    """Everything a run reports."""

    name: str
    region: RegionTarget
    model: str
    seed: int
    evaluations: int
    """Budget of the search, and again of random search; in a joint run of all its regions together."""
    scores: list[ScoreRecord]
    validity: Validity | None
    """None if the check was switched off."""
    provenance: dict[str, Any]
    """Package versions, git commit, seeds, hashes of config, survey, chat template and weights before and after."""
    seconds: dict[str, float] = field(default_factory=dict)
    optimizer: str = "de"
    """The optimizer behind ``aligned``: one of ``optimizer.kind``; the first runs had no other than de."""
    note: str = ""
    """What must be said about the model wherever its numbers appear."""
    joint: list[str] = field(default_factory=list)
    """Codes of all regions of the joint run that this is part of, itself included; empty for a run of its own."""
    warm_start: dict[str, Any] | None = None
    """sources (journal -> number of its evaluations), and how many different candidates were offered; None without."""
    unit: str = "index points"
    """What scores and losses are counted in."""
    published_range: tuple[float, float] = (0.0, 100.0)
    """Where published scores of the survey lie."""
    knowledge: Knowledge | None = None
    """None if no questions were asked."""
    open_answers: list[OpenAnswer] = field(default_factory=list)
    """Empty if no open questions were asked; nothing is scored of it."""
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, config: AlignConfig, survey: Survey, region: Region, **fields: Any) -> Result:
        """The result for one region of a run; ``fields`` are those that neither config, survey nor region determine."""
        shared: dict[str, Any] = {
            "name": config.name,
            "region": RegionTarget.of(survey, region),
            "model": config.model.name_or_path,
            "seed": config.seed,
            "note": config.model.note,
            "unit": survey.unit,
            "published_range": survey.published_range,
        }
        return cls(**(shared | fields))

    @property
    def digits(self) -> int:
        """Decimals with which scores are printed, losses with one more: hundredths of the published range."""
        return decimals(self.published_range)

    def score(
        self, method: str, wording: str = "tuned", readout: str = "expected", order: str | None = None
    ) -> ScoreRecord:
        """The record of a method; without ``order`` the averaged or order-free one.

        Raises:
            KeyError: if there is no such record.
        """
        orders = ("both", "none") if order is None else (order,)
        rows = [r for r in self.scores if (r.method, r.wording, r.readout) == (method, wording, readout)]
        for record in rows:
            if record.option_order in orders:
                return record
        if order is None and len({r.option_order for r in rows}) == 1:
            return rows[0]
        raise KeyError((method, wording, readout, order))

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that it has, in the order of :data:`METHODS`."""
        there = {r.method for r in self.scores}
        return tuple(method for method in METHODS if method in there)

    def icl(self, readout: str = "expected") -> str:
        """The strongest in-context baseline: the one with the lowest loss on the tuned wording under this readout."""
        return strongest_icl(self.scores, readout)

    def save(self, path: Path) -> None:
        """Write the result as JSON, in one step: a reader never sees half of it."""
        write_text(path, as_json(self))


def region_target(survey: Survey, region: Region) -> dict[str, float | None]:
    """Dimension -> target score in the unit of the survey; None where the region has none."""
    scores: dict[str, float | None] = jsonable(dict(zip(survey.dimension_names, region.target, strict=True)))
    return scores


def strongest_icl(scores: Sequence[ScoreRecord], readout: str) -> str:
    """The in-context baseline with the lowest loss on the tuned wording under a readout; the first one on a tie."""
    losses: dict[str, float] = {}
    for method in icl_keys():
        rows = [r for r in scores if (r.method, r.wording, r.readout) == (method, "tuned", readout)]
        if rows:
            record = next((r for r in rows if r.option_order in ("both", "none")), rows[0])
            losses[method] = float("inf") if record.loss is None else record.loss
    return min(losses, key=losses.__getitem__)


def summarised(result: Result, readout: str) -> Result:
    """The result with its strongest in-context baseline under a readout in the place of ``persona``, and no other one."""
    icl = set(icl_keys())
    if not icl & set(result.methods):
        return result
    strongest = result.icl(readout)
    kept = (r for r in result.scores if r.method == strongest or r.method not in icl)
    return replace(result, scores=[replace(r, method="persona") if r.method == strongest else r for r in kept])


def as_json(entry: Result | Validity) -> str:
    """The text of a JSON file of a result or of a part of it."""
    return json.dumps(jsonable(asdict(entry)), indent=1, allow_nan=False) + "\n"


def read_record(schema: type[Record], text: str | bytes) -> Record:
    """Read a record of this module from JSON: all fields there, none unknown, each of its type, every number finite.

    Raises:
        ValueError: naming the first field that is wrong.
    """
    from pydantic import TypeAdapter, ValidationError  # here, as it takes a while to import

    try:
        return TypeAdapter(schema).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from error


def load_result(path: Path | str) -> Result:
    """Read a ``result.json``, or the one in a run folder.

    Raises:
        ValueError: if the file isn't a result of this schema version.
    """
    path = Path(path).expanduser()
    path = path / "result.json" if path.is_dir() else path
    try:
        result = read_record(Result, path.read_bytes())
        if result.schema_version != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {result.schema_version}, this program reads {SCHEMA_VERSION}")
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no result.json of this program ({error})") from error
    return result
