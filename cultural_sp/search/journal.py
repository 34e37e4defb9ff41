"""The journal: one JSON line per evaluation, appended and synced batch by batch."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


class Journal:
    """Append-only log of evaluations."""

    def __init__(self, path: Path) -> None:
        """Log into ``path``, which is created with the first batch."""
        self.path = path

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Write a batch of records and push it to the disk."""
        lines = "".join(json.dumps(jsonable(record), allow_nan=False) + "\n" for record in records)
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(lines)
            handle.flush()
            os.fsync(handle.fileno())


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All records of a journal, in order."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def jsonable(value: Any) -> Any:
    """Plain JSON types of numpy values; numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [jsonable(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
