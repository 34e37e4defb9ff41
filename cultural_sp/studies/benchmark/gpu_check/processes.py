"""Runs of a small model in processes of their own: killed and resumed, and started by launchers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from cultural_sp.config.studies import GpuCheckConfig
from cultural_sp.lm.load import find_device, save_model
from cultural_sp.search.journal import JOURNAL, read_records
from cultural_sp.studies.benchmark.commands import failure_of, run_command
from cultural_sp.studies.benchmark.gpu_check.exactness import small_model

RUN = (
    "survey=vsm13_number",
    "optimizer.population=8",
    "optimizer.budget=64",
    "model.batch_size=4",
    "validity=false",
    "readout.report_generate=false",
    "open_ended_questions=false",
    "tracker=disabled",
)
KILLED_AFTER = 24
"""Evaluations in the journal at which the process is killed."""
TIMEOUT = 240
MODULE = ("-m", "cultural_sp", "align")


def restarts(config: GpuCheckConfig, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Make the same run in one go, killed and resumed, through ``accelerate launch``, and on two nodes with one process each.

    The two nodes are this machine twice, so on a machine with one GPU both processes share it.

    Returns:
        Per way of running, the evaluations and the largest difference of a loss from the run in one go; seconds; or its error.
    """
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        save_model(small_model("llama", tokenizer, find_device("cpu")), home / "model")
        common = [*RUN, f"model.name_or_path={home / 'model'}", f"model.device={config.model.device}"]

        def journal(name: str) -> list[float]:
            path = next((home / name).rglob(JOURNAL))
            return [record["loss"] for record in read_records(path)]

        def arguments(name: str) -> list[str]:
            return [*MODULE[1:], *common, f"output_dir={home / name}"]

        started = time.perf_counter()
        _run([sys.executable, "-m", *arguments("whole")])
        whole = journal("whole")
        result: dict[str, Any] = {"in one go": {"evaluations": len(whole), "seconds": time.perf_counter() - started}}
        ways: dict[str, Callable[[str], dict[str, Any] | None]] = {
            "killed and resumed": lambda name: _kill_and_resume([sys.executable, "-m", *arguments(name)], home / name),
            "accelerate launch, one process": lambda name: _run(
                [
                    sys.executable,
                    "-m",
                    "accelerate.commands.launch",
                    "--num_processes",
                    "1",
                    *MODULE[:1],
                    *arguments(name),
                ]
            ),
            "torchrun, two nodes": lambda name: _two_nodes(arguments(name)),
        }
        for number, (way, start) in enumerate(ways.items()):
            started, name = time.perf_counter(), f"run{number}"
            try:
                extra = start(name) or {}
                losses = journal(name)
                gaps = [abs(a - b) for a, b in zip(whole, losses, strict=True)]
                result[way] = {"evaluations": len(losses), "largest_difference": max(gaps)} | extra
            except (ValueError, StopIteration, subprocess.SubprocessError) as error:
                result[way] = {"error": str(error)[-400:]}
            result[way]["seconds"] = time.perf_counter() - started
    return result


def _environment() -> dict[str, str]:
    """Return the environment without what a launcher of this process left in it."""
    launcher = ("RANK", "WORLD_SIZE", "MASTER_", "LOCAL_", "ACCELERATE_", "TORCHELASTIC_", "GROUP_")
    return {key: value for key, value in os.environ.items() if not key.startswith(launcher)}


def _run(command: Sequence[str]) -> None:
    run_command(command, _environment(), TIMEOUT)


def _kill_and_resume(command: Sequence[str], folder: Path) -> dict[str, Any]:
    """Kill the run once its journal is long enough, without a chance to tidy up, and start it again."""
    with subprocess.Popen(command, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + TIMEOUT
        while process.poll() is None and time.monotonic() < deadline and _lines(folder) < KILLED_AFTER + 1:
            time.sleep(0.02)
        process.kill()
    at_kill = _lines(folder) - 1  # the first line is the header
    _run(command)
    return {"evaluations_at_kill": at_kill}


def _lines(folder: Path) -> int:
    journal = next(folder.rglob(JOURNAL), None)
    return 0 if journal is None else journal.read_bytes().count(b"\n")


def _two_nodes(arguments: Sequence[str]) -> None:
    rendezvous = ("--nnodes", "2", "--nproc_per_node", "1", "--master_addr", "127.0.0.1", "--master_port", "29517")
    command = [sys.executable, "-m", "torch.distributed.run", *rendezvous, "--node_rank"]
    nodes = [
        subprocess.Popen(
            [*command, str(rank), "--module", *arguments],
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        errors = [node.communicate(timeout=TIMEOUT)[1] for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    if any(node.returncode for node in nodes):
        raise ValueError(f"exit codes {[node.returncode for node in nodes]}: {failure_of(errors[0])}")
