"""Questions with a soft prompt as input embeddings, the format in which vLLM takes virtual tokens."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import torch

from cultural_sp.lm.chat_prompt import tokenize_for
from cultural_sp.lm.generation import input_embeddings
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.survey.render import ChatPrompt
from cultural_sp.types import SoftPrompt


def prompt_embeds(
    lm: LanguageModel, question: str, prompt: SoftPrompt, placement: str = "prefix", system: str = ""
) -> torch.Tensor:
    """Return the input embeddings [T, H] of a chat with one user turn and a soft prompt.

    The tensor is on the CPU and has the model's dtype, as vLLM requires of ``prompt_embeds``. Every placement works.

    Args:
        lm: the model; only its embeddings and its tokenizer are used.
        question: the user turn.
        prompt: soft prompt [P, H]; P = 0 is the plain model.
        placement: position of the soft prompt in the chat.
        system: system message; empty for none.
    """
    tokenized = tokenize_for(lm, ChatPrompt(system, question, "", ()), placement)
    return input_embeddings(lm, tokenized, prompt).cpu().contiguous()


def encoded(embeds: torch.Tensor) -> str:
    """Encode a tensor for a request to vLLM's server: the bytes of ``torch.save`` in base64."""
    buffer = io.BytesIO()
    torch.save(embeds, buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def read_questions(source: list[str] | str) -> list[str]:
    """Return the questions of a list, or of a text file with one question a line; empty ones are left out.

    Raises:
        ValueError: if there is no question or the file can't be read.
    """
    lines = source
    if isinstance(lines, str):
        try:
            lines = Path(lines).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"questions={source} can't be read ({error}); give a list or a UTF-8 text file") from error
    questions = [line.strip() for line in lines if line.strip()]
    if not questions:
        raise ValueError("questions= holds no question; give at least one")
    return questions
