"""The journal of a run: a header line, then one JSON line per evaluation. It is the checkpoint of both searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cultural_sp.types import Array, Candidates, DimensionScores, Losses
from cultural_sp.utils.diff import differences
from cultural_sp.utils.files import REPLACE_HINT
from cultural_sp.utils.json_lines import JsonLine, JsonLines, read_json_lines
from cultural_sp.utils.serialize import fingerprint, jsonable
from cultural_sp.utils.terminal import show

JOURNAL = "evaluations.jsonl"
SCHEMA_VERSION = 5
MAX_STORED_COORDINATES = 1024
"""Longer search vectors are left out of the journal, which would become larger than the model."""
WORDING = "wording"
"""Entry of a record: the wording that was asked, if it wasn't all tuned ones."""
POOLED = "pooled"
"""Entry of the last record of a check: the scores of its candidate over all tuned wordings, and their loss."""
MEASURED_KEYS = ("batch_size", "start_mass")
"""Header entries that are measured once. A resumed run takes them from its journal."""


@dataclass(frozen=True)
class RecordedScores:
    """Scores of N candidates from the journal; NaN where it has null."""

    loss: Losses
    """[N], under the objective whose optimizer proposed the candidates."""
    l1: Losses
    """Mean absolute differences [N]."""
    dimensions: DimensionScores
    """[N, K]"""
    valid_mass: Array
    """[N]"""


