"""The program ``watch``: shows a run in the terminal. It only reads the run folder."""

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
from cultural_sp.reporting.run_progress import ProgressReader, RunProgress
from cultural_sp.runs.folder import HOLDER, RESULT, result_files
from cultural_sp.runs.history import RegionHistory
from cultural_sp.search.journal import JOURNAL, read_header
from cultural_sp.survey.instrument import decimals
from cultural_sp.utils.terminal import one_line, show

BAR_WIDTH = 40  # characters, for the published range of scores
FILLED, EMPTY, TARGET = "=", ".", "|"


def progress_line(progress: RunProgress) -> str:
    """Format progress as one line for a log file; a joint run has the mean loss over its regions."""
    best = [history.best["l1"] for history in progress.histories if history.best]
    mean = f" (mean of {len(best)} regions)" if len(best) > 1 else ""
    loss = f"best {sum(best) / len(best):.2f} {progress.unit} off the target{mean}" if best else "no loss yet"
    return (
        f"{progress.search}: {progress.n_evaluations} of {2 * progress.budget} evaluations, generation {progress.generation}, "
        f"{loss}, {progress.time_left}"
    )


def progress_chart(progress: RunProgress) -> list[str]:
    """Format progress as lines of text.

    After the progress line, a run of one region has a bar per dimension with the best candidate's score and the target.
    A joint run has a line per region.
    """
    published = progress.published_range
    if len(progress.histories) == 1:
        return [progress_line(progress), *_bars(progress.histories[0], published)]
    digits = decimals(published)
    return [progress_line(progress), *(_region_line(history, digits) for history in progress.histories)]


def _bars(history: RegionHistory, published: tuple[float, float]) -> list[str]:
    lines, digits = [], decimals(published)
    width = max(map(len, history.target), default=0)
    for dimension, target in history.target.items():
        score = history.best.get("dimensions", {}).get(dimension)
        n_filled = 0 if score is None else _bar_index(score, published) + 1
        bar = list(FILLED * n_filled + EMPTY * (BAR_WIDTH - n_filled))
        if target is not None:
            bar[_bar_index(target, published)] = TARGET
        lines.append(
            f"  {dimension:<{width}} {''.join(bar)} {_number(score, digits):>4}  target {_number(target, digits)}"
        )
    return lines


def _region_line(history: RegionHistory, digits: int) -> str:
    best_scores = history.best.get("dimensions", {})
    loss = f"{history.best['l1']:6.2f}" if history.best else "     -"
    scores = "  ".join(
        f"{d} {_number(best_scores.get(d), digits):>4} ({_number(target, digits)})"
        for d, target in history.target.items()
    )
    return f"  {history.region} {loss} off  {scores}"


def run_state(folder: Path) -> str:
    """Return ``finished``, ``stopped``, or an empty string while the run goes on, as far as this machine can tell."""
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
    results, journal = result_files(folder), folder / JOURNAL  # a joint run has a result per region
    return bool(results) and journal.is_file() and len(results) == len(read_header(journal).get("targets", ()))


def watch(folder: Path, *, redraw: bool, wait: Callable[[float], None] = time.sleep, interval: float = 1.0) -> None:
    """Show a run until it ends.

    Args:
        folder: the run folder.
        redraw: draw the progress again and again at the same place; otherwise print a line per generation.
        wait: waits for a number of seconds.
        interval: seconds between two looks at the journal.

    Raises:
        ValueError: if the folder holds no run that goes on or has ended.
    """
    reader = ProgressReader(folder)
    last_generation, height = "", 0
    while True:
        state = run_state(folder)  # before the journal is read: once a run has ended, its journal is complete
        progress = reader.read()
        if progress is None and state:
            raise ValueError(f"{folder} holds no run that goes on or has ended; give the run folder that a run prints")
        if progress is not None and redraw:
            columns, rows = shutil.get_terminal_size()
            # Lines that wrap or scroll away can't be redrawn.
            lines = [one_line(line)[: columns - 1] for line in progress_chart(progress)[: rows - 2]]
            text = "\n".join(lines)
            print(f"\x1b[{height}A\x1b[J{text}" if height else text, flush=True)
            height = len(lines)
        elif progress is not None:
            generation = f"{progress.search} {progress.generation}"
            if generation != last_generation or state:
                last_generation = generation
                show(progress_line(progress))
        if state:
            show(f"{state}: {folder}")
            return
        wait(interval)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program: ``cultural-sp watch FOLDER``."""
    parser = argparse.ArgumentParser(description="Watch a run until it ends.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the run folder")
    folder = parser.parse_args(arguments).folder
    try:
        with exit_on_bad_input():
            watch(folder, redraw=sys.stdout.isatty())
    except KeyboardInterrupt:
        sys.exit(130)


def _bar_index(score: float, published: tuple[float, float]) -> int:
    """Return the index of a score's character in a bar; a score outside the published range gets the first or the last one."""
    low, high = published
    return min(max(int((score - low) / (high - low) * BAR_WIDTH), 0), BAR_WIDTH - 1)


def _number(score: float | None, digits: int) -> str:
    return "-" if score is None else f"{score:.{digits}f}"
