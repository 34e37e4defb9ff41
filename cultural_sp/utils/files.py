"""Files of a run folder: whole files written in one step, and one error if the disk refuses."""

from __future__ import annotations

import os
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
