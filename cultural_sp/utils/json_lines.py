"""Files of JSON lines with checksums: one reader for all of them, and an append-only file that survives a kill."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from zlib import crc32

from cultural_sp.utils.files import REPLACE_HINT, disk_errors
from cultural_sp.utils.terminal import show

CHECKSUM = "crc32"
"""Key of the checksum, the last one of every line."""
_TAIL = f'"{CHECKSUM}": "%08x"}}\n'.encode()  # the end of a line


@dataclass(frozen=True)
class JsonLine:
    """One line of a file; its checksum is right."""

    number: int
    """Counted from 1 at the offset where the reader started."""
    text: bytes
    end: int
    """Byte offset of the next line."""

    @property
    def record(self) -> dict[str, Any]:
        """The JSON object without its checksum. It is parsed at each access, so that a caller can skip lines cheaply."""
        record: dict[str, Any] = json.loads(self.text)
        del record[CHECKSUM]
        return record


class DamagedLineError(ValueError):
    """A line that is not as it was written."""

    def __init__(self, path: Path, number: int, line: bytes) -> None:
        """Describe the damage of line ``number`` of ``path``, counted from 1."""
        self.number, self.reason = number, _problem_of(line)
        self.half_written = not line.endswith(b"\n")
        """Whether the line lacks its end: a kill cut it off, or a run is writing it."""
        super().__init__(f"{path}, line {number} is damaged ({self.reason})")


def read_json_lines(path: Path, *, strict: bool = True, offset: int = 0) -> Iterator[JsonLine]:
    """Yield the lines of a file in order. The file is read as it is consumed, never as a whole.

    Args:
        path: the file.
        strict: False stops quietly at a damaged last line, as a kill or a run in progress leaves it; True raises for it.
        offset: byte offset to start at, the ``end`` of a line.

    Raises:
        DamagedLineError: if a line is damaged.
        OSError: if the file can't be read.
    """
    with path.open("rb") as handle:
        handle.seek(offset)
        for number, line in enumerate(handle, 1):
            if not _has_checksum(line):
                if not strict and (not line.endswith(b"\n") or not handle.readline()):
                    return
                raise DamagedLineError(path, number, line)
            offset += len(line)
            yield JsonLine(number, line, offset)


class JsonLines:
    """An append-only file of JSON objects, one per line. Each line has a checksum, because a wrong digit is still valid JSON."""

    def __init__(self, path: Path) -> None:
        """Check ``path`` if it exists, and cut off a damaged last line, as a kill leaves it.

        Raises:
            ValueError: if the file or another line can't be read; the file stays as it is then.
        """
        self.path = path
        self.count = 0
        """Number of lines."""
        self.size = 0
        """Bytes of all lines."""
        with disk_errors(path):
            n_bytes = path.stat().st_size if path.exists() else 0
            try:
                for line in read_json_lines(path, strict=False) if path.exists() else ():
                    self.count, self.size = line.number, line.end
            except DamagedLineError as error:
                raise self.damaged(error.number, error.reason) from error
        if self.size < n_bytes:
            show(f"{path.name}: line {self.count + 1} was left half-written and is dropped")
            self.truncate(self.count)

    def read(self, offset: int = 0) -> Iterator[JsonLine]:
        """Yield the lines from a byte offset on, the ``end`` of a line. Don't write while reading.

        Raises:
            ValueError: if the file can't be read.
        """
        if offset < self.size:
            with disk_errors(self.path):
                yield from read_json_lines(self.path, offset=offset)

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Write records and sync them to the disk; if that fails, the file is as before.

        Raises:
            ValueError: if they can't be written.
        """
        lines = b"".join(encode_line(record) for record in records)
        with disk_errors(self.path):
            try:
                with self.path.open("ab", buffering=0) as handle:
                    rest = lines
                    while rest:
                        rest = rest[handle.write(rest) :]
                    os.fsync(handle.fileno())
            except OSError:
                with suppress(OSError):  # the next reader cuts off the rest of the lines
                    os.truncate(self.path, self.size)
                raise
        self.count += len(records)
        self.size += len(lines)

    def truncate(self, count: int) -> None:
        """Cut the file off after the first ``count`` lines.

        Raises:
            ValueError: if it can't be written.
        """
        size = max((line.end for line in islice(self.read(), count)), default=0)
        with disk_errors(self.path):
            os.truncate(self.path, size)
        self.count, self.size = count, size

    def damaged(self, number: int, reason: str) -> ValueError:
        """Return the error for a damaged line, counted from 1."""
        return ValueError(
            f"{self.path}, line {number} is damaged ({reason}), so the run can't go on; restore the file, or {REPLACE_HINT}"
        )


def encode_line(record: dict[str, Any]) -> bytes:
    """Return a record as a line of the file: JSON that ends with the checksum of all before it."""
    body = json.dumps(record, allow_nan=False).encode()
    return body[:-1] + (b", " if record else b"") + _TAIL % crc32(body)


def _has_checksum(line: bytes) -> bool:
    """Whether a line ends with the checksum of the text before it."""
    body = line[: -len(_TAIL % 0)]
    return line == body + _TAIL % crc32(body.removesuffix(b", ") + b"}")


def _problem_of(line: bytes) -> str:
    try:
        return "its checksum is wrong" if isinstance(json.loads(line), dict) else "not a JSON object"
    except RecursionError:
        return "nested too deep"
    except ValueError as error:
        return str(error)
