"""Option log-probabilities of any list of chat prompts under many soft prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cultural_sp.lm.batching import Batching
from cultural_sp.lm.chat_prompt import tokenize_for
from cultural_sp.lm.forward_selection import make_forward
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.token_tree import TokenTree, build_trees, option_log_probs
from cultural_sp.survey.render import ChatPrompt

CHUNK = 256  # chat prompts per tree: bounds the memory of the read rows


def score_options(
    lm: LanguageModel,
    questions: Sequence[ChatPrompt],
    prompts: NDArray[np.float32],
    placement: str,
    batching: Batching,
    advance: Callable[[int], object],
) -> NDArray[np.float64]:
    """Log-probabilities [N, Q, O] of the options of every chat prompt; all prompts have the same number of options.

    Args:
        lm: the frozen model.
        questions: Q rendered prompts.
        prompts: soft prompts [N, P, H]; P = 0 is the plain model.
        placement: where the soft prompt goes.
        batching: how candidates share forward passes.
        advance: called with the number of prompts done, after every chunk.
    """
    n_virtual = prompts.shape[1]
    parts = []
    for size, trees in _packed(lm, questions, placement, batching):
        for tree in trees:
            forward = make_forward(lm, tree, n_virtual)
            values = batching.run(forward, torch.from_numpy(prompts), n_virtual + tree.n_nodes, len(tree.sources))
            parts.append(option_log_probs(tree, values).numpy())
        advance(size)
    return np.concatenate(parts, axis=1)


def count_tokens(lm: LanguageModel, questions: Sequence[ChatPrompt], batching: Batching) -> int:
    """Number of tokens that :func:`score_options` computes for one candidate, without its soft prompt."""
    packed = _packed(lm, questions, "prefix", batching)
    return sum(len(tree.before) + tree.n_nodes for _, trees in packed for tree in trees)


def _packed(
    lm: LanguageModel, questions: Sequence[ChatPrompt], placement: str, batching: Batching
) -> Iterator[tuple[int, list[TokenTree]]]:
    """Yield the number of prompts and the trees of every chunk."""
    for first in range(0, len(questions), CHUNK):
        chunk = [tokenize_for(lm, q, placement) for q in questions[first : first + CHUNK]]
        yield len(chunk), build_trees(chunk, batching.max_nodes)
