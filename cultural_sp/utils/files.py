"""Files of a run folder: whole files written in one step, lines that survive a kill, and one error if the disk refuses."""

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
_TAIL = f'"{CHECKSUM}": "%08x"}}\n'.encode()  # the end of a line
RESUME_HINT = "the same command, without overwrite=true, goes on from what is saved"


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the errors of the disk inside the block into one about ``path``.

    Raises:
        ValueError: if the disk refuses; it names the way out.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors raises its own error for a full disk
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"can't write {path} ({reason}); make room or give access there, then {RESUME_HINT}, or choose another output_dir="
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step: neither a reader nor a resumed run ever sees half of it.

    Raises:
        ValueError: if it can't be written.
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
    """The records of a file of JSON lines with checksums, up to the first damaged line.

    A record is parsed at each access. The parsed records of a long journal would take several times the memory of its text.
    """

    def __init__(self, content: bytes) -> None:
        """Check the lines of a file's content up to the first damaged one."""
        self._content, self._ends = content, [0]
        self.problem = ""
        """What is wrong with the first damaged line; empty if no line is damaged."""
        for line in BytesIO(content):
            if not _has_checksum(line):
                self.problem = _problem_of(line)
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
        """Whether a record begins with these entries, in this order. It is parsed only if its text begins otherwise."""
        front = json.dumps(entries)[:-1].encode() + b", "
        return self._content.startswith(front, self._ends[index]) or entries.items() <= self[index].items()

    @property
    def size(self) -> int:
        """Size of the records in bytes."""
        return self._ends[-1]

    def truncate(self, count: int) -> None:
        """Drop all records after the first ``count``."""
        del self._ends[count + 1 :]


class JsonLines:
    """An append-only file of JSON objects, one per line. Each line has a checksum, because a wrong digit is still valid JSON."""

    def __init__(self, path: Path) -> None:
        """Read ``path`` if it exists, and cut off a half-written last line, as a kill leaves it.

        Raises:
            ValueError: if the file or another line can't be read; the file stays as it is then.
        """
        self.path = path
        with disk_errors(path):
            content = path.read_bytes() if path.exists() else b""
        self.records = Records(content)
        """The records of the file when it was opened, in order; record i is line i + 1."""
        self._size = self.records.size
        if self.records.problem:
            number = len(self.records) + 1
            if len(content[self._size :].splitlines()) > 1:
                raise self.damaged(number, self.records.problem)
            print(f"{path.name}: line {number} was left half-written and is dropped", flush=True)
            self.truncate(len(self.records))

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Write records and sync them to the disk; if that fails, the file is as before.

        Raises:
            ValueError: if they can't be written.
        """
        lines = b"".join(_line(record) for record in records)
        with disk_errors(self.path):
            try:
                with self.path.open("ab", buffering=0) as handle:
                    rest = lines
                    while rest:
                        rest = rest[handle.write(rest) :]
                    os.fsync(handle.fileno())
            except OSError:
                with suppress(OSError):  # the next reader cuts off the rest of the lines
                    os.truncate(self.path, self._size)
                raise
        self._size += len(lines)

    def truncate(self, count: int) -> None:
        """Cut the file off after the first ``count`` records.

        Raises:
            ValueError: if it can't be written.
        """
        self.records.truncate(count)
        with disk_errors(self.path):
            os.truncate(self.path, self.records.size)
        self._size = self.records.size

    def damaged(self, number: int, reason: str) -> ValueError:
        """Return the error for a damaged line, counted from 1."""
        return ValueError(
            f"{self.path}, line {number} is damaged ({reason}), so the run can't go on; restore the file, or {REPLACE_HINT}"
        )


def _problem_of(line: bytes) -> str:
    try:
        return "its checksum is wrong" if isinstance(json.loads(line), dict) else "not a JSON object"
    except RecursionError:
        return "nested too deep"
    except ValueError as error:
        return str(error)


def _has_checksum(line: bytes) -> bool:
    """Whether a line ends with the checksum of the text before it."""
    body = line[: -len(_TAIL % 0)]
    return line == body + _TAIL % crc32(body.removesuffix(b", ") + b"}")


def _line(record: dict[str, Any]) -> bytes:
    """Return a record as a line of the file: JSON with the checksum of all before it."""
    body = json.dumps(record, allow_nan=False).encode()
    return body[:-1] + (b", " if record else b"") + _TAIL % crc32(body)
