"""What earlier runs evaluated, for a search to start from: candidates with their scores, read from journals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cultural_sp.search.journal import JOURNAL, SCHEMA_VERSION, numbers_of
from cultural_sp.types import Array
from cultural_sp.utils.diff import differences
from cultural_sp.utils.files import Records
from cultural_sp.utils.serialize import fingerprint

KEY = "optimizer.warm_start"


@dataclass(frozen=True)
class WarmStart:
    """Candidates that were evaluated before, each once, in an order that doesn't depend on where they lie."""

    z: Array
    """[N, d]"""
    dimensions: Array
    """[N, K]; NaN where an answer was missing."""
    valid_mass: Array
    """[N]"""
    sources: dict[str, int]
    """Journal -> number of its evaluations."""

    def fingerprint(self) -> str:
        """That of everything but the sources' names."""
        return fingerprint(np.concatenate([self.z.ravel(), self.dimensions.ravel(), self.valid_mass]))


def find_journals(folders: Sequence[str], own: Path) -> list[Path]:
    """Every journal in or below the folders, but for that of the run folder ``own``.

    Raises:
        ValueError: in one line, if a folder isn't there or holds none.
    """
    found: dict[Path, Path] = {}
    for folder in folders:
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise ValueError(
                f"{KEY}={folder} is no folder; give run folders of earlier runs, or a folder above several"
            )
        journals = {
            file.resolve(): file for file in sorted(path.rglob(JOURNAL)) if file.parent.resolve() != own.resolve()
        }
        if not journals:
            raise ValueError(
                f"{KEY}={folder} holds no {JOURNAL} of an earlier run; give run folders, or a folder above several"
            )
        found = journals | found
    return list(found.values())


def read_warm_start(
    journals: Sequence[Path], shapes: Mapping[str, Any], dim: int, dimension_names: Sequence[str]
) -> WarmStart:
    """The evaluated candidates of journals whose dimension scores came about as this run's do.

    Args:
        journals: of earlier runs, finished or not; only read.
        shapes: what shapes the dimension scores of this run; the entries of each header must equal them.
        dim: number of search coordinates d.
        dimension_names: names of the K dimensions.

    Raises:
        ValueError: in one line, if a journal can't be a source or none holds an evaluation.
    """
    sources: dict[str, int] = {}
    rows: list[tuple[str, list[float], list[float]]] = []
    for path in journals:
        records = _records(path, shapes)
        sources[str(path)] = len(records)
        for number, record in enumerate(records, 2):
            z = record.get("z")
            if z is None:
                raise ValueError(
                    f"{KEY}: {path} holds no candidates, as its search has more coordinates than a journal keeps; such a run "
                    "can't be a source, so leave it out, or search with soft_prompt=projection"
                )
            try:
                numbers = numbers_of(record, ("valid_mass",), dimension_names)
                if len(z) != dim or fingerprint(np.array(z)) != record.get("fingerprint"):
                    raise ValueError("its candidate is not the one of its fingerprint")
            except (ValueError, TypeError) as error:
                raise _damaged(path, number, error) from error
            rows.append((record["fingerprint"], numbers, z))
    if not rows:
        raise ValueError(f"{KEY}: no evaluation in {', '.join(sources)}; leave {KEY} out, or give other folders")
    # Sorted, since the last digits of a candidate's scores may differ between runs: the same one is kept wherever they lie.
    once = {name: (numbers, z) for name, numbers, z in sorted(rows, key=repr, reverse=True)}
    table = np.array([numbers for numbers, _ in once.values()])
    return WarmStart(np.array([z for _, z in once.values()]), table[:, 1:], table[:, 0], sources)


def _records(path: Path, shapes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The evaluations of a journal; a last line that a kill left half-written is passed over."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{KEY}: can't read {path} ({error.strerror}); give access, or leave it out") from error
    records = Records(content)
    if len(content[records.size :].splitlines()) > 1:
        raise _damaged(path, len(records) + 1, records.problem)
    if not records:
        return []
    there = {"schema_version": records[0].get("schema_version")}
    differ = differences(there, {"schema_version": SCHEMA_VERSION})
    differ = differ or differences({key: records[0].get(key) for key in shapes}, shapes)
    if differ:
        raise ValueError(
            f"{KEY}: {path} can't be a source, as the same candidate would score otherwise there: {differ}; leave it out, or "
            "run with the same model, seed and settings"
        )
    return records[1:]


def _damaged(path: Path, number: int, reason: object) -> ValueError:
    return ValueError(f"{KEY}: {path}, line {number} is damaged ({reason}); restore the file, or leave it out")
