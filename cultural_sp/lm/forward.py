"""Forward passes over a token tree: one pass per batch of candidates, or padded sequences for models that need them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, Protocol

import torch

from cultural_sp.lm.compile import CompiledLayers
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.partial_mlp import LastRows
from cultural_sp.lm.token_tree import TokenTree
from cultural_sp.lm.tree_attention import make_blocks, using_tree_attention

PADDED_TOKENS = 4096  # tokens of a padded forward pass, unless one sequence alone has more


class Forward(Protocol):
    """Maps soft prompts [N, P, H] to log-probabilities [N, C] of all reads of a tree."""

    def __call__(self, prompts: torch.Tensor) -> torch.Tensor:
        """Log-probabilities [N, C] in float64 on the CPU."""
        ...


class TreeForward:
    """Computes every token of the tree once per candidate, and tokens in front of the soft prompt once for all candidates."""

    def __init__(self, lm: LanguageModel, tree: TokenTree, n_virtual: int, *, compiled: bool = False) -> None:
        """Lay out the tree behind ``n_virtual`` virtual tokens; ``compiled`` fuses each layer's element-wise operations."""
        self.lm = lm
        self.compiled = CompiledLayers(lm.model) if compiled else None
        n_cached = (
            len(tree.before) if n_virtual else 0
        )  # without a soft prompt nothing varies, so nothing is worth caching
        front = tree.before[n_cached:]
        n_front = len(front) + n_virtual
        parents, depth = tree.behind(n_front)
        device = lm.embeddings.device
        cache = tuple((layer.keys, layer.values) for layer in cache_layers(lm, tree.before)) if n_cached else ()
        blocks = make_blocks(parents, depth, cache, lm.embeddings.dtype)
        keep = (tree.sources + n_front).to(device)
        self.arguments = {
            "position_ids": (n_cached + depth)[None].to(device),
            "logits_to_keep": keep,
            "blocks": blocks.to(device),
        }
        self.last = LastRows(lm.model, keep)
        self.front, self.nodes = self._embed(front), self._embed(tree.tokens)
        self.rows, self.wanted = tree.reads.to(device).unbind(1)

    @torch.no_grad()
    def _embed(self, ids: torch.Tensor) -> torch.Tensor:
        return self.lm.token_embeddings(ids)[None]

    @torch.inference_mode()
    def __call__(self, prompts: torch.Tensor) -> torch.Tensor:
        """See :class:`Forward`."""
        return self.log_probs(prompts).double().cpu()

    def log_probs(self, prompts: torch.Tensor) -> torch.Tensor:
        """Log-probabilities [N, C] in float32 on the model's device, with gradients for prompts or weights that require them."""
        n = len(prompts)
        soft = prompts.to(self.nodes.device, self.nodes.dtype)
        inputs = torch.cat([self.front.expand(n, -1, -1), soft, self.nodes.expand(n, -1, -1)], dim=1)
        layers = nullcontext() if self.compiled is None else self.compiled.in_use()
        with using_tree_attention(self.lm.model), self.last, layers:
            logits = self.lm.model(inputs_embeds=inputs, use_cache=False, **self.arguments).logits
        return _read_off(logits, self.rows, self.wanted)


class PaddedForward:
    """Computes one right-padded sequence per leaf of the tree: slower, but correct for every causal model."""

    def __init__(self, lm: LanguageModel, tree: TokenTree) -> None:
        """List the sequences, the longest first."""
        self.lm, self.tree = lm, tree
        parents = tree.parents.tolist()
        leaves = sorted(set(range(tree.n_nodes)) - set(parents), key=lambda leaf: -int(tree.depth[leaf])) or [-1]
        rows = {int(node): row for row, node in enumerate(tree.sources)}
        self.paths: list[list[int]] = []
        self.found: list[dict[int, int]] = []
        """Per sequence, place behind the slot -> row of ``tree.sources``, each row in one sequence only."""
        for leaf in leaves:
            path = [leaf] if leaf >= 0 else []
            while path and parents[path[0]] >= 0:
                path.insert(0, parents[path[0]])
            self.paths.append(path)
            self.found.append({i: rows.pop(node) for i, node in enumerate([-1, *path], -1) if node in rows})

    def _chunks(self, n_virtual: int) -> Iterator[tuple[int, int]]:
        start, front = 0, len(self.tree.before) + n_virtual
        while start < len(self.paths):
            stop = start + max(1, PADDED_TOKENS // (front + len(self.paths[start])))
            yield start, min(stop, len(self.paths))
            start = stop

    @torch.inference_mode()
    def __call__(self, prompts: torch.Tensor) -> torch.Tensor:
        """See :class:`Forward`."""
        lm, tree = self.lm, self.tree
        device, embed = lm.embeddings.device, lm.token_embeddings
        rows, wanted = tree.reads.to(device).unbind(1)
        values = []
        for prompt in prompts:
            front = torch.cat([embed(tree.before), prompt.to(device, lm.embeddings.dtype)])
            read = torch.zeros(len(tree.reads), dtype=torch.float64)
            for start, stop in self._chunks(len(prompt)):
                paths, found = self.paths[start:stop], self.found[start:stop]
                ids = torch.zeros(len(paths), len(paths[0]), dtype=torch.long)
                for i, path in enumerate(paths):
                    ids[i, : len(path)] = tree.tokens[path]
                inputs = torch.cat([front.expand(len(paths), -1, -1), embed(ids)], dim=1)
                columns = sorted({place for here in found for place in here})
                if not columns:
                    continue
                keep = torch.tensor(columns, device=device) + len(front)
                logits = lm.model(inputs_embeds=inputs, logits_to_keep=keep, use_cache=False).logits
                if logits.shape[1] != len(keep):  # a few models ignore the argument
                    logits = logits[:, keep]
                for i, here in enumerate(found):
                    for place, row in here.items():
                        chosen = (rows == row).nonzero().flatten()
                        line = logits[i, columns.index(place)][None, None]
                        read[chosen.cpu()] = _read_off(line, torch.zeros_like(chosen), wanted[chosen])[0].double().cpu()
            values.append(read)
        return torch.stack(values)


def _read_off(logits: torch.Tensor, rows: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Log-probabilities [N, C] of tokens ``wanted`` [C] in ``rows`` [C] of logits [N, R, V].

    The normaliser runs over the whole vocabulary: the valid mass and options of several tokens need it.
    """
    logits = logits.float()
    return logits[:, rows, wanted] - logits.logsumexp(-1)[:, rows]


@torch.no_grad()
def cache_layers(lm: LanguageModel, ids: torch.Tensor) -> list[Any]:
    """The cache of each layer after reading tokens [B]."""
    out = lm.model(input_ids=ids[None].to(lm.embeddings.device), use_cache=True, logits_to_keep=1)
    return list(out.past_key_values.layers)
