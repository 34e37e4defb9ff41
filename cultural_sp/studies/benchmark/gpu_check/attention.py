"""Time of the tree attention by its block size, beside dense attention under a mask."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from cultural_sp.config.studies import GpuCheckConfig
from cultural_sp.lm.tree_attention import BLOCK_SIZES, block_size, make_blocks, tree_attention
from cultural_sp.studies.benchmark.measure import seconds
from cultural_sp.studies.benchmark.workload import Workload

REPEATS = 10
BACKENDS = {"efficient": SDPBackend.EFFICIENT_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION, "math": SDPBackend.MATH}


def attention_times(config: GpuCheckConfig, workload: Workload) -> dict[str, Any]:
    """Measure one layer's attention on random queries, keys and values of ``config.population`` candidates.

    Returns:
        Milliseconds per candidate and layer: per block size, per backend at the block size that the program chooses, and dense.
    """
    lm, device = workload.lm, workload.device
    shape = lm.model.config
    heads, kv_heads = shape.num_attention_heads, shape.num_key_value_heads
    width = lm.hidden_size // heads
    [tree] = workload.respondent.trees
    parents, depth = tree.behind(workload.n_virtual)
    n, length, dtype = config.population, len(parents), lm.embeddings.dtype

    def draw(count: int) -> torch.Tensor:
        return torch.randn(n, count, length, width, device=device).to(dtype)

    query, key, value = draw(heads), draw(kv_heads), draw(kv_heads)
    chosen = block_size(depth, 0)

    def milliseconds(size: int) -> float:
        blocks = make_blocks(parents, depth, (), dtype, size).to(device)
        call = partial(tree_attention, lm.model, query, key, value, None, blocks=blocks)
        return _milliseconds(device, call, n)

    by_size = {size: milliseconds(size) for size in BLOCK_SIZES}
    by_backend: dict[str, Any] = {}
    for name, backend in BACKENDS.items():
        try:
            with sdpa_kernel(backend):
                by_backend[name] = milliseconds(chosen)
        except RuntimeError as error:
            by_backend[name] = str(error).split("\n")[0][:120]
    mask = torch.ones(length, length, dtype=torch.bool, device=device).tril()  # as costly as the tree's own
    dense = partial(
        scaled_dot_product_attention,
        query,
        key.repeat_interleave(heads // kv_heads, 1),
        value.repeat_interleave(heads // kv_heads, 1),
        mask,
    )
    return {
        "block_size": chosen,
        "by_block_size": by_size,
        "by_backend": by_backend,
        "dense": _milliseconds(device, dense, n),
    }


def _milliseconds(device: torch.device, call: Any, n: int) -> float:
    call()

    def repeat() -> None:
        for _ in range(REPEATS):
            call()

    return 1000 * seconds(device, repeat)[0] / REPEATS / n
