"""From chat prompts to token ids with a slot for the soft prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from transformers import PreTrainedTokenizerBase

from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.survey.render import ChatPrompt
from cultural_sp.utils.errors import reason_of

SLOT = "\u241fslot\u241f"  # marks the slot in the text; never reaches the model


@dataclass(frozen=True)
class TokenizedPrompt:
    """Token ids of a chat prompt: ``before`` | soft prompt | ``after`` | one of ``options``."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]


def chat_text(
    question: ChatPrompt, tokenizer: PreTrainedTokenizerBase, placement: str, template_args: Mapping[str, Any]
) -> str:
    """Text of the chat prompt up to the start of the answer, with ``SLOT`` in place of the soft prompt.

    Models without a chat template get plain paragraphs. Without a system role in
    the template, the system text opens the user's turn.
    """
    system, user = question.system, question.user
    if placement == "system":
        system = SLOT + system
    elif placement == "user":
        user = SLOT + user
    if tokenizer.chat_template is None:
        text = "\n\n".join(part for part in (system, user) if part) + "\n\n"
    else:
        text = _chat(tokenizer, system, user, template_args)
        if question.user.strip() not in text.replace(SLOT, ""):
            raise ValueError(
                "the model's chat template doesn't show the question; mend it there, or choose another model"
            )
    text += question.lead
    text = SLOT + text if placement == "prefix" else text
    if text.count(SLOT) != 1:
        raise ValueError(
            f"soft_prompt.placement={placement} does not survive this model's chat template, which shows it "
            f"{text.count(SLOT)} times; use soft_prompt.placement=prefix"
        )
    return text


def _chat(tokenizer: PreTrainedTokenizerBase, system: str, user: str, args: Mapping[str, Any]) -> str:
    """Render the turns; if the template refuses or drops the system or the user beside it, its text opens the user's turn."""
    turn = {"role": "user", "content": user}
    if system:
        try:
            text = _template(tokenizer, [{"role": "system", "content": system}, turn], args)
        except Exception:  # a template is a program
            text = ""
        if system.strip() in text and user.strip() in text:
            return text
        turn = {"role": "user", "content": f"{system}\n\n{user}"}
    try:
        return _template(tokenizer, [turn], args)
    except Exception as error:  # a template is a program
        raise ValueError(
            f"the model's chat template fails ({reason_of(error)}); mend it in the model's folder, check "
            "model.chat_template_args, or choose another model"
        ) from error


def _template(tokenizer: PreTrainedTokenizerBase, turns: list[dict[str, str]], args: Mapping[str, Any]) -> str:
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **args))


def tokenize(
    question: ChatPrompt, tokenizer: PreTrainedTokenizerBase, placement: str, template_args: Mapping[str, Any]
) -> TokenizedPrompt:
    """Token ids of a chat prompt and of each of its options.

    The tokens of an option follow the longest start that all options share with the bare prompt. So options are told apart
    correctly even if the tokenizer merges characters across the border.
    """
    text = chat_text(question, tokenizer, placement, template_args)
    front, _, back = text.partition(SLOT)

    texts = [front, back, *(back + option for option in question.options)]
    before, bare, *options = tokenizer(texts, add_special_tokens=False)["input_ids"]
    stem = list(bare)
    if tokenizer.chat_template is None and tokenizer.bos_token_id is not None:
        (stem if placement == "prefix" else before).insert(0, tokenizer.bos_token_id)
    full = [stem[: len(stem) - len(bare)] + ids for ids in options]
    shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(stem, *full, strict=False)))
    tails = tuple(tuple(tokens[shared:]) for tokens in full)
    return TokenizedPrompt(before=tuple(before), after=tuple(stem[:shared]), options=tails)


def tokenize_for(lm: LanguageModel, prompt: ChatPrompt, placement: str) -> TokenizedPrompt:
    """Return the token ids of a chat prompt for a model; see :func:`tokenize`.

    Raises:
        ValueError: if the model has no embedding for one of them.
    """
    tokens = tokenize(prompt, lm.tokenizer, placement, lm.template_args)
    lm.check_id(max((i for part in (tokens.before, tokens.after, *tokens.options) for i in part), default=0))
    return tokens
