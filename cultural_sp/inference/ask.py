"""Open questions: what the plain and the aligned model write, side by side."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator
from itertools import zip_longest

import numpy as np

from cultural_sp.config.inference import AskConfig
from cultural_sp.inference.inherit_config import required_prompt_path, result_of
from cultural_sp.lm.load import LanguageModel, load_model
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.lm.open_answers import answer_open_questions
from cultural_sp.lm.soft_prompt import prompt_for
from cultural_sp.types import SoftPrompt

NARROW = 24  # columns of fewer characters are shown one below the other


def ask(config: AskConfig, shared: ModelCache | None = None) -> None:
    """Print what the model answers without and with each soft prompt, greedily; without a question, to all that are typed in.

    Raises:
        ValueError: in one line, for bad input.
    """
    shared = ModelCache() if shared is None else shared
    lm = shared.model(config.model, load_model)
    prompts = open_prompts(config, lm)
    if config.model.note:
        print(f"model: {config.model.note}")
    for question in [config.question] if config.question.strip() else _typed():
        found = {
            name: answer_open_questions(lm, [question], prompt, placement, config.max_new_tokens)[0]
            for name, (prompt, placement) in prompts.items()
        }
        print(side_by_side(found, shutil.get_terminal_size((120, 24)).columns), flush=True)


def open_prompts(config: AskConfig, lm: LanguageModel) -> dict[str, tuple[SoftPrompt, str]]:
    """Name -> soft prompt [P, H] and its placement, the plain model's [0, H] first.

    Raises:
        ValueError: in one line, if one can't be read or is for another model.
    """
    found = {"naive": (np.zeros((0, lm.hidden_size), dtype=np.float32), "prefix")}
    for path in (required_prompt_path(config), *config.beside):
        prompt = prompt_for(lm, path)
        result = result_of(path)
        name = path if result is None else f"{result.region['country']} (seed {result.seed})"
        found[name if name not in found else path] = prompt
    return found


def side_by_side(texts: dict[str, str], width: int) -> str:
    """Texts under their titles in columns that fill ``width`` characters, or one below the other where that's too narrow."""
    share = (width - 3 * (len(texts) - 1)) // len(texts)
    if share < NARROW:
        return "\n\n".join(f"{title}\n{textwrap.fill(text, width)}" for title, text in texts.items()) + "\n"
    columns = [
        [
            *textwrap.wrap(title, share),
            "-" * share,
            *(line for part in text.splitlines() for line in _wrapped(part, share)),
        ]
        for title, text in texts.items()
    ]
    rows = zip_longest(*columns, fillvalue="")
    return "\n".join("   ".join(cell.ljust(share) for cell in row).rstrip() for row in rows) + "\n"


def _wrapped(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, width) or [""]


def _typed() -> Iterator[str]:
    if sys.stdin.isatty():
        print("ask anything; an empty line ends it")
    while True:
        try:
            question = input("> ").strip()
        except EOFError:
            return
        if not question:
            return
        yield question
