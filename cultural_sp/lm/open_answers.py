"""A frozen model answering open questions in its own words."""

from __future__ import annotations

from collections.abc import Sequence

from cultural_sp.lm.chat_prompt import tokenize
from cultural_sp.lm.generation import write
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.soft_prompt import Prompt
from cultural_sp.survey.render import Question


def answers(
    lm: LanguageModel, questions: Sequence[str], prompt: Prompt, placement: str, max_new_tokens: int
) -> list[str]:
    """What the model writes to each question behind one soft prompt [P, H], greedily."""
    turns = [Question("", question, "", ()) for question in questions]
    tokenized = [tokenize(turn, lm.tokenizer, placement, lm.template_args) for turn in turns]
    return [text.strip() for text in write(lm, tokenized, prompt, max_new_tokens)]
