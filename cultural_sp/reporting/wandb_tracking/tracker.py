"""What a tracker is, and which one a run has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Tracker(Protocol):
    """Follows one run by its files and its journal's records. Nothing that goes wrong in it may reach the run."""

    def begin(self) -> None:
        """The run folder holds the config and a journal with at least a header."""

    def evaluations(self, records: Sequence[dict[str, Any]]) -> None:
        """The next records of the journal, from its first on, whether they are new or taken over from an earlier process."""

    def finish(self) -> None:
        """The run folder holds the results and everything else."""

    def close(self, failed: bool) -> None:
        """The run ends, finished or not; ``failed`` if an error or a signal ended it."""


class NoTracker:
    """Follows nothing."""

    def begin(self) -> None:
        """Do nothing."""

    def evaluations(self, records: Sequence[dict[str, Any]]) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def close(self, failed: bool) -> None:
        """Do nothing."""
