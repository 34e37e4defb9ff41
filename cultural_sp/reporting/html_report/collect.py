"""Finds finished runs below folders and reads the files that a report shows. An unreadable file becomes a note, not an error."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cultural_sp.config.registries import OPTIMIZERS
from cultural_sp.reporting.aggregate import order_averages
from cultural_sp.reporting.html_report.factors import Factors, read_factors
from cultural_sp.reporting.html_report.searches import SearchLosses, read_searches
from cultural_sp.reporting.tables import origin
from cultural_sp.runs.folder import CONFIG, RESULT
from cultural_sp.runs.methods import SUMMARY
from cultural_sp.runs.result import Result, load_result, pooled, with_strongest_icl
from cultural_sp.runs.validity import VERDICTS
from cultural_sp.search.journal import JOURNAL
from cultural_sp.utils.diff import flatten
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.progress import with_progress

TOKENS, STATEMENTS = "nearest_tokens.csv", "statements.csv"
TABLES = {  # file -> columns that a report shows -> whether they hold numbers
    TOKENS: {"virtual_token": False, "length": True, "rank": False, "token": False, "cosine": True},
    STATEMENTS: {"weight": True, "dimension": False, "pole": False, "statement": False},
}


@dataclass(frozen=True)
class Run:
    """One finished run."""

    where: str
    """Its folder, relative to the folder of the report's runs."""
    result: Result
    config: dict[str, str]
    """Dotted key -> value as text; empty if there is no config."""
    readout: str
    """The searched readout."""
    searches: dict[str, SearchLosses]
    """``random_search`` and ``aligned``, if the journal has them."""
    tokens: list[dict[str, str]]
    statements: list[dict[str, str]]
    factors: Factors | None = None
    """Its factor analysis; None if there is none."""
    notes: tuple[str, ...] = ()
    """One line for each file of the run that can't be read."""

    @property
    def model(self) -> tuple[str, str | None, str]:
        """Identity of its model: name or path, adapter, and the note on it."""
        adapter = self.config.get("model.adapter", "null")
        return self.result.model, None if adapter == "null" else adapter, self.result.note


@dataclass(frozen=True)
class LeftOut:
    """A folder that the report leaves out, and the reason."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"left out: {self.where}, because {self.reason}"


class UnreadableError(Exception):
    """A run can't be shown. The message follows the word "because"."""


def collect(folders: Sequence[Path], root: Path) -> tuple[list[Run], list[LeftOut]]:
    """Read all finished runs below some folders, sorted by path; returns the runs and the folders left out.

    Args:
        folders: run folders, or folders that contain them at any depth.
        root: paths below it are shown relative to it.
    """
    runs: dict[tuple[str, ...], Run] = {}
    left_out: list[LeftOut] = []
    contents = {path.resolve(): (path, names) for folder in folders for path, names in _folders(folder, root, left_out)}
    finished = [path for path, (_, names) in contents.items() if RESULT in names]
    for resolved, (path, names) in with_progress("reading", sorted(contents.items())):
        where = _shown(path, root)
        try:
            if RESULT in names:
                run = _read(path, where)
                first = runs.setdefault(_identity(run), run)
                if first is not run:  # a copy is no second seed
                    raise UnreadableError(f"it repeats {first.where}, with the same config and seed")
            elif names & {CONFIG, JOURNAL} and not any(resolved in other.parents for other in finished):
                raise UnreadableError(f"it isn't finished{_progress(path / JOURNAL)}")
        except UnreadableError as error:
            left_out.append(LeftOut(where, str(error)))
    return list(runs.values()), left_out


def _identity(run: Run) -> tuple[str, ...]:
    """Return a key that is equal for a run and a copy of it."""
    provenance = run.result.provenance
    hashes = (provenance.get("config_hash", run.where), provenance.get("weights_hash_before"))
    return (run.result.region.code, *map(str, hashes))


def _folders(top: Path, root: Path, left_out: list[LeftOut]) -> Iterator[tuple[Path, set[str]]]:
    def leave_out(error: OSError) -> None:
        left_out.append(LeftOut(_shown(Path(error.filename), root), f"it can't be read ({error.strerror})"))

    for path, _, names in os.walk(top, onerror=leave_out):
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
    shared = folder.parent if result.joint else folder  # the regions of a joint run share a config and a journal
    raw = _config(shared / CONFIG, notes)
    config = {key: "null" if value is None else str(value) for key, value in flatten(raw).items()}
    readout = config.get("readout.kind", "expected")
    result = with_strongest_icl(result, readout)
    _check(result, readout)
    searches = {}
    if (shared / JOURNAL).is_file():
        searches = read_searches(shared / JOURNAL, result, raw.get("objective"), notes)
    tokens, statements = (_table(folder / name, notes) for name in (TOKENS, STATEMENTS))
    return Run(where, result, config, readout, searches, tokens, statements, read_factors(folder, notes), tuple(notes))


def _check(result: Result, readout: str) -> None:
    """Raise if a result parses but lacks values that the figures need."""
    try:
        target = result.region.target
        _require(bool(result.model), "model is empty")
        list(order_averages(result))  # one record per condition
        low, high = result.published_range
        _require(low < high, "published_range isn't two rising numbers")
        origin(result)
        _require(result.optimizer in OPTIMIZERS, f"optimizer={result.optimizer!r} is unknown")
        for answer in result.open_answers:
            _require({"naive", "aligned"} <= answer.answers.keys(), "an open answer lacks a method")
        for method in SUMMARY:
            records = [result.score(method, w, readout) for w in _shown_wordings(result, "tuned")]
            records += [result.score(method, w, "expected") for w in _shown_wordings(result, "held_out")]
            for record in records:
                about = f"{method}, {record.wording}"
                _require(record.dimensions.keys() == target.keys(), f"{about} has other dimensions")
        if result.validity is not None:
            _require(
                result.validity.verdict in VERDICTS, f"the validity verdict {result.validity.verdict!r} is unknown"
            )
    except KeyError as error:
        raise UnreadableError(f"{RESULT} lacks {error}") from error
    except (TypeError, AttributeError) as error:
        raise UnreadableError(f"{RESULT} isn't of the form that this program writes ({error})") from error


def _shown_wordings(result: Result, kind: str) -> list[str]:
    """Return the pool and the single wordings of a kind; only the pool of tuned wordings must exist in any case."""
    single = result.wordings(kind)
    return [pooled(kind), *single] if single or kind == "tuned" else []


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise UnreadableError(f"in {RESULT}, {reason}")


def _config(path: Path, notes: list[str]) -> dict[Any, Any]:
    """Return the config as it was written; empty if there is none."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict):
            raise ValueError("no table of keys")
        return raw
    except FileNotFoundError:
        notes.append(f"no {CONFIG}")
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        notes.append(f"{CONFIG} can't be read ({reason_of(error)})")
    return {}


def _table(path: Path, notes: list[str]) -> list[dict[str, str]]:
    """Return the rows of one of :data:`TABLES`; an empty list if there is no such file."""
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
        notes.append(f"{path.name} can't be read ({reason_of(error)})")
        return []
