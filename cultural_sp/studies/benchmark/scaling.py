"""Speed-up by several processes: the same search in one, two, ... processes with one thread each."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from tabulate import tabulate

from cultural_sp.search.journal import JOURNAL, read_records
from cultural_sp.studies.benchmark.commands import run_command
from cultural_sp.utils.terminal import show

SEARCH = (
    "experiment=smoke",
    "optimizer.budget=12",
    "optimizer.population=6",
    "model.batch_size=1",
    "validity=false",
    "readout.report_generate=false",
)
"""Overrides that make a run a short search."""
COLUMNS = ("processes", "s per evaluation", "speed-up", "largest difference of a loss")


def scaling(overrides: list[str], sizes: tuple[int, ...] = (1, 2), rounds: int = 3) -> str:
    """Measure the speed-up of ``cultural-sp align`` over one process and the largest difference of a loss.

    Args:
        overrides: of the run; they come after those of :data:`SEARCH`.
        sizes: numbers of processes, each with one thread; the first must be 1.
        rounds: measurements of each size, in turn.

    Returns:
        A table as text, with one row per size.

    Raises:
        ValueError: if a run fails.
    """
    journals: dict[int, list[list[dict[str, Any]]]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                journals[size].append(_run(size, [*overrides, f"output_dir={folder}"], Path(folder)))
            show(f"{size} process(es): {_seconds(journals[size][-1]):.2f} s per evaluation")
    rows = []
    for size, runs in journals.items():
        speedups = [_seconds(single) / _seconds(several) for single, several in zip(journals[1], runs, strict=True)]
        differences = [abs(a["loss"] - b["loss"]) for a, b in zip(journals[1][0], runs[0], strict=True)]
        seconds = median(map(_seconds, runs))
        rows.append([str(size), f"{seconds:.3f}", f"{median(speedups):.2f}", f"{max(differences):.1e}"])
    return tabulate(rows, COLUMNS, tablefmt="plain", colalign=("right",) * len(COLUMNS), disable_numparse=True)


def _run(size: int, overrides: list[str], folder: Path) -> list[dict[str, Any]]:
    """Run the search in ``size`` processes and return its journal."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(size)]
    command += ["--module", "cultural_sp", "align", *SEARCH, *overrides]
    try:
        run_command(command, os.environ | {"OMP_NUM_THREADS": "1"})
    except ValueError as error:
        raise ValueError(f"the run with {size} process(es) failed: {error}") from error
    return list(read_records(next(folder.rglob(JOURNAL))))


def _seconds(journal: list[dict[str, Any]]) -> float:
    """Return the mean seconds per evaluation, without each search's first generation, in which caches fill."""
    later = [record["seconds"] for record in journal if record["generation"]]
    if not later:
        raise ValueError("optimizer.budget is a single generation; measure at least two")
    return float(sum(later) / len(later))
