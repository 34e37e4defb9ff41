"""Warm start: evaluations of earlier runs, read from their journals, that seed a search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cultural_sp.search.journal import JOURNAL, SCHEMA_VERSION, WORDING, record_numbers
from cultural_sp.types import Array, Candidates, DimensionScores
from cultural_sp.utils.diff import differences
from cultural_sp.utils.json_lines import DamagedLineError, JsonLine, read_json_lines
from cultural_sp.utils.serialize import fingerprint

CONFIG_KEY = "optimizer.warm_start"


@dataclass(frozen=True)
class WarmStart:
    """Different candidates with their scores, in an order that doesn't depend on the paths of their journals."""

    z: Candidates
    """[N, d]"""
    dimensions: DimensionScores
    """[N, K]; NaN for a missing score."""
    valid_mass: Array
    """[N]"""
    wordings: list[str]
    """[N], the wording that each was asked; an empty text for all tuned ones."""
    sources: dict[str, int]
    """Path of a journal -> number of its evaluations."""

    def fingerprint(self) -> str:
        """Return the fingerprint of all candidates, wordings and scores, without the paths."""
        asked = [float(byte) for byte in "\n".join(self.wordings).encode()]
        return fingerprint(np.concatenate([self.z.ravel(), self.dimensions.ravel(), self.valid_mass, asked]))


def find_journals(folders: Sequence[str], run_folder: Path) -> list[Path]:
    """Return all journals in and below ``folders``, except the one in ``run_folder``.

    Raises:
        ValueError: if a folder doesn't exist or holds no journal.
    """
    journals: dict[Path, Path] = {}
    for folder in folders:
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise ValueError(
                f"{CONFIG_KEY}={folder} is no folder; give run folders of earlier runs, or a folder above several"
            )
        files = sorted(path.rglob(JOURNAL))
        new = {file.resolve(): file for file in files if file.parent.resolve() != run_folder.resolve()}
        if not new:
            raise ValueError(
                f"{CONFIG_KEY}={folder} holds no {JOURNAL} of an earlier run; give run folders, or a folder above several"
            )
        journals = new | journals
    return list(journals.values())


def read_warm_start(
    journals: Sequence[Path], determinants: Mapping[str, Any], dim: int, dimension_names: Sequence[str]
) -> WarmStart:
    """Read the candidates of journals. The same candidate must get the same scores there and in this run.

    Args:
        journals: journals of earlier runs, finished or not; they are only read.
        determinants: header entries that determine the dimension scores of this run. Each journal must have the same.
        dim: number of search coordinates d.
        dimension_names: names of the K dimensions.

    Raises:
        ValueError: if a journal can't be read, has other determinants or lacks its candidates, or if there is no evaluation.
    """
    sources: dict[str, int] = {}
    rows: list[tuple[str, list[float], list[float], str]] = []
    for path in journals:
        sources[str(path)] = 0
        for line in _evaluations(path, determinants):
            rows.append(_row(path, line, dim, dimension_names))
            sources[str(path)] += 1
    if not rows:
        raise ValueError(
            f"{CONFIG_KEY}: no evaluation in {', '.join(sources)}; leave {CONFIG_KEY} out, or give other folders"
        )
    # The last digits of a candidate's scores may differ between journals: sorting selects the same row in any order of paths.
    unique = {(name, wording): (numbers, z) for name, numbers, z, wording in sorted(rows, key=repr, reverse=True)}
    table = np.array([numbers for numbers, _ in unique.values()])
    candidates, wordings = np.array([z for _, z in unique.values()]), [wording for _, wording in unique]
    return WarmStart(candidates, table[:, 1:], table[:, 0], wordings, sources)


def _row(
    path: Path, line: JsonLine, dim: int, dimension_names: Sequence[str]
) -> tuple[str, list[float], list[float], str]:
    """Return the fingerprint of a candidate, its valid mass and dimension scores, the candidate itself and its wording."""
    record = line.record
    z = record.get("z")
    if z is None:
        raise ValueError(
            f"{CONFIG_KEY}: {path} holds no candidates, as its search has more coordinates than a journal keeps; such a run "
            "can't be a source, so leave it out, or search with soft_prompt=projection"
        )
    try:
        numbers = record_numbers(record, ("valid_mass",), dimension_names)
        if len(z) != dim or fingerprint(np.array(z)) != record.get("fingerprint"):
            raise ValueError("its candidate is not the one of its fingerprint")
    except (ValueError, TypeError) as error:
        raise _damaged(path, line.number, error) from error
    return record["fingerprint"], numbers, z, str(record.get(WORDING, ""))


def _evaluations(path: Path, determinants: Mapping[str, Any]) -> Iterator[JsonLine]:
    """Yield the evaluations of a journal after a check of its header; a half-written last line is left out."""
    try:
        lines = read_json_lines(path, strict=False)
        for header in islice(lines, 1):
            _check_header(path, header.record, determinants)
        yield from lines
    except DamagedLineError as error:
        raise _damaged(path, error.number, error.reason) from error
    except OSError as error:
        raise ValueError(f"{CONFIG_KEY}: can't read {path} ({error.strerror}); give access, or leave it out") from error


def _check_header(path: Path, header: Mapping[str, Any], determinants: Mapping[str, Any]) -> None:
    version = {"schema_version": header.get("schema_version")}
    difference = differences(version, {"schema_version": SCHEMA_VERSION})
    difference = difference or differences({key: header.get(key) for key in determinants}, determinants)
    if difference:
        raise ValueError(
            f"{CONFIG_KEY}: {path} can't be a source, as the same candidate would score otherwise there: {difference}; leave "
            "it out, or run with the same model, seed and settings"
        )


def _damaged(path: Path, number: int, reason: object) -> ValueError:
    return ValueError(f"{CONFIG_KEY}: {path}, line {number} is damaged ({reason}); restore the file, or leave it out")
