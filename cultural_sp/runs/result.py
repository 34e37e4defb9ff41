"""Schema of ``result.json``: the scores of all methods of a run, and their provenance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cultural_sp.config.schema import AlignConfig
from cultural_sp.runs.methods import METHODS, icl_keys
from cultural_sp.runs.records import read_record, strict
from cultural_sp.runs.validity import Validity
from cultural_sp.survey.floors import floors
from cultural_sp.survey.instrument import Survey, decimals
from cultural_sp.survey.regions import Region
from cultural_sp.utils.files import write_text
from cultural_sp.utils.serialize import jsonable

SCHEMA_VERSION = 1
EVALUATION_NAME = "evaluation"
"""Name of results without a search, from the program ``evaluate``."""
ALL_COUNTRIES = "all"
"""``country`` of a knowledge score over all countries."""
FACTORS_FILE = "factor_analysis.json"
"""Factor analysis of a run, beside its result."""

KINDS = {"tuned": "tuned", "selected": "selected", "held_out": "held out"}
"""Kind of a wording -> its name in tables: seen by the search, used to choose among its candidates, or neither."""


def pooled(kind: str) -> str:
    """Return the name, as a wording, of the item means over all wordings of a kind: ``held_out_pooled``."""
    return f"{kind}_pooled"


def single_wordings(names: Iterable[str], kind: str) -> list[str]:
    """Return the names of single wordings of a kind, each once, in their order; pools are left out."""
    return [name for name in dict.fromkeys(names) if wording_kind(name) == kind and name != pooled(kind)]


def wording_kind(wording: str) -> str:
    """Return the kind of a wording, or of a pool: ``held_out`` for ``held_out_12`` and ``held_out_pooled``."""
    return next(kind for kind in KINDS if wording == kind or wording.startswith(f"{kind}_"))


@strict
@dataclass(frozen=True)
class ScoreRow:
    """The answers of one respondent under one wording, option order and readout. For the fields see :class:`ScoreRecord`."""

    wording: str
    option_order: str
    readout: str
    dimensions: dict[str, float | None]
    item_means: dict[str, float | None]
    valid_mass: float | None
    missing: float
    option_probabilities: dict[str, list[float]] | None = None
    respondent_sd: dict[str, float | None] | None = None


@strict
@dataclass(frozen=True)
class ScoreRecord:
    """One row of the tidy table ``scores``: one method under one wording, option order and readout."""

    method: str
    """A key of :data:`cultural_sp.runs.methods.METHODS`."""
    wording: str
    """tuned, tuned_2, ..., selected_8, ..., held_out_12, ..., and tuned_pooled, selected_pooled, held_out_pooled."""
    option_order: str
    """ascending, descending, both (their average), or none if the prompt lists no options."""
    readout: str
    """expected, argmax, sample or generate."""
    loss: float | None
    """Mean absolute difference to the target in the unit of the survey; None if an item that it needs has no answer."""
    dimensions: dict[str, float | None]
    """Dimension -> score in the unit of the survey."""
    item_means: dict[str, float | None]
    """Item -> mean code of its answers."""
    valid_mass: float | None
    """Mean probability of all valid options together; None for generated text and the midpoint respondent."""
    missing: float
    """Share of missing answers: refusals and text that can't be parsed."""
    option_probabilities: dict[str, list[float]] | None = None
    """Item -> probability of each option, in the order of the codes, normalized over the options; readout expected only."""
    respondent_sd: dict[str, float | None] | None = None
    """Dimension -> standard deviation of a single respondent's score, whose answers are drawn from these probabilities; over the
    square root of n, the standard error of n respondents. Readout expected only."""


@strict
@dataclass(frozen=True)
class KnowledgeScore:
    """The accuracy of a method on questions about one country or all, in one form and order."""

    method: str
    """naive, aligned, or the strongest in-context baseline."""
    task: str
    """easy: one of four options; hard: four true-or-false judgements, all of which must be right."""
    order: str
    """published: options (easy) or the words true and false (hard) in the published order; averaged: over all orders."""
    country: str
    """Name of a country, or :data:`ALL_COUNTRIES`."""
    right: int
    total: int
    accuracy: float
    low: float
    """Lower end of the 95 % Wilson interval over questions."""
    high: float
    """Upper end."""
    chance: float
    """Accuracy of guessing."""
    valid_mass: float
    """Mean probability of all allowed answers together."""
    answers: dict[str, bool]
    """Question -> whether the answer is right, for paired comparisons of methods."""


@strict
@dataclass(frozen=True)
class Knowledge:
    """The cultural knowledge of several methods."""

    name: str
    """Kind of the question set: own or culturalbench."""
    title: str
    """Name of the question set in tables."""
    fingerprint: str
    """SHA-256 of the questions."""
    scores: list[KnowledgeScore]


@strict
@dataclass(frozen=True)
class OpenAnswer:
    """The texts that methods generated greedily for one open-ended question."""

    question: str
    answers: dict[str, str]
    """Method (naive or aligned) -> text."""


