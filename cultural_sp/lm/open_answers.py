"""A frozen model answering open questions in its own words."""

from __future__ import annotations

from collections.abc import Sequence

from cultural_sp.lm.chat_prompt import tokenize
from cultural_sp.lm.generation import generate_text
from cultural_sp.lm.load import LanguageModel
from cultural_sp.survey.render import ChatPrompt
from cultural_sp.types import SoftPrompt


def answer_open_questions(
    lm: LanguageModel, questions: Sequence[str], prompt: SoftPrompt, placement: str, max_new_tokens: int
) -> list[str]:
    """What the model writes to each question behind one soft prompt [P, H], greedily."""
    turns = [ChatPrompt("", question, "", ()) for question in questions]
    tokenized = [tokenize(turn, lm.tokenizer, placement, lm.template_args) for turn in turns]
    return [text.strip() for text in generate_text(lm, tokenized, prompt, max_new_tokens)]
