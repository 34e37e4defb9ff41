"""Forward passes over a token tree: one pass per batch of candidates, or padded sequences where a model needs them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

from cultural_sp.lm.compiled import compiled_layers
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.prompt import TokenizedQuestion
from cultural_sp.lm.token_tree import TokenTree, build_tree
from cultural_sp.lm.tree_attention import make_blocks, using_tree_attention

log = logging.getLogger(__name__)
STATELESS = {
    "DynamicLayer",
    "DynamicSlidingWindowLayer",
    "DummyLayer",
}  # caches that hold keys and values alone, or nothing
PADDED_TOKENS = 4096  # tokens of a padded forward pass, unless one sequence alone has more


class Forward(Protocol):
    """Soft prompts [N, P, H] to the log-probabilities [N, C] of everything a tree reads."""

    def __call__(self, prompts: torch.Tensor) -> torch.Tensor:
        """Log-probabilities [N, C] in float64 on the CPU."""
        ...


class TreeForward:
    """Every token of the tree once per candidate; tokens in front of the soft prompt once for all candidates."""

    def __init__(self, lm: LanguageModel, tree: TokenTree, n_virtual: int, *, compiled: bool = False) -> None:
        """Lay out the tree behind ``n_virtual`` virtual tokens; ``compiled`` fuses each layer's element-wise operations."""
        self.lm, self.compiled = lm, compiled
        n_cached = len(tree.before) if n_virtual else 0  # without a soft prompt, nothing of it varies: one pass is all
        front = tree.before[n_cached:]
        n_front = len(front) + n_virtual
        parents = torch.where(tree.parents < 0, n_front - 1, tree.parents + n_front)
        parents = torch.cat([torch.arange(n_front) - 1, parents])
        depth = torch.cat([torch.arange(n_front), tree.depth + n_front])
        device = lm.embeddings.device
        cache = tuple((layer.keys, layer.values) for layer in _layers(lm, tree.before)) if n_cached else ()
        blocks = make_blocks(parents, depth, cache, lm.embeddings.dtype)
        self.arguments = {
            "position_ids": (n_cached + depth)[None].to(device),
            "logits_to_keep": (tree.sources + n_front).to(device),
            "blocks": blocks.to(device),
        }
        self.front, self.nodes = self._embed(front), self._embed(tree.tokens)
        self.rows, self.wanted = tree.reads.to(device).unbind(1)

    @torch.inference_mode()
    def _embed(self, ids: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = self.lm.model.get_input_embeddings()(ids.to(self.lm.embeddings.device))
        return vectors[None]

    @torch.inference_mode()
    def __call__(self, prompts: torch.Tensor) -> torch.Tensor:
        """See :class:`Forward`."""
        n = len(prompts)
        soft = prompts.to(self.nodes.device, self.nodes.dtype)
        inputs = torch.cat([self.front.expand(n, -1, -1), soft, self.nodes.expand(n, -1, -1)], dim=1)
        layers = compiled_layers(self.lm.model) if self.compiled else nullcontext()
        with using_tree_attention(self.lm.model), layers:
            logits = self.lm.model(inputs_embeds=inputs, use_cache=False, **self.arguments).logits
        return _read_off(logits, self.rows, self.wanted)


class PaddedForward:
    """One right-padded sequence per leaf of the tree: slower, but nothing that a causal model could misread."""

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
        device, embed = lm.embeddings.device, lm.model.get_input_embeddings()
        rows, wanted = tree.reads.to(device).unbind(1)
        values = []
        for prompt in prompts:
            front = torch.cat([embed(tree.before.to(device)), prompt.to(device, lm.embeddings.dtype)])
            read = torch.zeros(len(tree.reads), dtype=torch.float64)
            for start, stop in self._chunks(len(prompt)):
                paths, found = self.paths[start:stop], self.found[start:stop]
                ids = torch.zeros(len(paths), len(paths[0]), dtype=torch.long)
                for i, path in enumerate(paths):
                    ids[i, : len(path)] = tree.tokens[path]
                inputs = torch.cat([front.expand(len(paths), -1, -1), embed(ids.to(device))], dim=1)
                columns = sorted({place for here in found for place in here})
                if not columns:
                    continue
                keep = torch.tensor(columns, device=device) + len(front)
                logits = lm.model(inputs_embeds=inputs, logits_to_keep=keep, use_cache=False).logits
                if logits.shape[1] != len(keep):  # a few models take the argument and ignore it
                    logits = logits[:, keep]
                for i, here in enumerate(found):
                    for place, row in here.items():
                        chosen = (rows == row).nonzero().flatten()
                        line = logits[i, columns.index(place)][None, None]
                        read[chosen.cpu()] = _read_off(line, torch.zeros_like(chosen), wanted[chosen])[0]
            values.append(read)
        return torch.stack(values)


def _read_off(logits: torch.Tensor, rows: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Log-probabilities [N, C] of tokens ``wanted`` [C] in ``rows`` [C] of logits [N, R, V].

    The whole vocabulary enters through the normaliser: without it neither the probability that falls on valid options nor
    options of several tokens could be scored.
    """
    logits = logits.float()
    return (logits[:, rows, wanted] - logits.logsumexp(-1)[:, rows]).double().cpu()


@torch.inference_mode()
def _layers(lm: LanguageModel, ids: torch.Tensor) -> list[Any]:
    """What each layer keeps of tokens [B] that it has read."""
    out = lm.model(input_ids=ids[None].to(lm.embeddings.device), use_cache=True, logits_to_keep=1)
    return list(out.past_key_values.layers)


_problems: WeakKeyDictionary[PreTrainedModel, dict[bool, str | None]] = WeakKeyDictionary()
_warned: WeakKeyDictionary[PreTrainedModel, set[str]] = WeakKeyDictionary()


def make_forward(lm: LanguageModel, tree: TokenTree, n_virtual: int, *, compiled: bool = False) -> Forward:
    """The tree's forward pass, or, with a warning, padded sequences where the model can't take the tree."""
    reason = _obstacle(lm, tree, n_virtual)
    if reason is None:
        return TreeForward(lm, tree, n_virtual, compiled=compiled)
    warned = _warned.setdefault(lm.model, set())
    if not warned:
        log.warning("%s: %s; falling back to padded batches, which are several times slower", lm.name, reason)
        warned.add(reason)
    return PaddedForward(lm, tree)


def _obstacle(lm: LanguageModel, tree: TokenTree, n_virtual: int) -> str | None:
    """Why the model can't take the tree; None if it can."""
    config = lm.model.config.get_text_config()
    windows = [getattr(config, "attention_chunk_size", None)]
    if getattr(config, "use_sliding_window", True):
        windows.append(getattr(config, "sliding_window", None))
    longest = tree.longest + n_virtual
    window = min((w for w in windows if w), default=longest)
    if longest > window:
        return f"the survey needs {longest} tokens in sequence, more than the attention window of {window}"
    known = _problems.setdefault(lm.model, {})
    cached = bool(len(tree.before) and n_virtual)
    if cached not in known:
        known[cached] = _probe(lm, cached)
    return known[cached]


def _probe(lm: LanguageModel, cached: bool) -> str | None:
    """Let the model read a small made-up tree both ways: no list of architectures can be complete, their answers can."""
    if not lm.model._supports_attention_backend:
        return "its attention function can't be replaced"
    ids = [i * (len(lm.embeddings) - 1) // 24 for i in range(24)]
    front = tuple(ids[:4]) if cached else ()
    shared = tuple(ids[4:8])
    questions = [
        TokenizedQuestion(front, shared + tuple(ids[i : i + 3]), ((ids[i + 3], ids[i + 1]), (ids[i],)))
        for i in (8, 12, 16)
    ]
    tree = build_tree(questions)
    prompts = lm.embeddings[ids[20:22]][None]
    try:
        states = {type(layer).__name__ for layer in _layers(lm, tree.tokens)} - STATELESS
        if states:  # a recurrence runs on from branch to branch, which half precision may hide
            return f"it carries more than keys and values from token to token ({', '.join(sorted(states))})"
        found = TreeForward(lm, tree, 2)(prompts)
    except Exception as error:  # whatever a model makes of arguments it doesn't know
        return f"its attention can't take blocks ({' '.join(str(error).split())[:200]})"
    difference = float((found - PaddedForward(lm, tree)(prompts)).abs().mean())
    if difference <= (1e-3 if lm.embeddings.dtype == torch.float32 else 0.25):
        return None
    return f"it doesn't follow the tree's mask (log-probabilities differ by {difference:.2g})"
