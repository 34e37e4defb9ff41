"""What happens when a batch is too large for the GPU's memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from cultural_sp.config.studies import GpuCheckConfig
from cultural_sp.lm.batching import Batching
from cultural_sp.studies.benchmark.workload import Workload, respondent_in_batches

FITTING = 4
"""Candidates for whose activations memory is left, by the estimate."""


def out_of_memory(config: GpuCheckConfig, workload: Workload) -> dict[str, Any]:
    """Fill the memory until ``FITTING`` candidates fit, and ask for a batch sixteen times as large; then let the program choose.

    Raises:
        ValueError: without a GPU, where memory doesn't run out this way.
    """
    device = workload.device
    if device.type != "cuda":
        raise ValueError("needs a GPU: a CPU's memory doesn't run out in this way")
    prompts = workload.draw(16 * FITTING)
    [tree] = workload.respondent.trees
    needed = Batching(workload.lm).bytes_needed(workload.tokens_tree, len(tree.sources))
    expected = respondent_in_batches(config, workload, FITTING).answer(prompts)
    torch.cuda.empty_cache()
    free = torch.cuda.mem_get_info(device)[0]
    ballast = torch.empty(max(0, free - 2 * FITTING * needed), dtype=torch.uint8, device=device)
    try:
        forced = respondent_in_batches(config, workload, len(prompts))
        answers = forced.answer(prompts)
        torch.cuda.empty_cache()
        chosen = respondent_in_batches(config, workload, None)
        size = chosen.batch_size(prompts)
        chosen.answer(prompts)  # must not run out again
    finally:
        del ballast
        torch.cuda.empty_cache()
    differences = [np.nanmax(np.abs(answers.log_probs[o] - expected.log_probs[o])) for o in expected.log_probs]
    return {
        "asked_for": len(prompts),
        "size_after_back_off": forced.batch_size(prompts),
        "largest_difference": float(max(differences)),
        "chosen_by_estimate": size,
        "chosen_after_run": chosen.batch_size(prompts),
    }
