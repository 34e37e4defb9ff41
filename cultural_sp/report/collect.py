"""Finds finished runs below folders and reads what a report shows of them; whatever can't be read is named, not fatal."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from cultural_sp.analysis.tables import OPTIMIZERS
from cultural_sp.results import METHODS, Result, load_result
from cultural_sp.run_folder import CONFIG, RESULT
from cultural_sp.search.best import of_best

VERDICTS = ("not measurable", "weakly measurable", "measurable")
JOURNAL, TOKENS, STATEMENTS = "evaluations.jsonl", "nearest_tokens.csv", "statements.csv"
TABLES = {  # file -> the columns that a report shows, and which of them hold numbers
    TOKENS: {"virtual_token": False, "length": True, "rank": False, "token": False, "cosine": True},
    STATEMENTS: {"weight": True, "dimension": False, "pole": False, "statement": False},
}
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Search:
    """The evaluations of one search, in their order."""

    l1: Array
    """[n], mean absolute difference in index points; NaN where there is none."""
    best: Array
    """[n], that of whichever candidate has had the lowest loss."""


@dataclass(frozen=True)
class Run:
    """One finished run."""

    where: str
    """Its folder, relative to the one that was asked for."""
    result: Result
    config: dict[str, str]
    """Keys with dots -> values as text; empty if there is no config."""
    readout: str
    """The searched one."""
    searches: dict[str, Search]
    """``random_search`` and ``aligned``, as far as the journal has them."""
    joint: bool
    """Whether the journal lies one folder above, so that several regions share its evaluations."""
    tokens: list[dict[str, str]]
    statements: list[dict[str, str]]
    notes: tuple[str, ...] = ()
    """What belongs to the run and couldn't be read."""


@dataclass(frozen=True)
class LeftOut:
    """Something that a report lacks."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"left out: {self.where}, because {self.reason}"


class UnreadableError(Exception):
    """Why a run can't be shown; the text goes behind "because"."""


def collect(folders: Sequence[Path], root: Path) -> tuple[list[Run], list[LeftOut]]:
    """Every finished run in and below ``folders``, in the order of their paths, and what was left out.

    Args:
        folders: run folders, or folders above some.
        root: paths are shown relative to this one where they lie below it.
    """
    runs: list[Run] = []
    left_out: list[LeftOut] = []
    found = {path.resolve(): (path, names) for folder in folders for path, names in _folders(folder, root, left_out)}
    finished = [path for path, (_, names) in found.items() if RESULT in names]
    for resolved, (path, names) in sorted(found.items()):
        where = _shown(path, root)
        try:
            if RESULT in names:
                runs.append(_read(path, where))
            elif names & {CONFIG, JOURNAL} and not any(resolved in other.parents for other in finished):
                raise UnreadableError(f"it isn't finished{_progress(path / JOURNAL)}")
        except UnreadableError as error:
            left_out.append(LeftOut(where, str(error)))
    return runs, left_out


def _folders(top: Path, root: Path, left_out: list[LeftOut]) -> Iterator[tuple[Path, set[str]]]:
    def closed(error: OSError) -> None:
        left_out.append(LeftOut(_shown(Path(error.filename), root), f"it can't be read ({error.strerror})"))

    for path, _, names in os.walk(top, onerror=closed):
        yield Path(path), set(names)


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) and path != root else str(path)


def _progress(journal: Path) -> str:
    try:
        with journal.open("rb") as handle:
            evaluations = max(sum(1 for _ in handle) - 1, 0)
    except OSError:
        return ""
    return f" ({evaluations} evaluations so far)"


def _read(folder: Path, where: str) -> Run:
    try:
        result = load_result(folder / RESULT)
    except ValueError as error:
        raise UnreadableError(" ".join(str(error).removeprefix(str(folder / RESULT)).split())) from error
    notes: list[str] = []
    beside = [folder, folder.parent]  # a joint run of several regions keeps one journal above all of them
    config = _config(beside, notes)
    readout = config.get("readout.kind", "expected")
    _check(result, readout)
    journal = next((path for path in beside if (path / JOURNAL).is_file()), None)
    joint = journal == folder.parent
    searches = {} if journal is None else _searches(journal / JOURNAL, result, joint, notes)
    tokens, statements = (_table(folder / name, notes) for name in (TOKENS, STATEMENTS))
    return Run(where, result, config, readout, searches, joint, tokens, statements, tuple(notes))


