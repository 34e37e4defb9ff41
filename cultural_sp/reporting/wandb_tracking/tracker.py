"""The interface of trackers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Tracker(Protocol):
    """Follows one run, from the files in its folder and the records of its journal. Its errors never stop the run."""

    def begin(self) -> None:
        """Start. The run folder holds the config, and a journal with at least its header."""

    def evaluations(self, records: Sequence[dict[str, Any]]) -> None:
        """Take the next records of the journal. A resumed run starts again with the first record."""

    def finish(self) -> None:
        """Show the results. The run folder is complete."""

    def close(self, failed: bool) -> None:
        """End. ``failed`` tells whether an error or a signal ended the run."""


class NoTracker:
    """Tracker that does nothing."""

    def begin(self) -> None:
        """Do nothing."""

    def evaluations(self, records: Sequence[dict[str, Any]]) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def close(self, failed: bool) -> None:
        """Do nothing."""
