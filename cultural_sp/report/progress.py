"""A progress bar where a report takes longer than a few seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from cultural_sp.search.loop import progress

MANY = 40
Item = TypeVar("Item")


def counted(name: str, items: Sequence[Item]) -> Iterator[Item]:
    """The items in order, with a bar if they are many."""
    if len(items) < MANY:
        yield from items
        return
    with progress(name, len(items)) as bar:
        for item in items:
            yield item
            bar.update()