class Journal:
    """The evaluations of a run on disk, read back when the run resumes.

    A resumed search asks a fresh optimizer with the same seed. For evaluated candidates :meth:`replay` returns the recorded
    scores; the scores of new ones are added with :meth:`append`. The file is read as the search consumes it, so a long journal
    never is in memory as a whole.
    """

    def __init__(self, path: Path, header: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> None:
        """Open the journal at ``path``, or begin it with ``header``.

        Args:
            path: the file.
            header: everything that determines the losses; an existing journal must have the same.
            measure: returns the entries of :data:`MEASURED_KEYS`: ``batch_size``, the number of candidates that are evaluated
                together, and ``start_mass`` if the losses need it. Called for a new journal only.

        Raises:
            ValueError: if the journal is damaged or has another header.
        """
        header = {"schema_version": SCHEMA_VERSION, **jsonable(header)}
        self._lines = JsonLines(path)
        self.evaluations = max(self._lines.count - 1, 0)
        """Number of evaluations that the journal held when it was opened."""
        if not self._lines.count:
            self._lines.append([{**header, **jsonable(measure())}])
        first = next(self._lines.read())
        self.header = first.record
        """The first line."""
        difference = differences({k: v for k, v in self.header.items() if k not in MEASURED_KEYS}, header)
        if "schema_version" not in self.header:
            difference = "it has no header: another version of this program wrote it"
        if difference:
            raise ValueError(f"{path} belongs to another run: {difference}; {REPLACE_HINT}")
        size = self.header.get("batch_size")
        if not (isinstance(size, int) and size > 0):
            raise self._lines.damaged(1, f"its batch_size is {size!r}")
        self._n_read, self._offset = 1, first.end
        """Number of lines that were replayed or written, and the byte offset of the next one."""
        self._replay: Iterator[JsonLine] = iter(())
        self.listener: Callable[[Sequence[dict[str, Any]]], None] | None = None
        """Called with every valid record in order: first the replayed ones, then the new ones."""

    def start(self, search: str, batch_ends: Sequence[int]) -> int:
        """Begin a search and return the number of its evaluations that can be replayed. An unfinished last batch is cut off.

        Args:
            search: its name.
            batch_ends: number of evaluations after each batch of the search; the last one is its budget.

        Raises:
            ValueError: if the journal holds other evaluations in the place of this search's.
        """
        budget = batch_ends[-1]
        n_left = self._lines.count - self._n_read
        n_recorded = self._count_records(search)
        if n_recorded > budget or (n_recorded < budget and n_recorded < n_left):
            index = min(n_recorded, budget)
            raise self._lines.damaged(self._n_read + index + 1, f"evaluation {index} of {search} should stand there")
        # Only whole batches count: the last digits of a candidate's scores may depend on its batch.
        n_whole = max((end for end in batch_ends if end <= n_recorded), default=0)
        if n_whole < n_recorded:
            show(f"{search}: evaluating {n_recorded - n_whole} of an unfinished batch again")
            self._lines.truncate(self._n_read + n_whole)
        self._replay = self._lines.read(self._offset)
        return n_whole

    def _count_records(self, search: str) -> int:
        """Return how many of the next records are evaluations 0, 1, 2, ... of a search."""
        index = 0
        for line in self._lines.read(self._offset):
            record = line.record
            if (record.get("search"), record.get("index")) != (search, index):
                break
            index += 1
        return index

    def end(self) -> None:
        """Check that the journal holds no evaluations after those of the searches.

        Raises:
            ValueError: if it does.
        """
        if self._n_read < self._lines.count:
            raise self._lines.damaged(self._n_read + 1, "nothing should stand there")

    def replay(
        self, candidates: Candidates, wordings: Sequence[str], objective: str, dimension_names: Sequence[str]
    ) -> RecordedScores:
        """Return the recorded scores of candidates [N, d], which must be the next N evaluations of the journal.

        Args:
            candidates: search vectors.
            wordings: the wording that each of them was asked; empty texts for all tuned ones.
            objective: name of the objective whose optimizer proposed them.
            dimension_names: names of the K dimension scores.

        Raises:
            ValueError: if the journal holds other candidates there.
        """
        rows = [
            self._replay_one(z, (objective, wording), dimension_names)
            for z, wording in zip(candidates, wordings, strict=True)
        ]
        table = np.array(rows, dtype=np.float64).reshape(len(rows), 3 + len(dimension_names))
        return RecordedScores(table[:, 0], table[:, 1], table[:, 3:], table[:, 2])

    def _replay_one(self, z: Candidates, asked: tuple[str, str], dimension_names: Sequence[str]) -> list[float]:
        """Return loss, l1, valid mass and dimension scores of the next evaluation, which must be that of candidate z [d].

        ``asked`` are the objective and the wording that it must be for.
        """
        line = next(self._replay)
        self._n_read, self._offset = self._n_read + 1, line.end
        record = line.record
        recorded = (record.get("fingerprint"), record.get("objective"), record.get(WORDING, ""))
        if recorded != (fingerprint(z), *asked):
            raise self._lines.damaged(self._n_read, "its fingerprint is not that of the candidate of that evaluation")
        try:
            numbers = record_numbers(record, ("loss", "l1", "valid_mass"), dimension_names)
        except ValueError as error:
            raise self._lines.damaged(self._n_read, str(error)) from error
        if self.listener is not None:
            self.listener([record])
        return numbers

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Write a batch of records and sync it to the disk.

        Raises:
            ValueError: if it can't be written; the journal then is as before.
        """
        plain = [jsonable(record) for record in records]
        self._lines.append(plain)
        self._n_read, self._offset = self._n_read + len(records), self._lines.size
        if self.listener is not None:
            self.listener(plain)


def evaluation_record(z: Array, wording: str, **entries: Any) -> dict[str, Any]:
    """Return the record of an evaluation: its entries, the wording unless it is all tuned ones, and the candidate [d]."""
    return {
        **entries,
        **({WORDING: wording} if wording else {}),
        "fingerprint": fingerprint(z),
        **({"z": z} if z.size <= MAX_STORED_COORDINATES else {}),
    }


def pooled_entry(
    dimension_names: Sequence[str], dimensions: Array, valid_mass: float, losses: tuple[float, float]
) -> dict[str, Any]:
    """Return the entry :data:`POOLED`: scores [K] and valid mass over several wordings, with their loss and l1."""
    loss, l1 = losses
    named = dict(zip(dimension_names, dimensions, strict=True))
    return {"loss": loss, "l1": l1, "dimensions": named, "valid_mass": valid_mass}


def read_header(path: Path) -> dict[str, Any]:
    """Return the first line of a journal.

    Raises:
        ValueError: if there is none or it is damaged.
        OSError: if the file can't be read.
    """
    for line in read_json_lines(path, strict=False):
        return line.record
    raise ValueError(f"{path} has no header")


def read_records(path: Path, *, strict: bool = True) -> Iterator[dict[str, Any]]:
    """Yield the evaluations of a journal in order, without its header.

    Args:
        path: the journal.
        strict: False for the journal of a run that may be unfinished: stops at a half-written last line.

    Raises:
        ValueError: if a line is damaged; it names the line.
        OSError: if the file can't be read.
    """
    for line in islice(read_json_lines(path, strict=strict), 1, None):
        yield line.record


def record_numbers(record: dict[str, Any], keys: Sequence[str], dimension_names: Sequence[str]) -> list[float]:
    """Return the numbers of a record under ``keys``, then its dimension scores; null becomes NaN.

    Raises:
        ValueError: if one of them is missing or no number.
    """
    dimensions = record.get("dimensions")
    if not isinstance(dimensions, dict):
        raise ValueError(f"its dimensions are {dimensions!r}")
    numbers = {key: record.get(key, "absent") for key in keys}
    numbers |= {name: dimensions.get(name, "absent") for name in dimension_names}
    for key, number in numbers.items():
        if not (number is None or isinstance(number, float)):
            raise ValueError(f"its {key} is {number!r}")
    return [np.nan if number is None else number for number in numbers.values()]