@strict
@dataclass(frozen=True)
class RegionTarget:
    """The region that a run aligns to, with its published scores."""

    code: str
    """ISO 3166 alpha-2 code in lower case."""
    country: str
    vintage: str
    """Edition of the published table."""
    estimated: bool
    """Whether the source marks the scores as estimates."""
    target: dict[str, float | None]
    """Dimension -> score in the unit of the survey; None if the region has none."""

    @classmethod
    def of(cls, survey: Survey, region: Region) -> RegionTarget:
        """Return the target of a region under a survey."""
        return cls(region.code, region.country, region.vintage, region.estimated, region_target(survey, region))


@strict
@dataclass(frozen=True)
class Result:
    """Everything that a run reports for one region."""

    name: str
    region: RegionTarget
    model: str
    seed: int
    evaluations: int
    """Budget of each of the two searches; in a joint run of all its regions together."""
    scores: list[ScoreRecord]
    validity: Validity | None
    """None if the run makes no validity check."""
    provenance: dict[str, Any]
    """Package versions, git commit, seeds, hashes of config, survey, chat template and weights before and after."""
    optimizer: str
    """``optimizer.kind`` of the search behind ``aligned``; none for a result without a search."""
    note: str
    """Note on the model that must accompany its numbers; empty if there is none."""
    unit: str
    """Unit of scores and losses."""
    published_range: tuple[float, float]
    """Range of the published scores of the survey."""
    floors: dict[str, float]
    """Losses below which a kind of answers can't come: ``whole_numbers``, the best that one option per item can do, and
    ``rounding``, what is expected if every item's mean is right and then rounded to an option."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Part of the run -> its duration."""
    joint: list[str] = field(default_factory=list)
    """Codes of all regions of the joint run, this one included; empty for a run of one region."""
    warm_start: dict[str, Any] | None = None
    """``sources`` (journal -> number of its evaluations) and ``offered`` (number of different candidates); None without."""
    knowledge: Knowledge | None = None
    """None if the run asks no knowledge questions."""
    open_answers: list[OpenAnswer] = field(default_factory=list)
    """Empty if the run asks no open-ended questions. They are not scored."""
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, config: AlignConfig, survey: Survey, region: Region, **fields: Any) -> Result:
        """Return the result for one region. ``fields`` are all that config, survey and region don't determine."""
        shared: dict[str, Any] = {
            "name": config.name,
            "region": RegionTarget.of(survey, region),
            "model": config.model.name_or_path,
            "seed": config.seed,
            "note": config.model.note,
            "unit": survey.unit,
            "published_range": survey.published_range,
            "floors": floors(survey, region.target),
        }
        return cls(**(shared | fields))

    @property
    def digits(self) -> int:
        """Number of decimals of printed scores, a hundredth of the published range; losses get one more."""
        return decimals(self.published_range)

    def wordings(self, kind: str) -> list[str]:
        """Return the single wordings of a kind that have scores, in their order."""
        return single_wordings((r.wording for r in self.scores), kind)

    def score(
        self, method: str, wording: str = "tuned_pooled", readout: str = "expected", order: str | None = None
    ) -> ScoreRecord:
        """Return the record of a method. Without ``order`` it is the average over orders, or the only order that there is.

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
        """Keys of the methods that have scores, in the order of :data:`METHODS`."""
        scored = {r.method for r in self.scores}
        return tuple(method for method in METHODS if method in scored)

    def icl(self, readout: str = "expected") -> str:
        """Return the strongest in-context baseline, see :func:`strongest_icl`."""
        return strongest_icl(self.scores, readout)

    def save(self, path: Path) -> None:
        """Write the result as JSON in one step: a reader never sees half of it."""
        write_text(path, to_json(self))


def region_target(survey: Survey, region: Region) -> dict[str, float | None]:
    """Return dimension -> target score in the unit of the survey; None if the region has none."""
    scores: dict[str, float | None] = jsonable(dict(zip(survey.dimension_names, region.target, strict=True)))
    return scores


def strongest_icl(scores: Sequence[ScoreRecord], readout: str) -> str:
    """Return the in-context baseline with the lowest loss on the tuned wordings under a readout; the first one on a tie."""
    losses: dict[str, float] = {}
    for method in icl_keys():
        rows = [r for r in scores if (r.method, r.wording, r.readout) == (method, pooled("tuned"), readout)]
        if rows:
            record = next((r for r in rows if r.option_order in ("both", "none")), rows[0])
            losses[method] = float("inf") if record.loss is None else record.loss
    return min(losses, key=losses.__getitem__)


def with_strongest_icl(result: Result, readout: str) -> Result:
    """Return a result with only one in-context baseline: the strongest one under a readout, as ``persona``."""
    icl = set(icl_keys())
    if not icl & set(result.methods):
        return result
    strongest = result.icl(readout)
    scores = (r for r in result.scores if r.method == strongest or r.method not in icl)
    return replace(result, scores=[replace(r, method="persona") if r.method == strongest else r for r in scores])


def to_json(entry: Result | Validity) -> str:
    """Return a result, or a part of it, as the text of a JSON file."""
    return json.dumps(jsonable(asdict(entry)), indent=1, allow_nan=False) + "\n"


def load_result(path: Path | str) -> Result:
    """Read a ``result.json``, or the one in a run folder.

    Raises:
        ValueError: if the file can't be read or isn't a result of this schema version.
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
