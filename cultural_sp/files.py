"""Writing into a run folder: whole files in one step, lines that survive a kill, one line if the disk refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

from safetensors import SafetensorError

WAY_OUT = "choose another name=, or replace it with overwrite=true"
CHECKSUM = "crc32"
_TAIL = f'"{CHECKSUM}": "%08x"}}\n'.encode()  # of a line
RESUME = "the same command, without overwrite=true, goes on from what is saved"


@contextmanager
def using(path: Path) -> Iterator[None]:
    """Report that the disk refuses ``path`` inside the block as bad input.

    Raises:
        ValueError: in one line with the way out.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors has an error of its own for a full disk
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"can't write {path} ({reason}); make room or give access there, then {RESUME}, or choose another output_dir="
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step: a reader, or a run that goes on after a kill, never sees half of it.

    Raises:
        ValueError: in one line, if it can't be written.
    """
    scratch = path.with_suffix(".tmp")
    with using(path):
        try:
            with scratch.open("w", encoding="utf-8") as handle:
                handle.write(text)
                handle.flush()
                os.fsync(handle.fileno())
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)


def read_lines(content: bytes) -> tuple[list[dict[str, Any]], list[int], str]:
    """The records of a file of JSON lines with checksums, up to the first line that can't be what was written.

    Returns:
        The records, in order; where each of them ends, in bytes, after a 0 for where the first begins; and what is wrong with the
        next line, which is empty if that was all.
    """
    records: list[dict[str, Any]] = []
    ends = [0]
    for line in BytesIO(content):  # unlike splitlines it doesn't hold all of a large file twice
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not a JSON object")
            if not _as_written(line):
                raise ValueError("its checksum is wrong")
            del record[CHECKSUM]
        except RecursionError:
            return records, ends, "nested too deep"
        except ValueError as error:
            return records, ends, str(error)
        records.append(record)
        ends.append(ends[-1] + len(line))
    return records, ends, ""


class JsonLines:
    """An append-only file of JSON objects, one a line, each with a checksum: a wrong digit would be believed otherwise."""

    def __init__(self, path: Path) -> None:
        """Read ``path`` if it exists; a last line that a kill left half-written is cut off.

        Raises:
            ValueError: in one line, if the file or another line can't be read; nothing is changed then.
        """
        self.path = path
        with using(path):
            content = path.read_bytes() if path.exists() else b""
        self.records, self._ends, problem = read_lines(content)
        """The records that were read, in order, without those appended since; record i is line i + 1."""
        self._size = self._ends[-1]
        if problem:
            number = len(self.records) + 1
            if len(content[self._size :].splitlines()) > 1:
                raise self.damaged(number, problem)
            print(f"{path.name}: line {number} was left half-written and is dropped", flush=True)
            self.keep(len(self.records))

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Write records and push them to the disk; if that fails the file is as before.

        Raises:
            ValueError: in one line, if it can't be written.
        """
        lines = b"".join(_line(record) for record in records)
        with using(self.path):
            try:
                with self.path.open("ab", buffering=0) as handle:
                    left = lines
                    while left:
                        left = left[handle.write(left) :]
                    os.fsync(handle.fileno())
            except OSError:
                with suppress(OSError):  # what stays of the lines is cut off by the next reader
                    os.truncate(self.path, self._size)
                raise
        self._size += len(lines)

    def keep(self, count: int) -> None:
        """Cut off everything behind the first ``count`` of the records that were read.

        Raises:
            ValueError: in one line, if it can't be written.
        """
        with using(self.path):
            os.truncate(self.path, self._ends[count])
        self._size = self._ends[count]
        del self.records[count:], self._ends[count + 1 :]

    def damaged(self, number: int, reason: str) -> ValueError:
        """The error for a line, counted from 1, that can't be what was written."""
        return ValueError(
            f"{self.path}, line {number} is damaged ({reason}), so the run can't go on; restore the file, or {WAY_OUT}"
        )


def _as_written(line: bytes) -> bool:
    """Whether a line has the checksum of what stands before it, and nothing else behind that."""
    body = line[: -len(_TAIL % 0)]
    return line == body + _TAIL % crc32(body.removesuffix(b", ") + b"}")


def _line(record: dict[str, Any]) -> bytes:
    """A record as it stands in the file, with the checksum of all before it."""
    body = json.dumps(record, allow_nan=False).encode()
    return body[:-1] + (b", " if record else b"") + _TAIL % crc32(body)
