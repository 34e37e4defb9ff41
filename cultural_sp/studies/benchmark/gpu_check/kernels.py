"""Where the time of a forward pass goes, by kinds of kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from cultural_sp.config.studies import GpuCheckConfig
from cultural_sp.studies.benchmark.workload import Workload, respondent_in_batches

KINDS = {
    "matrix products": ("gemm", "nvjet", "cutlass_80", "cutlass_90", "addmm", "aten::mm", "matmul"),
    "attention": ("fmha", "flash", "attention", "softmax"),
    "copies and gathers": ("index", "gather", "cat", "copy", "memcpy", "memset"),
}
"""Kind of kernel -> parts of its kernels' names; the first that fits counts, all others are element-wise."""
N_KERNELS = 14


def profiles(config: GpuCheckConfig, workload: Workload) -> dict[str, Any]:
    """Profile one batch of ``config.population`` candidates, not compiled and compiled.

    Returns:
        Per method milliseconds per candidate by kind of kernel, and the kernels that take longest.
    """
    size = config.population
    prompts = workload.draw(size)
    on_gpu = workload.device.type == "cuda"
    result = {}
    for name in ("tree", "tree_compiled") if config.model.compile else ("tree",):
        respondent = respondent_in_batches(config, workload, size, compiled=name == "tree_compiled")
        respondent.answer(prompts)
        with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as measured:
            respondent.answer(prompts)
            if on_gpu:
                torch.cuda.synchronize(workload.device)
        times = {}
        for event in measured.key_averages():
            taken = event.self_device_time_total if on_gpu else event.self_cpu_time_total
            if taken:
                times[event.key] = taken / 1000 / size
        result[name] = {"by_kind": _by_kind(times), "kernels": _longest(times)}
    return result


def _by_kind(times: dict[str, float]) -> dict[str, float]:
    total = dict.fromkeys((*KINDS, "element-wise"), 0.0)
    for kernel, taken in times.items():
        fitting = (kind for kind, parts in KINDS.items() if any(part in kernel.lower() for part in parts))
        total[next(fitting, "element-wise")] += taken
    return total


def _longest(times: dict[str, float]) -> dict[str, float]:
    ordered = sorted(times.items(), key=lambda item: -item[1])
    return {kernel[:160]: taken for kernel, taken in ordered[:N_KERNELS]}
