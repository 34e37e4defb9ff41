"""Writing into a run folder: whole files in one step, lines that survive a kill, one line if the disk refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, overload
from zlib import crc32

from safetensors import SafetensorError

REPLACE_HINT = "choose another name=, or replace it with overwrite=true"
CHECKSUM = "crc32"
_TAIL = f'"{CHECKSUM}": "%08x"}}\n'.encode()  # of a line
RESUME_HINT = "the same command, without overwrite=true, goes on from what is saved"


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Report that the disk refuses ``path`` inside the block as bad input.

    Raises:
        ValueError: in one line with the way out.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors has an error of its own for a full disk
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"can't write {path} ({reason}); make room or give access there, then {RESUME_HINT}, or choose another output_dir="
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step: a reader, or a run that goes on after a kill, never sees half of it.

    Raises:
        ValueError: in one line, if it can't be written.
    """
    scratch = path.with_suffix(".tmp")
    with disk_errors(path):
        try:
            with scratch.open("w", encoding="utf-8") as handle:
                handle.write(text)
                handle.flush()
                os.fsync(handle.fileno())
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)


class Records(Sequence[dict[str, Any]]):
    """The records of a file of JSON lines with checksums, up to the first line that can't be what was written.

    Each is parsed whenever it is asked for: as objects, those of a long journal would take several times its size.
    """

    def __init__(self, content: bytes) -> None:
        """Check every line of the file's content."""
        self._content, self._ends = content, [0]
        self.problem = ""
        """What is wrong with the line after the records; empty if there is none."""
        for line in BytesIO(content):
            if not _as_written(line):
                self.problem = _what_is_wrong(line)
                break
            self._ends.append(self._ends[-1] + len(line))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        places = range(len(self))[index]
        if isinstance(places, range):
            return [self[i] for i in places]
        record: dict[str, Any] = json.loads(self._content[self._ends[places] : self._ends[places + 1]])
        del record[CHECKSUM]
        return record

    def begins(self, index: int, entries: dict[str, Any]) -> bool:
        """Whether a record has these entries, in this order in front of its others; a yes needs no parsing."""
        front = json.dumps(entries)[:-1].encode() + b", "
        return self._content.startswith(front, self._ends[index]) or entries.items() <= self[index].items()

    @property
    def size(self) -> int:
        """Bytes of the records."""
        return self._ends[-1]

    def keep(self, count: int) -> None:
        """Forget those behind the first ``count``."""
        del self._ends[count + 1 :]


class JsonLines:
    """An append-only file of JSON objects, one a line, each with a checksum: a wrong digit would be believed otherwise."""

    def __init__(self, path: Path) -> None:
        """Read ``path`` if it exists; a last line that a kill left half-written is cut off.

        Raises:
            ValueError: in one line, if the file or another line can't be read; nothing is changed then.
        """
        self.path = path
        with disk_errors(path):
            content = path.read_bytes() if path.exists() else b""
        self.records = Records(content)
        """The records that were read, in order, without those appended since; record i is line i + 1."""
        self._size = self.records.size
        if self.records.problem:
            number = len(self.records) + 1
            if len(content[self._size :].splitlines()) > 1:
                raise self.damaged(number, self.records.problem)
            print(f"{path.name}: line {number} was left half-written and is dropped", flush=True)
            self.keep(len(self.records))

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Write records and push them to the disk; if that fails the file is as before.

        Raises:
            ValueError: in one line, if it can't be written.
        """
        lines = b"".join(_line(record) for record in records)
        with disk_errors(self.path):
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
        self.records.keep(count)
        with disk_errors(self.path):
            os.truncate(self.path, self.records.size)
        self._size = self.records.size

    def damaged(self, number: int, reason: str) -> ValueError:
        """The error for a line, counted from 1, that can't be what was written."""
        return ValueError(
            f"{self.path}, line {number} is damaged ({reason}), so the run can't go on; restore the file, or {REPLACE_HINT}"
        )


def _what_is_wrong(line: bytes) -> str:
    try:
        return "its checksum is wrong" if isinstance(json.loads(line), dict) else "not a JSON object"
    except RecursionError:
        return "nested too deep"
    except ValueError as error:
        return str(error)


def _as_written(line: bytes) -> bool:
    """Whether a line has the checksum of what stands before it, and nothing else behind that."""
    body = line[: -len(_TAIL % 0)]
    return line == body + _TAIL % crc32(body.removesuffix(b", ") + b"}")


def _line(record: dict[str, Any]) -> bytes:
    """A record as it stands in the file, with the checksum of all before it."""
    body = json.dumps(record, allow_nan=False).encode()
    return body[:-1] + (b", " if record else b"") + _TAIL % crc32(body)
