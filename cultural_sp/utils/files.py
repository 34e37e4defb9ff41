"""Files of a run folder: whole files written in one step, and one error if the disk refuses."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

REPLACE_HINT = "choose another name=, or replace it with overwrite=true"
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
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file in one step, as :func:`write_text` does; its mode is the umask's, as for every file of this program.

    Raises:
        ValueError: if it can't be written.
    """
    scratch = path.with_suffix(".tmp")
    with disk_errors(path):
        try:
            with scratch.open("wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)


def umask_modes(folder: Path, pattern: str) -> None:
    """Give a folder's files that match the pattern the mode of a new file; safetensors writes them for their owner alone."""
    probe = folder / ".mode"
    probe.touch()  # os.umask would set the umask of all threads
    mode = stat.S_IMODE(probe.stat().st_mode)
    probe.unlink()
    for path in folder.glob(pattern):
        path.chmod(mode)
