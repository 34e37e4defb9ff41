"""What more processes are worth: the same search with one thread each in one, two, ... processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from cultural_sp.search.journal import read_journal

RUN = (
    "experiment=smoke",
    "optimizer.budget=12",
    "optimizer.population=6",
    "model.batch_size=1",
    "validity=false",
    "readout.report_generate=false",
)


def scaling(overrides: list[str], sizes: tuple[int, ...] = (1, 2), rounds: int = 3) -> str:
    """Table of seconds per evaluation, speed-up and largest difference of a loss to one process.

    Args:
        overrides: of ``align.py``, after those of a short search.
        sizes: numbers of processes, the first of them 1; each gets one thread.
        rounds: how often each is measured, in turn.

    Raises:
        ValueError: in one line, if a run fails.
    """
    journals: dict[int, list[list[dict[str, Any]]]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                journals[size].append(_run(size, [*overrides, f"output_dir={folder}"], Path(folder)))
            print(f"{size} process(es): {_seconds(journals[size][-1]):.2f} s per evaluation", flush=True)
    lines = [f"{'processes':>10}{'s per evaluation':>18}{'speed-up':>10}{'largest difference of a loss':>30}"]
    for size, runs in journals.items():
        ratios = [_seconds(one) / _seconds(more) for one, more in zip(journals[1], runs, strict=True)]
        apart = max(abs(a["loss"] - b["loss"]) for a, b in zip(journals[1][0], runs[0], strict=True))
        lines.append(f"{size:>10}{median(map(_seconds, runs)):>18.3f}{median(ratios):>10.2f}{apart:>30.1e}")
    return "\n".join(lines)


def _run(size: int, overrides: list[str], folder: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(size)]
    command += ["--module", "cultural_sp", *RUN, *overrides]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("error: ")), done.stderr[-300:])
        raise ValueError(f"the run with {size} process(es) failed: {' '.join(reason.split())}")
    return read_journal(next(folder.rglob("evaluations.jsonl")))


def _seconds(journal: list[dict[str, Any]]) -> float:
    """Mean seconds per evaluation, without each search's first generation, in which caches fill."""
    warm = [r["seconds"] for r in journal if r["generation"]]
    if not warm:
        raise ValueError("optimizer.budget is a single generation; measure at least two")
    return float(sum(warm) / len(warm))
