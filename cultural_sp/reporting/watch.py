"""Watching a run in the terminal: all it needs is the run folder, and it disturbs nothing there."""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from cultural_sp.config.error_messages import exit_on_bad_input
from cultural_sp.reporting.follow import Follower, Progress
from cultural_sp.runs.folder import HOLDER, RESULT, result_files
from cultural_sp.runs.history import RegionHistory
from cultural_sp.search.journal import JOURNAL, read_header
from cultural_sp.survey.instrument import decimals

WIDTH = 40  # characters of a bar; the range of published scores fills it
BAR, EMPTY, TARGET = "=", ".", "|"


def one_line(progress: Progress) -> str:
    """Progress for a log file; of a joint run with the mean over its regions."""
    best = [course.best["l1"] for course in progress.courses if course.best]
    mean = f" (mean of {len(best)} regions)" if len(best) > 1 else ""
    found = f"best {sum(best) / len(best):.2f} {progress.unit} off the target{mean}" if best else "no loss yet"
    return (
        f"{progress.search}: {progress.done} of {2 * progress.budget} evaluations, generation {progress.generation}, "
        f"{found}, {progress.left}"
    )


def picture(progress: Progress) -> list[str]:
    """Lines with a bar per dimension: the best candidate's score, and where the target lies; a line per region of a joint run."""
    if len(progress.courses) == 1:
        return [one_line(progress), *_bars(progress.courses[0], progress.published_range)]
    return [one_line(progress), *(_in_short(course, decimals(progress.published_range)) for course in progress.courses)]


def _bars(course: RegionHistory, published: tuple[float, float]) -> list[str]:
    lines, digits = [], decimals(published)
    width = max(map(len, course.target), default=0)
    for dimension, target in course.target.items():
        score = course.best.get("dimensions", {}).get(dimension)
        filled = 0 if score is None else _place(score, published) + 1
        bar = list(BAR * filled + EMPTY * (WIDTH - filled))
        if target is not None:
            bar[_place(target, published)] = TARGET
        lines.append(
            f"  {dimension:<{width}} {''.join(bar)} {_number(score, digits):>4}  target {_number(target, digits)}"
        )
    return lines


def _in_short(course: RegionHistory, digits: int) -> str:
    scores = course.best.get("dimensions", {})
    off = f"{course.best['l1']:6.2f}" if course.best else "     -"
    shown = "  ".join(
        f"{d} {_number(scores.get(d), digits):>4} ({_number(t, digits)})" for d, t in course.target.items()
    )
    return f"  {course.region} {off} off  {shown}"


def state_of(folder: Path) -> str:
    """``finished``, ``stopped``, or nothing while the run goes on as far as this machine can tell."""
    if _finished(folder):
        return "finished"
    try:
        holder = (folder / HOLDER).read_text(encoding="utf-8")
    except OSError:
        return "stopped"
    match = re.fullmatch(r"process (\d+) on (.*)", holder)
    if match is None or match[2] != platform.node():
        return ""
    return "" if psutil.pid_exists(int(match[1])) else "stopped"


def _finished(folder: Path) -> bool:
    if (folder / RESULT).is_file():
        return True
    results, journal = result_files(folder), folder / JOURNAL  # of a joint run: a result per region
    return bool(results) and journal.is_file() and len(results) == len(read_header(journal).get("targets", ()))


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
            columns, rows = shutil.get_terminal_size()
            # What wraps or scrolls can't be redrawn.
            lines = [line[: columns - 1] for line in picture(progress)[: rows - 2]]
            text = "\n".join(lines)
            print(f"\x1b[{height}A\x1b[J{text}" if height else text, flush=True)
            height = len(lines)
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
    parser = argparse.ArgumentParser(description="Watch a run until it ends.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the run folder")
    folder = parser.parse_args(arguments).folder
    try:
        with exit_on_bad_input():
            watch(folder, redraw=sys.stdout.isatty())
    except KeyboardInterrupt:
        sys.exit(130)


def _place(score: float, published: tuple[float, float]) -> int:
    """Index of the character of a bar in which a score lies; scores may lie outside of the published ones."""
    low, high = published
    return min(max(int((score - low) / (high - low) * WIDTH), 0), WIDTH - 1)


def _number(score: float | None, digits: int) -> str:
    return "-" if score is None else f"{score:.{digits}f}"
