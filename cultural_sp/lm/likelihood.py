"""Likelihood of given text behind a soft prompt."""

from __future__ import annotations

from dataclasses import replace

import torch

from cultural_sp.lm.chat_prompt import TokenizedPrompt
from cultural_sp.lm.generation import input_embeddings
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.types import Array, SoftPrompt


@torch.inference_mode()
def token_losses(lm: LanguageModel, text: str, prompt: SoftPrompt) -> Array:
    """Negative log-likelihood [T - 1], in nats, of every token of a text except the first, which has no context.

    The soft prompt [P, H] stands before everything, begin-of-text token included, whatever its placement in a chat.
    """
    ids = list(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
    start = [] if lm.tokenizer.bos_token_id is None else [lm.tokenizer.bos_token_id]
    shown = TokenizedPrompt((), (*start, *ids), ())
    log_probs = _log_probs(lm, shown, prompt, len(ids))[:-1]
    losses: Array = -log_probs[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].numpy()
    return losses


@torch.inference_mode()
def divergence(
    lm: LanguageModel, question: TokenizedPrompt, text: str, prompt: SoftPrompt, placement_free: TokenizedPrompt
) -> float:
    """Mean over positions of KL(plain || prompted), in nats a token, along a text that follows a question.

    Args:
        lm: the frozen model.
        question: chat prompt with the slot for the soft prompt.
        text: text that the plain model generated.
        prompt: soft prompt [P, H].
        placement_free: the same chat prompt without a slot, for the plain model.
    """
    ids = tuple(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
    plain, prompted = (
        _log_probs(lm, replace(shown, after=(*shown.after, *ids)), soft, len(ids) + 1)
        for shown, soft in ((placement_free, prompt[:0]), (question, prompt))
    )
    return float((plain.exp() * (plain - prompted)).sum(-1).mean())


def _log_probs(lm: LanguageModel, shown: TokenizedPrompt, prompt: SoftPrompt, last: int) -> torch.Tensor:
    """Log-probabilities [last, V] behind each of the last tokens."""
    inputs = input_embeddings(lm, shown, prompt)[None]
    logits = lm.model(inputs_embeds=inputs, logits_to_keep=last, use_cache=False).logits[0, -last:]
    found: torch.Tensor = logits.double().log_softmax(-1).cpu()
    return found
