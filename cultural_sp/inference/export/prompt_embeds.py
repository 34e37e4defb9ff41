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
from cultural_sp.utils.text_files import read_text, without_marks

README = "README.md"
SCALED_BY_VLLM = {"gemma": "embed_scale", "gemma2": "embed_scale", "falcon_h1": "embedding_multiplier"}
"""Model types for which vLLM multiplies given embeddings, and transformers only those that it looks up: name of the factor."""


def prompt_embeds(
    lm: LanguageModel, question: str, prompt: SoftPrompt, placement: str = "prefix", system: str = ""
) -> torch.Tensor:
    """Return the input embeddings [T, H] of a chat with one user turn and a soft prompt.

    The tensor is on the CPU and has the model's dtype, as vLLM requires of ``prompt_embeds``. Every placement works. It lacks
    the factor :func:`scale_in_vllm`.

    Args:
        lm: the model; only its embeddings and its tokenizer are used.
        question: the user turn.
        prompt: soft prompt [P, H]; P = 0 is the plain model.
        placement: position of the soft prompt in the chat.
        system: system message; empty for none.
    """
    tokenized = tokenize_for(lm, ChatPrompt(system, question, "", ()), placement)
    scale = scale_in_vllm(lm)
    if scale == 1:
        rows = input_embeddings(lm, tokenized, prompt)
    else:
        table, dtype = lm.embeddings.detach().float(), lm.embeddings.dtype
        # Of both kinds exactly the table: undoing its product would round twice.
        text = table * (_factor(lm, "embed_scale") * lm.checks.embedding_factor / scale)
        before, after = (text[list(ids)] for ids in (tokenized.before, tokenized.after))
        rows = torch.cat([before, torch.from_numpy(prompt).to(table.device) / scale, after]).to(dtype)
    return rows.cpu().contiguous()


def scale_in_vllm(lm: LanguageModel) -> float:
    """Return the factor by which vLLM multiplies given embeddings and transformers doesn't; 1 for most models."""
    name = SCALED_BY_VLLM.get(lm.model.config.get_text_config().model_type)
    return 1.0 if name is None else _factor(lm, name)


def _factor(lm: LanguageModel, name: str) -> float:
    """A factor of the model's embeddings, rounded to the model's dtype as both programs round it; 1 if it has none."""
    config = lm.model.config.get_text_config()
    value = getattr(lm.model.get_input_embeddings(), name, getattr(config, name, 1.0))
    return float(torch.as_tensor(value).to(lm.embeddings.dtype))


def readme(lm: LanguageModel, placement: str) -> str:
    """Return a text about the exported files: which model they are for, and what their numbers are."""
    scale, dtype = scale_in_vllm(lm), str(lm.embeddings.dtype).removeprefix("torch.")
    numbers = "The rows are what the first layer sees, in vLLM and in transformers."
    if scale != 1:
        numbers = (
            f"vLLM multiplies the rows of this kind of model ({lm.model.config.get_text_config().model_type}) by {scale:g} "
            f"before the first layer, so they are written without this factor. In transformers, multiply them by {scale:g} first."
        )
    return (
        f"# Input embeddings for vLLM\n\nModel: `{lm.identity}`, type `{dtype}`. Placement of the soft prompt: `{placement}`.\n\n"
        f"`prompt_embeds.pt` holds a list of tensors [T, {lm.hidden_size}], one per question; `requests.jsonl` holds each "
        f"question with its tensor in base64. {numbers}\n"
    )


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
            lines = read_text(Path(lines).expanduser()).splitlines()
        except (OSError, ValueError) as error:
            raise ValueError(f"questions={source} can't be read ({error}); give a list or a UTF-8 text file") from error
    questions = [question for line in lines if (question := without_marks(line).strip())]
    if not questions:
        raise ValueError("questions= holds no question; give at least one")
    return questions
