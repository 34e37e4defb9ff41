"""What a tracker is, and which one a run has."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from cultural_sp.config.groups import TrackerConfig
from cultural_sp.utils.errors import reason_of

MODES = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "disabled"}
"""Values of wandb's own variable WANDB_MODE -> ``tracker.mode``."""


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


def mode_of(config: TrackerConfig) -> str:
    """``tracker.mode``, or what the environment variable WANDB_MODE says instead.

    Raises:
        ValueError: in one line, if WANDB_MODE has another value than wandb knows.
    """
    given = os.environ.get("WANDB_MODE")
    if not given:
        return config.mode
    if given not in MODES:
        raise ValueError(f"WANDB_MODE={given} is not allowed; choose one of: {', '.join(MODES)}, or unset it")
    return MODES[given]


@contextmanager
def tracker_of(config: TrackerConfig, folder: Path, *, live: bool = True) -> Iterator[Tracker]:
    """The tracker of the run in ``folder``, closed at the end of the block.

    Args:
        config: the tracker's settings; of a live run, WANDB_MODE goes before its mode.
        folder: the run folder.
        live: whether the run goes on meanwhile, rather than being played again.

    Raises:
        ValueError: in one line, if WANDB_MODE has another value than wandb knows.
    """
    mode = mode_of(config) if live else config.mode
    tracker: Tracker = NoTracker()
    if mode != "disabled":
        os.environ.setdefault("WANDB_SILENT", "true")  # before wandb is imported
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        try:  # only here: a run that isn't tracked doesn't wait for it
            from cultural_sp.reporting.wandb_tracking.wandb_tracker import WandbTracker

            tracker = WandbTracker(config, folder, online=mode == "online", live=live)
        except Exception as error:  # such as another package's version of what wandb needs
            say(f"can't be loaded ({line(error)}), so the run isn't tracked; afterwards: {again(folder)}")
    try:
        yield tracker
    except BaseException:
        tracker.close(failed=True)
        raise
    tracker.close(failed=False)


def again(folder: Path) -> str:
    """The command that brings a finished run into wandb, whatever of it is there already."""
    return f"python experiments/sync_wandb.py {shlex.quote(os.path.relpath(folder))}"


def line(error: Exception) -> str:
    """What an error says, in one line and without credentials."""
    text = reason_of(error) or type(error).__name__
    key = os.environ.get("WANDB_API_KEY")
    return re.sub(r"(?<=://)[^/@\s]+@", "", text.replace(key, "***") if key else text)[:200]


def say(text: str) -> None:
    """Print a line about wandb."""
    print(f"wandb: {text}", flush=True)
