"""Choice of the forward pass: the token tree, if a test shows that the model reads it correctly."""

from __future__ import annotations

import logging
from weakref import WeakKeyDictionary

from accelerate.utils.memory import should_reduce_batch_size
from transformers import PreTrainedModel

from cultural_sp.lm.chat_prompt import TokenizedPrompt
from cultural_sp.lm.forward import Forward, PaddedForward, TreeForward, cache_layers
from cultural_sp.lm.language_model import LanguageModel, tolerance
from cultural_sp.lm.token_tree import TokenTree, build_tree
from cultural_sp.utils.errors import reason_of

log = logging.getLogger(__name__)
STATELESS = {"DynamicLayer", "DynamicSlidingWindowLayer", "DummyLayer"}
"""Cache layers that hold only keys and values, or nothing."""
_problems: WeakKeyDictionary[PreTrainedModel, dict[bool, str | None]] = WeakKeyDictionary()
_warned: WeakKeyDictionary[PreTrainedModel, set[str]] = WeakKeyDictionary()


def make_forward(lm: LanguageModel, tree: TokenTree, n_virtual: int, *, compiled: bool = False) -> Forward:
    """Return the forward pass over the tree, or padded sequences, with a warning, if the model can't take the tree."""
    reason = _obstacle(lm, tree, n_virtual)
    if reason is None:
        return TreeForward(lm, tree, n_virtual, compiled=compiled)
    warned = _warned.setdefault(lm.model, set())
    if not warned:
        log.warning("%s: %s; falling back to padded batches, which are several times slower", lm.name, reason)
        warned.add(reason)
    return PaddedForward(lm, tree)


def _obstacle(lm: LanguageModel, tree: TokenTree, n_virtual: int) -> str | None:
    """Reason why the model can't take the tree; None if it can.

    Raises:
        ValueError: if no model of this kind could take so many tokens.
    """
    config = lm.model.config.get_text_config()
    windows = [getattr(config, "attention_chunk_size", None)]
    if getattr(config, "use_sliding_window", True):
        windows.append(getattr(config, "sliding_window", None))
    longest = tree.longest + n_virtual
    places = getattr(config, "max_position_embeddings", None) or longest
    if longest > places:
        raise ValueError(
            f"the survey needs {longest} tokens in sequence, {lm.name} takes {places}; use fewer virtual tokens, a shorter "
            "persona or another model"
        )
    window = min((w for w in windows if w), default=longest)
    if longest > window:
        return f"the survey needs {longest} tokens in sequence, more than the attention window of {window}"
    return tree_obstacle(lm, cached=bool(len(tree.before) and n_virtual))


def tree_obstacle(lm: LanguageModel, *, cached: bool = False) -> str | None:
    """Return the reason why a model can't take token trees; None if it can.

    Compares both forward passes on a small made-up tree: no list of architectures can be complete.

    Args:
        lm: the frozen model.
        cached: with keys and values of tokens in front of the soft prompt, which are computed once.

    Raises:
        ValueError: if the model's output is NaN.
    """
    known = _problems.setdefault(lm.model, {})
    if cached not in known:
        known[cached] = _probe(lm, cached)
    return known[cached]


def _probe(lm: LanguageModel, cached: bool) -> str | None:
    if not lm.model._supports_attention_backend:
        return "its attention function can't be replaced"
    ids = [i * (len(lm.embeddings) - 1) // 24 for i in range(24)]
    front = tuple(ids[:4]) if cached else ()
    shared = tuple(ids[4:8])
    questions = [
        TokenizedPrompt(front, shared + tuple(ids[i : i + 3]), ((ids[i + 3], ids[i + 1]), (ids[i],)))
        for i in (8, 12, 16)
    ]
    tree = build_tree(questions)
    prompts = lm.embeddings[ids[20:22]][None]
    try:
        states = {type(layer).__name__ for layer in cache_layers(lm, tree.tokens)} - STATELESS
        if states:  # a recurrent state would run on from branch to branch, which half precision may hide
            return f"it carries more than keys and values from token to token ({', '.join(sorted(states))})"
        found = TreeForward(lm, tree, 2)(prompts)
    except Exception as error:  # any error that a model raises for unknown arguments
        if should_reduce_batch_size(error):  # out of memory says nothing about the model
            raise
        return f"its attention can't take blocks ({reason_of(error)})"
    plain = PaddedForward(lm, tree)(prompts)
    if plain.isnan().any():
        raise ValueError(
            f"{lm.name} gives no numbers; its weights are damaged, or its numbers too large for this model.dtype: check the "
            "files, and try model.dtype=float32"
        )
    difference = float((found - plain).abs().mean())
    if difference <= tolerance(lm):
        return None
    return f"it doesn't follow the tree's mask (log-probabilities differ by {difference:.2g})"
