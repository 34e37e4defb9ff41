"""Open questions to the plain and the aligned model, answered side by side."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator
from itertools import zip_longest

from cultural_sp.config.inference import AskConfig
from cultural_sp.inference.inherit_config import required_prompt_path, result_of
from cultural_sp.lm.generation import answer_open_questions
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.lm.soft_prompt import prompt_for
from cultural_sp.types import SoftPrompt
from cultural_sp.utils.terminal import one_line, show, visible
from cultural_sp.utils.text_files import without_marks

MIN_COLUMN_WIDTH = 24
"""Characters. Texts that would get narrower columns are printed one below the other."""


def ask(config: AskConfig, cache: ModelCache | None = None) -> None:
    """Print the greedy answers of the plain model and of each soft prompt, side by side.

    The question is ``config.question``. If that is empty, questions are read from standard input until an empty line.

    Raises:
        ValueError: if the input is bad.
    """
    cache = ModelCache() if cache is None else cache
    lm = cache.model(config.model, load_model)
    prompts = prompts_from_config(config, lm)
    if config.model.note:
        show(f"model: {config.model.note}")
    given = without_marks(config.question)
    for question in [given] if given.strip() else typed_questions():
        answers = {
            one_line(name): visible(answer_open_questions(lm, [question], prompt, placement, config.max_new_tokens)[0])
            for name, (prompt, placement) in prompts.items()
        }
        show(side_by_side(answers, shutil.get_terminal_size((120, 24)).columns))


def prompts_from_config(config: AskConfig, lm: LanguageModel) -> dict[str, tuple[SoftPrompt, str]]:
    """Load the configured soft prompts.

    Returns:
        Name -> soft prompt [P, H] and its placement. The first entry is the plain model, with P = 0.

    Raises:
        ValueError: if a soft prompt can't be read or is for another model.
    """
    prompts = {"naive": (lm.no_soft_prompt, "prefix")}
    for path in (required_prompt_path(config), *config.beside):
        prompt = prompt_for(lm, path)
        result = result_of(path)
        name = path if result is None else f"{result.region.country} (seed {result.seed})"
        prompts[name if name not in prompts else path] = prompt
    return prompts


def side_by_side(texts: dict[str, str], width: int) -> str:
    """Lay out texts under their titles in columns that fill ``width`` characters.

    Texts stand one below the other if the columns would be narrower than :data:`MIN_COLUMN_WIDTH`.
    """
    column_width = (width - 3 * (len(texts) - 1)) // len(texts)
    if column_width < MIN_COLUMN_WIDTH:
        return "\n\n".join(f"{title}\n{textwrap.fill(text, width)}" for title, text in texts.items()) + "\n"
    columns = [
        [
            *textwrap.wrap(title, column_width),
            "-" * column_width,
            *(line for paragraph in text.splitlines() for line in _wrapped_lines(paragraph, column_width)),
        ]
        for title, text in texts.items()
    ]
    rows = zip_longest(*columns, fillvalue="")
    return "\n".join("   ".join(cell.ljust(column_width) for cell in row).rstrip() for row in rows) + "\n"


def _wrapped_lines(paragraph: str, width: int) -> list[str]:
    """Wrap a paragraph; an empty one is one empty line."""
    return textwrap.wrap(paragraph, width) or [""]


def typed_questions() -> Iterator[str]:
    """Yield lines from standard input until an empty line or the end.

    Raises:
        ValueError: if they aren't UTF-8 text.
    """
    if sys.stdin.isatty():
        show("Type a question. An empty line ends the program.")
    while True:
        try:
            question = without_marks(input("> ")).strip()
            question.encode()
        except EOFError:
            return
        except UnicodeError as error:
            raise ValueError(f"standard input is not UTF-8 text ({error}); save the questions as UTF-8") from error
        if not question:
            return
        yield question
