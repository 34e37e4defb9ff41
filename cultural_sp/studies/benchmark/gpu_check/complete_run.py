"""A complete alignment on the model of the benchmark."""

from __future__ import annotations

import tempfile
from typing import Any

from cultural_sp.alignment.run import align
from cultural_sp.config.overrides import align_config
from cultural_sp.config.studies import GpuCheckConfig
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.runs.inputs import with_region_codes
from cultural_sp.studies.benchmark.workload import Workload

RUN = ("survey=vsm13_number", "soft_prompt=full", "tracker=disabled", "name=gpu_check")
"""Overrides of the run: the paper's setting as far as it is public, on numbered options."""


def complete_run(config: GpuCheckConfig, workload: Workload) -> dict[str, Any]:
    """Run an alignment of ``config.evaluations`` evaluations, with its baselines, validity check and final scores.

    The model is the one in memory, so loading costs only what a run does with a loaded model.

    Returns:
        Seconds of each part of the run, and the region's losses of every method, which mean nothing for random weights.
    """
    with tempfile.TemporaryDirectory() as folder:
        overrides = [
            *RUN,
            f"optimizer.budget={config.evaluations}",
            f"optimizer.population={config.population}",
            f"model.name_or_path={config.model.name_or_path}",
            f"model.compile={str(config.model.compile).lower()}",
            f"model.dtype={config.model.dtype}",
            f"model.device={config.model.device}",
            f"output_dir={folder}",
        ]
        run = with_region_codes(align_config(overrides))
        cache = ModelCache()
        cache.model(run.model, lambda _: workload.lm)
        [result], _path = align(run, cache)
    return {"evaluations": config.evaluations, "seconds": result.seconds}
