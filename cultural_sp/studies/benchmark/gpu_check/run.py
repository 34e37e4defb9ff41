"""The parts of the check, one after the other; the failure of one doesn't lose the others."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from cultural_sp.config.studies import GpuCheckConfig
from cultural_sp.lm.geometry import peak_flops
from cultural_sp.runs.provenance import git_commit, versions
from cultural_sp.studies.benchmark.gpu_check.attention import attention_times
from cultural_sp.studies.benchmark.gpu_check.complete_run import complete_run
from cultural_sp.studies.benchmark.gpu_check.exactness import exactness
from cultural_sp.studies.benchmark.gpu_check.kernels import profiles
from cultural_sp.studies.benchmark.gpu_check.memory import out_of_memory
from cultural_sp.studies.benchmark.gpu_check.page import page
from cultural_sp.studies.benchmark.gpu_check.processes import restarts
from cultural_sp.studies.benchmark.gpu_check.speed import agreement, batch_sizes, sustained
from cultural_sp.studies.benchmark.run import compare_methods, machine_name
from cultural_sp.studies.benchmark.workload import Workload, make_workload
from cultural_sp.survey.instrument import load_survey
from cultural_sp.utils.files import disk_errors, write_text
from cultural_sp.utils.terminal import show

JSON, PAGE = "gpu_check.json", "gpu_check.md"


@dataclass(frozen=True)
class Check:
    """What the parts share; the large model is made when the first part needs it."""

    config: GpuCheckConfig

    @cached_property
    def workload(self) -> Workload:
        """The model of the benchmark with the survey."""
        return make_workload(self.config, load_survey(self.config.survey.instrument))


PARTS: dict[str, Callable[[Check], Any]] = {
    "sustained": lambda check: sustained(check.config, check.workload),
    "batch_sizes": lambda check: batch_sizes(check.config, check.workload),
    "agreement": lambda check: agreement(check.config, check.workload),
    "kernels": lambda check: profiles(check.config, check.workload),
    "complete_run": lambda check: complete_run(check.config, check.workload),
    "out_of_memory": lambda check: out_of_memory(check.config, check.workload),
    "exactness": lambda check: exactness(
        check.config.kinds,
        load_survey(check.config.survey.instrument),
        check.workload.lm.tokenizer,
        check.workload.device,
    ),
    "attention": lambda check: attention_times(check.config, check.workload),
    "restarts": lambda check: restarts(check.config, check.workload.lm.tokenizer),
    "methods": lambda check: compare_methods(check.config, check.workload),
}
"""Name -> part, the most valuable first."""


def gpu_check(config: GpuCheckConfig) -> Path:
    """Run the parts, and write ``gpu_check.json`` and ``gpu_check.md`` anew after each.

    Returns:
        Folder of the two files.

    Raises:
        ValueError: if a part is unknown or a file can't be written.
    """
    unknown = [name for name in config.parts or () if name not in PARTS]
    if unknown:
        raise ValueError(f"parts={unknown[0]} is unknown; choose some of: {', '.join(PARTS)}")
    with disk_errors(config.folder):
        config.folder.mkdir(parents=True, exist_ok=True)
    check, started = Check(config), time.perf_counter()
    result: dict[str, Any] = {"machine": _machine(check), "parts": {}}
    for name in config.parts or PARTS:
        left = 60 * config.minutes - (time.perf_counter() - started)
        show(f"part {name}, {max(left, 0):.0f} s left")
        result["parts"][name] = {"skipped": "no time left"} if left <= 0 else _guarded(PARTS[name], check)
        write_text(config.folder / JSON, json.dumps(result, indent=1) + "\n")
        write_text(config.folder / PAGE, page(result))
    show(page(result))
    return config.folder


def _guarded(part: Callable[[Check], Any], check: Check) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        outcome = {"result": part(check)}
    except Exception as error:  # whatever goes wrong on a machine that nobody has tried
        outcome = {"error": f"{type(error).__name__}: {error}"[:600], "traceback": traceback.format_exc()[-2000:]}
        show(f"failed: {outcome['error']}")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return outcome | {"part_seconds": round(time.perf_counter() - started, 1)}


def _machine(check: Check) -> dict[str, Any]:
    started = time.perf_counter()
    workload = check.workload
    return {
        "name": machine_name(workload.device),
        "memory_gib": _memory_gib(workload.device),
        "peak_tflops": None if (peak := peak_flops(workload.device)) is None else peak / 1e12,
        "cuda": torch.version.cuda,
        "model": f"{workload.lm.model.num_parameters():,} parameters, {check.config.model.dtype}",
        "weights_are_random": check.config.geometry is not None,
        "seconds_to_make_the_model": round(time.perf_counter() - started, 1),
        "packages": versions(),
        "git_commit": git_commit(),
    }


def _memory_gib(device: torch.device) -> float | None:
    return torch.cuda.mem_get_info(device)[1] / 2**30 if device.type == "cuda" else None
