"""Starts the tracker of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cultural_sp.config.groups import TrackerConfig
from cultural_sp.reporting.wandb_tracking.console import error_line, say, sync_command
from cultural_sp.reporting.wandb_tracking.tracker import NoTracker, Tracker

MODES = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "disabled"}
"""Values of wandb's own variable WANDB_MODE -> ``tracker.mode``."""


def mode_of(config: TrackerConfig) -> str:
    """Return ``tracker.mode``; the environment variable WANDB_MODE overrides it.

    Raises:
        ValueError: if WANDB_MODE has a value that wandb doesn't know.
    """
    mode = os.environ.get("WANDB_MODE")
    if not mode:
        return config.mode
    if mode not in MODES:
        raise ValueError(f"WANDB_MODE={mode} is not allowed; choose one of: {', '.join(MODES)}, or unset it")
    return MODES[mode]


@contextmanager
def tracker_of(config: TrackerConfig, folder: Path, *, live: bool = True) -> Iterator[Tracker]:
    """Start the tracker of the run in ``folder``; it is closed at the end of the block.

    Args:
        config: settings of the tracker; WANDB_MODE overrides the mode of a live run.
        folder: the run folder.
        live: whether the run is going on; False if a finished run is synced.

    Raises:
        ValueError: if WANDB_MODE has a value that wandb doesn't know.
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
            say(f"can't be loaded ({error_line(error)}), so the run isn't tracked; afterwards: {sync_command(folder)}")
    try:
        yield tracker
    except BaseException:
        tracker.close(failed=True)
        raise
    tracker.close(failed=False)