def _check(result: Result, readout: str) -> None:
    """Refuse a result that parses but doesn't hold what every figure relies on."""
    try:
        target = result.region["target"]
        _numbers(target, "the target")
        for key in ("code", "country", "vintage"):
            _require(isinstance(result.region[key], str), f"region.{key} is no text")
        _require(isinstance(result.model, str) and bool(result.model), "model is no text")
        _require(
            isinstance(result.seed, int) and isinstance(result.evaluations, int), "seed or evaluations is no number"
        )
        _require(isinstance(result.provenance, dict), "provenance is no table")
        _require(result.optimizer in OPTIMIZERS, f"optimizer={result.optimizer!r} is unknown")
        for record in result.scores:
            about = f"{record.method}, {record.wording}, {record.readout}"
            _numbers({"loss": record.loss, "valid_mass": record.valid_mass, "missing": record.missing}, about)
            _numbers(record.dimensions, about)
            _numbers(record.item_means, about)
            for chances in (record.option_probabilities or {}).values():
                _numbers(dict(enumerate(chances)), about)
        for method in METHODS:
            for wording in ("tuned", *held_out(result)):
                record = result.score(method, wording, readout if wording == "tuned" else "expected")
                _require(record.dimensions.keys() == target.keys(), f"{method}, {wording} has other dimensions")
        if result.validity is not None:
            _require(isinstance(result.validity.sentence, str), "the validity sentence is no text")
            _require(
                result.validity.verdict in VERDICTS, f"the validity verdict {result.validity.verdict!r} is unknown"
            )
    except KeyError as error:
        raise UnreadableError(f"{RESULT} lacks {error}") from error
    except (TypeError, AttributeError) as error:
        raise UnreadableError(f"{RESULT} isn't of the form that this program writes ({error})") from error


def held_out(result: Result) -> list[str]:
    """The wordings that no search saw, in their order."""
    return list(dict.fromkeys(r.wording for r in result.scores if r.wording != "tuned"))


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise UnreadableError(f"in {RESULT}, {reason}")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(values: Mapping[Any, object], about: str) -> None:
    wrong = [f"{key}={value!r}"[:80] for key, value in values.items() if not (value is None or _number(value))]
    _require(not wrong, f"{about} has what is no finite number: {', '.join(wrong[:3])}")


def _config(folders: Iterable[Path], notes: list[str]) -> dict[str, str]:
    path = next((folder / CONFIG for folder in folders if (folder / CONFIG).is_file()), None)
    if path is None:
        notes.append(f"no {CONFIG}")
        return {}
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict):
            raise ValueError("no table of keys")
        return dict(_flat(raw))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        notes.append(f"{CONFIG} can't be read ({' '.join(str(error).split())[:120]})")
        return {}


def _flat(nested: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", "null" if value is None else str(value)


def _searches(path: Path, result: Result, joint: bool, notes: list[str]) -> dict[str, Search]:
    """The searches of a journal; of a joint one each loss is worked out for this region from the dimension scores."""
    found: dict[str, list[tuple[float, float]]] = {}
    target = result.region["target"]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines[1:], 2):
            try:
                record = json.loads(line)
                loss, l1 = record["loss"], record["l1"]
                if joint:
                    loss = l1 = _difference(record["dimensions"], target)
                search = "random_search" if record["search"] == "random_search" else "aligned"
                pair = tuple(math.nan if x is None else float(x) for x in (loss, l1))
            except (ValueError, KeyError, TypeError) as error:
                notes.append(f"line {number} of {JOURNAL} can't be read ({type(error).__name__})")
                continue
            found.setdefault(search, []).append((pair[0], pair[1]))
    except (OSError, UnicodeDecodeError) as error:
        notes.append(f"{JOURNAL} can't be read ({error})")
        return {}
    searches = {}
    for search, pairs in found.items():
        losses, l1s = np.array(pairs, dtype=float).T
        searches[search] = Search(l1s, of_best(losses, l1s))
    return searches


def _difference(scores: Mapping[str, float | None], target: Mapping[str, float | None]) -> float:
    known = [(scores[d], t) for d, t in target.items() if t is not None]
    return (
        math.nan
        if any(s is None for s, _ in known)
        else float(np.mean([abs(s - t) for s, t in known if s is not None]))
    )


def _table(path: Path, notes: list[str]) -> list[dict[str, str]]:
    """The rows of one of :data:`TABLES`; none if there is no such file."""
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
        for row in rows:
            for column, numeric in TABLES[path.name].items():
                if numeric and not math.isfinite(float(row[column])):
                    raise ValueError(f"{column}={row[column]}")
                if not isinstance(row[column], str):
                    raise ValueError(f"a row has no {column}")
        return rows
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        notes.append(f"{path.name} can't be read ({' '.join(str(error).split())[:120]})")
        return []
