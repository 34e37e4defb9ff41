"""Attention over a token tree in blocks, for every model whose attention function can be replaced.

Nodes are in depth-first order, cut into blocks. A node of a block attends only to nodes of its block and to nodes on the path
from the root to the block's first node. So each block of queries needs only that path and itself as keys, and the cost grows
with tokens times depth, not with tokens squared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedConfig, PreTrainedModel

NAME = "token_tree"
BLOCK_SIZES = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
REFUSED = ("s_aux", "sinks", "position_bias", "indices", "block_indices")  # sinks, biases and choices of keys
KEY_COST = 12  # fetching one key and value costs about as much as this many query-key products
CacheEntry = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Blocks:
    """The keys of each block of queries: G blocks of B queries and L keys."""

    keys: torch.Tensor
    """[G, L] places in the sequence of cached and new tokens."""
    mask: torch.Tensor
    """[G, 1, B, L] additive mask."""
    cache: tuple[CacheEntry, ...]
    """Keys and values [1, heads, B, D] of the tokens in front of the sequence, per layer; empty if there are none."""

    @property
    def n_queries(self) -> int:
        """Number of queries in all blocks, with the padding of the last one."""
        return self.mask.shape[0] * self.mask.shape[2]

    def to(self, device: torch.device) -> Blocks:
        """The same blocks on another device; the cache stays with the layers that made it."""
        return Blocks(self.keys.to(device), self.mask.to(device), self.cache)


def block_size(depth: torch.Tensor, n_cached: int) -> int:
    """Queries per block with the lowest estimated cost.

    Args:
        depth: [S] tokens above each token, in depth-first order.
        n_cached: tokens in front of them all.
    """

    def cost(size: int) -> float:
        starts = depth[::size]
        return len(starts) * (n_cached + int(starts.max()) + size) * (size + KEY_COST)

    return min(BLOCK_SIZES, key=cost)


def make_blocks(
    parents: torch.Tensor,
    depth: torch.Tensor,
    cache: tuple[CacheEntry, ...],
    dtype: torch.dtype,
    size: int | None = None,
) -> Blocks:
    """Cut a sequence in depth-first order into blocks.

    Args:
        parents: [S] parent of each token, -1 for none.
        depth: [S] tokens above each token.
        cache: keys and values of the tokens in front, see :class:`Blocks`.
        dtype: of the mask.
        size: queries per block; by default the cheapest.
    """
    above, n = parents.tolist(), len(parents)
    n_cached = cache[0][0].shape[2] if cache else 0
    size = size or block_size(depth, n_cached)
    starts = range(0, n, size)
    width = max(n_cached + int(depth[a]) + min(size, n - a) for a in starts)
    width += -width % 8  # aligned rows suit the kernels of accelerators
    keys = torch.zeros(len(starts), width, dtype=torch.long)
    allowed = torch.zeros(len(starts), size, width, dtype=torch.bool)
    for g, a in enumerate(starts):
        path, node = [], above[a]
        while node >= 0:
            path.append(n_cached + node)
            node = above[node]
        stop = min(a + size, n)
        wanted = [*range(n_cached), *reversed(path), *range(n_cached + a, n_cached + stop)]
        keys[g, : len(wanted)] = torch.tensor(wanted)
        for i in range(a, stop):
            if above[i] >= a:
                allowed[g, i - a] = allowed[g, above[i] - a]
            else:  # outside the block it sees the start of the path
                allowed[g, i - a, : n_cached + int(depth[i])] = True
            allowed[g, i - a, n_cached + len(path) + i - a] = True
        allowed[g, stop - a :, 0] = True  # a row without any key would give NaN
    mask = torch.zeros(allowed.shape, dtype=dtype).masked_fill_(~allowed, torch.finfo(dtype).min)
    return Blocks(keys, mask[:, None], cache)


def tree_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    *,
    blocks: Blocks,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention function for transformers' ``AttentionInterface``: query [N, heads, S, D] to output [N, S, heads, D].

    Raises:
        ValueError: if the model passes an argument that the blocks don't support. A comparison of outputs in half precision might
            not show the difference.
    """
    wanted = [name for name in REFUSED if others.get(name) is not None]
    if attention_mask is not None or wanted:  # transformers makes no mask of its own for a function like this one
        raise ValueError(f"it wants {', '.join(wanted) or 'a mask of its own'}")
    n, heads, length, _width = query.shape
    kv_heads, index = key.shape[1], blocks.keys.to(key.device)
    if blocks.cache:
        front_keys, front_values = blocks.cache[int(module.layer_idx)]  # type: ignore[arg-type]
        key = torch.cat([front_keys.expand(n, -1, -1, -1), key], dim=2)
        value = torch.cat([front_values.expand(n, -1, -1, -1), value], dim=2)

    def fetched(x: torch.Tensor) -> torch.Tensor:
        rows = x.index_select(2, index.flatten()).reshape(n * kv_heads, *index.shape, x.shape[3])
        return rows.transpose(0, 1)  # [G, N * kv_heads, L, D]

    mask = blocks.mask.to(query.device)
    groups, _one, size, _keys = mask.shape
    # Queries of the heads that share a key head stand below each other, so that no key is copied.
    sharing = heads // kv_heads
    filled = pad(query, (0, 0, 0, blocks.n_queries - length)) if blocks.n_queries > length else query
    queries = filled.reshape(n * kv_heads, sharing, groups, size, -1).permute(2, 0, 1, 3, 4)
    queries = queries.reshape(groups, n * kv_heads, sharing * size, -1)  # [G, N * kv_heads, R * B, D]
    mask = mask.repeat(1, 1, sharing, 1)
    keys, values = fetched(key), fetched(value)
    if softcap is None:
        mixed = scaled_dot_product_attention(queries, keys, values, mask, scale=scaling)
    else:
        scores = queries @ keys.transpose(2, 3) * (scaling if scaling is not None else queries.shape[-1] ** -0.5)
        scores = torch.tanh(scores / softcap) * softcap + mask
        mixed = scores.softmax(-1, dtype=torch.float32).to(values.dtype) @ values
    out = mixed.reshape(groups, n, kv_heads, sharing, size, -1).permute(1, 0, 4, 2, 3, 5)
    out = out.reshape(n, groups * size, heads, -1)
    return out[:, :length].contiguous(), None  # some models take a view of it


AttentionInterface.register(NAME, tree_attention)


@contextmanager
def using_tree_attention(model: PreTrainedModel) -> Iterator[None]:
    """Let the model call :func:`tree_attention`, which needs ``blocks=`` among the arguments of its forward pass.

    Threads must not share a model here, because the choice is a part of its configuration.
    """
    usual = [(config, config._attn_implementation) for config in _with_parts(model.config)]
    model.config._attn_implementation = NAME
    try:
        yield
    finally:
        for config, implementation in usual:
            config._attn_implementation = implementation


def _with_parts(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    """Yield a configuration and its parts, outer ones first, because setting one sets its parts as well."""
    yield config
    for name in config.sub_configs:
        part = getattr(config, name, None)
        if part is not None:
            yield from _with_parts(part)
