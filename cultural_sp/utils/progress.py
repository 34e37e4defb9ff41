"""Progress bars, for everything that takes longer than a few seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

MIN_STEPS_FOR_BAR = 40
Item = TypeVar("Item")


def progress(name: str, total: int, done: int = 0) -> tqdm[Any]:
    """Return a progress bar with the time left. Without a terminal, it prints a line every half minute.

    Args:
        name: what the bar counts.
        total: number of steps.
        done: number of steps already done.
    """
    quiet = not sys.stderr.isatty()
    return tqdm(
        total=total,
        initial=done,
        desc=name,
        file=_Lines() if quiet else sys.stderr,
        mininterval=30 if quiet else 0.5,
        maxinterval=30,
        ascii=quiet,
        bar_format="{desc}: {n_fmt}/{total_fmt} |{bar:20}| {elapsed} elapsed, {remaining} left{postfix}",
    )


def with_progress(name: str, items: Sequence[Item]) -> Iterator[Item]:
    """Yield the items in order, with a progress bar if there are at least :data:`MIN_STEPS_FOR_BAR`."""
    if len(items) < MIN_STEPS_FOR_BAR:
        yield from items
        return
    with progress(name, len(items)) as bar:
        for item in items:
            yield item
            bar.update()


class _Lines:
    """A stream that turns tqdm's carriage returns into lines, so that a log file stays readable."""

    def __init__(self) -> None:
        self._last_counts = ""

    def write(self, text: str) -> None:
        """Print a line, unless its counts are those of the line before."""
        line = text.strip()
        counts = line.partition("|")[0]
        if line and counts != self._last_counts:
            print(line, file=sys.stderr, flush=True)
            self._last_counts = counts

    def flush(self) -> None:
        """Do nothing: every line is flushed when it is written."""
