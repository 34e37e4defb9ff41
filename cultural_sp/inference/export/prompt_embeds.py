"""Questions behind a soft prompt as input embeddings, which is how vLLM takes virtual tokens."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import torch

from cultural_sp.lm.chat_prompt import tokenize
from cultural_sp.lm.generation import input_embeddings
from cultural_sp.lm.load import LanguageModel
from cultural_sp.survey.render import ChatPrompt
from cultural_sp.types import SoftPrompt


def prompt_embeds(
    lm: LanguageModel, question: str, prompt: SoftPrompt, placement: str = "prefix", system: str = ""
) -> torch.Tensor:
    """Input embeddings [T, H] of a user's turn with its chat template around a soft prompt [P, H].

    On the CPU and of the model's type, as vLLM wants ``prompt_embeds``. Any placement can be expressed.

    Args:
        lm: the model; only its embeddings and its tokenizer are used.
        question: the user's turn.
        prompt: P = 0 is the plain model.
        placement: where the soft prompt goes.
        system: system message; empty for none.
    """
    tokenized = tokenize(ChatPrompt(system, question, "", ()), lm.tokenizer, placement, lm.template_args)
    return input_embeddings(lm, tokenized, prompt).cpu().contiguous()


def encoded(embeds: torch.Tensor) -> str:
    """The tensor as vLLM's server takes it in a request: what ``torch.save`` writes, in base64."""
    buffer = io.BytesIO()
    torch.save(embeds, buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def read_questions(given: list[str] | str) -> list[str]:
    """The questions of a list, or the lines of a text file that aren't empty.

    Raises:
        ValueError: in one line, if there is none or the file can't be read.
    """
    if isinstance(given, str):
        try:
            given = Path(given).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"questions={given} can't be read ({error}); give a list or a UTF-8 text file") from error
    questions = [line.strip() for line in given if line.strip()]
    if not questions:
        raise ValueError("questions= holds no question; give at least one")
    return questions
