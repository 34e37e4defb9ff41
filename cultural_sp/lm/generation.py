"""Text generation behind a soft prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import GenerationConfig

from cultural_sp.lm.chat_prompt import TokenizedPrompt, tokenize_for
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.survey.render import ChatPrompt
from cultural_sp.types import SoftPrompt


@torch.inference_mode()
def generate_text(
    lm: LanguageModel,
    questions: Sequence[TokenizedPrompt],
    prompt: NDArray[np.float32],
    max_new_tokens: int,
    temperature: float = 0.0,
) -> list[str]:
    """Generate text for each chat prompt, without special tokens. Prompts share one batch if the model masks padding.

    Args:
        lm: the frozen model.
        questions: Q tokenized chat prompts; their options are ignored.
        prompt: one soft prompt [P, H]; P = 0 is the plain model.
        max_new_tokens: length at which the text is cut off.
        temperature: 0 is greedy; otherwise it draws from torch's global generator.
    """
    if len(questions) > 1 and not lm.checks.padding_is_masked:
        return [text for q in questions for text in generate_text(lm, [q], prompt, max_new_tokens, temperature)]
    rows = [input_embeddings(lm, question, prompt) for question in questions]
    length = max(len(row) for row in rows)
    padded = torch.zeros(len(rows), length, lm.hidden_size, dtype=rows[0].dtype, device=rows[0].device)
    mask = torch.zeros(len(rows), length, dtype=torch.long, device=rows[0].device)
    for i, row in enumerate(rows):
        padded[i, length - len(row) :] = row
        mask[i, length - len(row) :] = 1
    sampling = {} if temperature == 0 else {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    settings = GenerationConfig(  # not the model folder's own settings, which may truncate or penalise samples
        max_new_tokens=max_new_tokens,
        eos_token_id=lm.model.generation_config.eos_token_id,
        pad_token_id=lm.tokenizer.pad_token_id or lm.tokenizer.eos_token_id or 0,
        **sampling,
    )
    if lm.checks.generates_from_embeddings:
        written = lm.model.generate(inputs_embeds=padded, attention_mask=mask, generation_config=settings)
    else:
        ids = torch.full(mask.shape, settings.pad_token_id, device=mask.device)
        for i, question in enumerate(questions):
            ids[i, length - len(rows[i]) :] = torch.tensor(
                [*question.before, *[settings.pad_token_id] * len(prompt), *question.after]
            )
        with _first_input(lm, padded):
            written = lm.model.generate(ids, attention_mask=mask, generation_config=settings)[:, length:]
    texts: list[str] = lm.tokenizer.batch_decode(written, skip_special_tokens=True)
    return texts


@contextmanager
def _first_input(lm: LanguageModel, embeddings: torch.Tensor) -> Iterator[None]:
    """Put embeddings [B, T, H] in place of those of the next ids [B, T]: some models only generate from ids."""
    replaced = False

    def replace(_module: torch.nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor | None:
        nonlocal replaced
        if replaced or output.shape != embeddings.shape:
            return None
        replaced = True
        return embeddings.to(output) / lm.checks.embedding_factor  # by which the model multiplies them next

    hook = lm.model.get_input_embeddings().register_forward_hook(replace)
    try:
        yield
    finally:
        hook.remove()
    if not replaced:
        raise ValueError("the model doesn't read its prompt in one pass")


@torch.no_grad()
def input_embeddings(lm: LanguageModel, question: TokenizedPrompt, prompt: NDArray[np.float32]) -> torch.Tensor:
    """Input embeddings [T, H] of a chat prompt around one soft prompt [P, H], in the model's dtype and on its device."""
    before, after = (
        lm.token_embeddings(torch.tensor(ids, dtype=torch.long)) for ids in (question.before, question.after)
    )
    return torch.cat([before, torch.from_numpy(prompt).to(before), after])


def answer_open_questions(
    lm: LanguageModel, questions: Sequence[str], prompt: SoftPrompt, placement: str, max_new_tokens: int
) -> list[str]:
    """Greedy answers of the model to open questions behind one soft prompt [P, H], where ``placement`` puts it."""
    turns = [ChatPrompt("", question, "", ()) for question in questions]
    tokenized = [tokenize_for(lm, turn, placement) for turn in turns]
    return [text.strip() for text in generate_text(lm, tokenized, prompt, max_new_tokens)]
