"""Seconds that the parts of a program take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Measures named parts of a program."""

    def __init__(self) -> None:
        """Start without any part."""
        self.seconds: dict[str, float] = {}
        """Part -> wall-clock seconds, to one decimal."""

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Measure the block as ``part``; a block that raises isn't recorded."""
        started = time.perf_counter()
        yield
        self.seconds[part] = round(time.perf_counter() - started, 1)
