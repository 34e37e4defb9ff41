"""Finds finished runs below folders and reads what a report shows of them; whatever can't be read is named, not fatal."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cultural_sp.config.registries import OPTIMIZERS
from cultural_sp.reporting.aggregate import run_table
from cultural_sp.reporting.html_report.factors import Factors, read_factors
from cultural_sp.reporting.html_report.searches import Search, read_searches
from cultural_sp.reporting.tables import origin
from cultural_sp.runs.folder import CONFIG, RESULT
from cultural_sp.runs.methods import SUMMARY
from cultural_sp.runs.result import VERDICTS, Result, load_result, with_strongest_icl
from cultural_sp.search.journal import JOURNAL
from cultural_sp.utils.diff import flatten
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.progress import with_progress

TOKENS, STATEMENTS = "nearest_tokens.csv", "statements.csv"
TABLES = {  # file -> the columns that a report shows, and which of them hold numbers
    TOKENS: {"virtual_token": False, "length": True, "rank": False, "token": False, "cosine": True},
    STATEMENTS: {"weight": True, "dimension": False, "pole": False, "statement": False},
}


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
    tokens: list[dict[str, str]]
    statements: list[dict[str, str]]
    factors: Factors | None = None
    """None if its respondents' answers weren't factor analysed."""
    notes: tuple[str, ...] = ()
    """What belongs to the run and couldn't be read."""

    @property
    def model(self) -> tuple[str, str | None, str]:
        """What tells its model from others: name or path, adapter, and what must be said about it."""
        adapter = self.config.get("model.adapter", "null")
        return self.result.model, None if adapter == "null" else adapter, self.result.note


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
    runs: dict[tuple[str, ...], Run] = {}
    left_out: list[LeftOut] = []
    found = {path.resolve(): (path, names) for folder in folders for path, names in _folders(folder, root, left_out)}
    finished = [path for path, (_, names) in found.items() if RESULT in names]
    for resolved, (path, names) in with_progress("reading", sorted(found.items())):
        where = _shown(path, root)
        try:
            if RESULT in names:
                run = _read(path, where)
                same = runs.setdefault(_identity(run), run)
                if same is not run:  # a copy is no second seed
                    raise UnreadableError(f"it repeats {same.where}, with the same config and seed")
            elif names & {CONFIG, JOURNAL} and not any(resolved in other.parents for other in finished):
                raise UnreadableError(f"it isn't finished{_progress(path / JOURNAL)}")
        except UnreadableError as error:
            left_out.append(LeftOut(where, str(error)))
    return list(runs.values()), left_out


def _identity(run: Run) -> tuple[str, ...]:
    """Equal for a run and a copy of it."""
    origin = run.result.provenance
    hashes = (origin.get("config_hash", run.where), origin.get("weights_hash_before"))
    return (run.result.region.code, *map(str, hashes))


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
    above = folder.parent if result.joint else folder  # what the regions of a joint run share lies above them
    raw = _config(above / CONFIG, notes)
    config = {key: "null" if value is None else str(value) for key, value in flatten(raw).items()}
    readout = config.get("readout.kind", "expected")
    result = with_strongest_icl(result, readout)
    _check(result, readout)
    searches = {}
    if (above / JOURNAL).is_file():
        n_tuned = len(tuned(result, readout))
        searches = read_searches(above / JOURNAL, result, raw.get("objective"), n_tuned, notes)
    tokens, statements = (_table(folder / name, notes) for name in (TOKENS, STATEMENTS))
    return Run(where, result, config, readout, searches, tokens, statements, read_factors(folder, notes), tuple(notes))


def _check(result: Result, readout: str) -> None:
    """Refuse a result that parses but doesn't hold what every figure relies on."""
    try:
        target = result.region.target
        _require(bool(result.model), "model is empty")
        run_table([result])
        low, high = result.published_range
        _require(low < high, "published_range isn't two rising numbers")
        origin(result)
        _require(result.optimizer in OPTIMIZERS, f"optimizer={result.optimizer!r} is unknown")
        for answer in result.open_answers:
            _require({"naive", "aligned"} <= answer.answers.keys(), "an open answer lacks a method")
        for method in SUMMARY:
            records = [result.score(method, w, readout) for w in tuned(result, readout) or ["tuned"]]
            records += [result.score(method, w, "expected") for w in held_out(result)]
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


def tuned(result: Result, readout: str) -> list[str]:
    """The wordings that the search saw, in their order, as far as they have scores under its readout."""
    return list(dict.fromkeys(r.wording for r in result.scores if r.readout == readout and _tuned(r.wording)))


def held_out(result: Result) -> list[str]:
    """The wordings that no search saw, in their order."""
    return list(dict.fromkeys(r.wording for r in result.scores if not _tuned(r.wording)))


def _tuned(wording: str) -> bool:
    return wording == "tuned" or wording.startswith("tuned_")


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise UnreadableError(f"in {RESULT}, {reason}")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(values: Mapping[Any, object], about: str) -> None:
    wrong = [f"{key}={value!r}"[:80] for key, value in values.items() if not (value is None or _number(value))]
    _require(not wrong, f"{about} has what is no finite number: {', '.join(wrong[:3])}")


def _config(path: Path, notes: list[str]) -> dict[Any, Any]:
    """The config as it was written; empty if there is none."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict):
            raise ValueError("no table of keys")
        return raw
    except FileNotFoundError:
        notes.append(f"no {CONFIG}")
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        notes.append(f"{CONFIG} can't be read ({reason_of(error, 120)})")
    return {}


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
        notes.append(f"{path.name} can't be read ({reason_of(error, 120)})")
        return []
