"""The journal: a header line, then one JSON line per evaluation, synced batch by batch. It is the search's checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cultural_sp.types import Array
from cultural_sp.utils.diff import differences
from cultural_sp.utils.files import CHECKSUM, REPLACE_HINT, JsonLines
from cultural_sp.utils.serialize import fingerprint, jsonable

JOURNAL = "evaluations.jsonl"
SCHEMA_VERSION = 4
KEEP_Z_UP_TO = 1024  # longer search vectors would make the journal larger than the model
MEASURED = ("batch_size", "start_mass")  # a run that goes on takes these from the header instead of measuring again


@dataclass(frozen=True)
class Recorded:
    """What N candidates scored when they were evaluated; NaN where the journal has null."""

    loss: Array
    """[N], under the goal whose optimizer asked."""
    l1: Array
    """[N]"""
    dimensions: Array
    """[N, K]"""
    valid_mass: Array
    """[N]"""


class Journal:
    """Every evaluation of a run, read again when the run goes on.

    A search that goes on asks a fresh optimizer of the same seed, and :meth:`recorded` answers for what was evaluated before.
    """

    def __init__(self, path: Path, header: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> None:
        """Open the journal in ``path``, or begin it with ``header``.

        Args:
            path: the file.
            header: what shapes the losses; must equal the journal's own.
            measure: the entries ``batch_size``, how many candidates are evaluated together, and if the losses need it
                ``start_mass``; only called for a new journal, which keeps them.

        Raises:
            ValueError: in one line, if the journal is damaged or belongs to a run with another header.
        """
        header = {"schema_version": SCHEMA_VERSION, **jsonable(header)}
        self._lines = JsonLines(path)
        self.evaluations = max(len(self._lines.records) - 1, 0)
        """Number of evaluations that the journal held when it was opened."""
        self.header = self._lines.records[0] if self._lines.records else {**header, **jsonable(measure())}
        """The first line."""
        if not self._lines.records:
            self._lines.append([self.header])
        differ = differences({k: v for k, v in self.header.items() if k not in MEASURED}, header)
        if "schema_version" not in self.header:
            differ = "it has no header: another version of this program wrote it"
        if differ:
            raise ValueError(f"{path} belongs to another run: {differ}; {REPLACE_HINT}")
        size = self.header.get("batch_size")
        if not (isinstance(size, int) and size > 0):
            raise self._lines.damaged(1, f"its batch_size is {size!r}")
        self._next = 1
        self.listener: Callable[[Sequence[dict[str, Any]]], None] | None = None
        """Is told every record that counts, in order: those taken over, then those written."""

    def start(self, search: str, budget: int, generation_size: int) -> int:
        """Number of evaluations of a search that are recorded; a last batch that a kill cut short is dropped.

        Raises:
            ValueError: in one line, if records of another search follow too early.
        """
        records, left = self._lines.records, len(self._lines.records) - self._next
        found = 0
        while found < left and records.begins(self._next + found, {"search": search, "index": found}):
            found += 1
        if found != budget and (found > budget or found < left):
            at = min(found, budget)
            raise self._lines.damaged(self._next + at + 1, f"evaluation {at} of {search} should stand there")
        # Only whole batches count: a candidate's last digits may depend on those it is evaluated with.
        generation = found // generation_size * generation_size
        size = self.header["batch_size"]
        whole = found if found == budget else generation + (found - generation) // size * size
        if whole < found:
            print(f"{search}: evaluating {found - whole} of an unfinished batch again", flush=True)
            self._lines.truncate(self._next + whole)
        return whole

    def end(self) -> None:
        """Every search has been played or run.

        Raises:
            ValueError: in one line, if evaluations are left that belong to none of them.
        """
        if self._next < len(self._lines.records):
            raise self._lines.damaged(self._next + 1, "nothing should stand there")

    def recorded(self, candidates: Array, objective: str, dimension_names: Sequence[str]) -> Recorded:
        """What the candidates [N, d] that ``goal`` asks for scored before: the next N evaluations of the journal.

        Raises:
            ValueError: in one line, if the journal holds other candidates.
        """
        numbers = [self._recorded(z, objective, dimension_names) for z in candidates]
        table = np.array(numbers, dtype=np.float64).reshape(len(numbers), 3 + len(dimension_names))
        return Recorded(table[:, 0], table[:, 1], table[:, 3:], table[:, 2])

    def _recorded(self, z: Array, objective: str, dimension_names: Sequence[str]) -> list[float]:
        """Loss, l1, valid mass and dimension scores of the next evaluation, of candidate z [d]."""
        record = self._lines.records[self._next]
        self._next += 1
        if (record.get("fingerprint"), record.get("objective")) != (fingerprint(z), objective):
            raise self._lines.damaged(self._next, "its fingerprint is not that of the candidate of that evaluation")
        try:
            numbers = numbers_of(record, ("loss", "l1", "valid_mass"), dimension_names)
        except ValueError as error:
            raise self._lines.damaged(self._next, str(error)) from error
        if self.listener is not None:
            self.listener([record])
        return numbers

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Write a batch of records and push it to the disk.

        Raises:
            ValueError: in one line, if it can't be written; the journal is as before then.
        """
        plain = [jsonable(record) for record in records]
        self._lines.append(plain)
        self._next += len(records)
        if self.listener is not None:
            self.listener(plain)


def read_header(path: Path) -> dict[str, Any]:
    """The first line of a journal."""
    with path.open(encoding="utf-8") as lines:
        header: dict[str, Any] = json.loads(next(lines))
    header.pop(CHECKSUM, None)
    return header


def numbers_of(record: dict[str, Any], keys: Sequence[str], dimension_names: Sequence[str]) -> list[float]:
    """The numbers of an evaluation under these keys, then its dimension scores; null becomes NaN.

    Raises:
        ValueError: if one of them is no number.
    """
    dimensions = record.get("dimensions")
    if not isinstance(dimensions, dict):
        raise ValueError(f"its dimensions are {dimensions!r}")
    found = {key: record.get(key, "absent") for key in keys}
    found |= {name: dimensions.get(name, "absent") for name in dimension_names}
    for key, number in found.items():
        if not (number is None or isinstance(number, float)):
            raise ValueError(f"its {key} is {number!r}")
    return [np.nan if number is None else number for number in found.values()]


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The evaluations of a journal, in order, without its header."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[1:]]
