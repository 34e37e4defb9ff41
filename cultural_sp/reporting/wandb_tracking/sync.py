"""The program ``sync-wandb``: passes journals and results of finished runs to the same tracker that live runs have."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from cultural_sp.config.error_messages import exit_on_bad_input
from cultural_sp.config.groups import TrackerConfig
from cultural_sp.reporting.wandb_tracking.start_tracker import mode_of, tracker_of
from cultural_sp.runs.folder import CONFIG, RESULT, finished_runs
from cultural_sp.search.journal import JOURNAL, read_records
from cultural_sp.utils.terminal import show


def main(arguments: Sequence[str] | None = None) -> None:
    """``cultural-sp sync-wandb FOLDER...``: sync every finished run below these folders; exit code 2 if one can't be read."""
    parser = argparse.ArgumentParser(description="Bring finished runs into wandb.")
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="a run folder, or any folder above some"
    )
    parser.add_argument("--offline", action="store_true", help="only write a log below each run folder")
    for key in ("project", "entity", "group"):
        parser.add_argument(f"--{key}", help=f"instead of the run's own tracker.{key}")
    options = parser.parse_args(arguments)
    changes = {
        key: getattr(options, key) for key in ("project", "entity", "group") if getattr(options, key) is not None
    }
    failed = False
    with exit_on_bad_input():
        mode = "offline" if options.offline else mode_of(TrackerConfig("online"))
        if mode == "disabled":
            raise ValueError("WANDB_MODE=disabled switches wandb off; unset it")
        runs = sorted({run for folder in options.folders for run in finished_runs(folder)})
        if not runs:
            folders = ", ".join(map(str, options.folders))
            raise ValueError(f"no finished run (no {RESULT}) in {folders}; give run folders, or folders above some")
    for folder in runs:
        try:
            sync(folder, mode, changes)
        except (OSError, ValueError, KeyError, TypeError) as error:
            failed = True
            show(f"error: {folder} can't be read as a run of this program ({error})", error=True)
    if failed:
        sys.exit(2)


def sync(folder: Path, mode: str, changes: dict[str, str]) -> None:
    """Pass one finished run to its tracker; ``changes`` override the tracker settings of the run.

    Raises:
        OSError, ValueError, KeyError, TypeError: if the files aren't files of a run.
    """
    config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    own = TrackerConfig(**config["tracker"]) if "tracker" in config else TrackerConfig(mode)
    records = list(read_records(folder / JOURNAL))
    show(f"run folder: {folder}")
    with tracker_of(replace(own, mode=mode, **changes), folder, live=False) as tracker:
        tracker.begin()
        tracker.evaluations(records)
        tracker.finish()
