"""Watching a run in the terminal: all it needs is the run folder, and it disturbs nothing there."""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from cultural_sp.run_folder import CONFIG, HOLDER, RESULT

WIDTH = 40  # characters of a bar; the published scale of 0 to 100 fills it
BAR, EMPTY, TARGET = "=", ".", "|"


@dataclass
class Progress:
    """What a journal says so far."""

    budget: int
    """Evaluations of each of the two searches."""
    target: dict[str, float | None]
    """Dimension -> score in index points."""
    done: int = 0
    """Evaluations of both searches."""
    search: str = "starting"
    generation: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    """Record of the best evaluation of the search that goes on."""
    seconds: list[float] = field(default_factory=list)
    """Of each evaluation of the last generation."""

    def add(self, record: dict[str, Any]) -> None:
        """Take in the next record of the journal."""
        self.done += 1
        if (record["search"], record["generation"]) != (self.search, self.generation):
            self.seconds = []
        if record["search"] != self.search:
            self.best = {}
        self.search, self.generation = record["search"], record["generation"]
        self.seconds.append(record["seconds"])
        if record["loss"] is not None and (not self.best or record["loss"] < self.best["loss"]):
            self.best = record

    @property
    def left(self) -> str:
        """How long the remaining evaluations take at the pace of the last generation."""
        rest = 2 * self.budget - self.done
        if not rest:
            return "searches done"
        if not self.seconds:
            return "time left unknown"
        minutes, seconds = divmod(round(rest * sum(self.seconds) / len(self.seconds)), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left"


class Follower:
    """Reads a journal that grows, every line once."""

    def __init__(self, folder: Path) -> None:
        """Of the run in ``folder``, which may not have begun."""
        self._folder, self._read = folder, 0
        self._progress: Progress | None = None

    def progress(self) -> Progress | None:
        """What the journal says by now; None as long as there is none."""
        journal = self._folder / "evaluations.jsonl"
        if not journal.is_file() or journal.stat().st_size < self._read:  # replaced, or a torn batch was cut off
            self._read, self._progress = 0, None
        try:
            with journal.open("rb") as lines:
                lines.seek(self._read)
                for line in lines:
                    if not line.endswith(b"\n"):  # still on its way
                        break
                    self._take(json.loads(line))
                    self._read += len(line)
        except FileNotFoundError:
            return None
        except ValueError:  # replaced by a longer one: from its start, next time
            self._read = sys.maxsize
        return self._progress

    def _take(self, record: dict[str, Any]) -> None:
        if self._progress is None:
            config = yaml.safe_load((self._folder / CONFIG).read_text(encoding="utf-8"))
            self._progress = Progress(config["optimizer"]["budget"], record["target"])
        else:
            self._progress.add(record)


def one_line(progress: Progress) -> str:
    """Progress for a log file."""
    best = f"best {progress.best['l1']:.2f} index points off the target" if progress.best else "no loss yet"
    return (
        f"{progress.search}: {progress.done} of {2 * progress.budget} evaluations, generation {progress.generation}, "
        f"{best}, {progress.left}"
    )


def picture(progress: Progress) -> str:
    """Progress with a bar per dimension: the best candidate's score, and where the target lies."""
    lines = [one_line(progress)]
    width = max(map(len, progress.target), default=0)
    for dimension, target in progress.target.items():
        score = progress.best.get("dimensions", {}).get(dimension)
        filled = 0 if score is None else _place(score) + 1
        bar = list(BAR * filled + EMPTY * (WIDTH - filled))
        if target is not None:
            bar[_place(target)] = TARGET
        lines.append(f"  {dimension:<{width}} {''.join(bar)} {_number(score):>4}  target {_number(target)}")
    return "\n".join(lines)


def state_of(folder: Path) -> str:
    """``finished``, ``stopped``, or nothing while the run goes on as far as this machine can tell."""
    if (folder / RESULT).is_file():
        return "finished"
    try:
        holder = (folder / HOLDER).read_text(encoding="utf-8")
    except OSError:
        return "stopped"
    match = re.fullmatch(r"process (\d+) on (.*)", holder)
    if match is None or match[2] != platform.node():
        return ""
    return "" if psutil.pid_exists(int(match[1])) else "stopped"


def watch(folder: Path, *, redraw: bool, wait: Callable[[float], None] = time.sleep, every: float = 1.0) -> None:
    """Show a run until it ends, drawn over and over with ``redraw``, else a line per generation.

    Raises:
        ValueError: in one line, if there is no run.
    """
    follower = Follower(folder)
    shown, height = "", 0
    while True:
        state = state_of(folder)  # before the journal: then nothing can follow what is read of it
        progress = follower.progress()
        if progress is None and state:
            raise ValueError(f"{folder} holds no run that goes on or has ended; give the run folder that a run prints")
        if progress is not None and redraw:
            text = picture(progress)
            print(f"\x1b[{height}A\x1b[J{text}" if height else text, flush=True)
            height = text.count("\n") + 1
        elif progress is not None:
            mark = f"{progress.search} {progress.generation}"
            if mark != shown or state:
                shown = mark
                print(one_line(progress), flush=True)
        if state:
            print(f"{state}: {folder}", flush=True)
            return
        wait(every)


def main(arguments: Sequence[str] | None = None) -> None:
    """``watch.py FOLDER``: watch a run until it ends."""
    parser = argparse.ArgumentParser(prog="watch.py", description="Watch a run until it ends.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the run folder")
    try:
        watch(parser.parse_args(arguments).folder, redraw=sys.stdout.isatty())
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _place(score: float) -> int:
    """Index of the character of a bar in which a score lies; scores may lie outside of the published scale."""
    return min(max(int(score / 100 * WIDTH), 0), WIDTH - 1)


def _number(score: float | None) -> str:
    return "-" if score is None else f"{score:.0f}"
