"""Plain words on a command line of overrides: a question, or the name of a model."""

from __future__ import annotations

from collections.abc import Sequence


def split_words(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the flags and overrides among the arguments, and the other words."""
    from hydra._internal.utils import get_args_parser

    with_value = [
        name for action in get_args_parser()._actions if action.nargs is None for name in action.option_strings
    ]
    overrides: list[str] = []
    words: list[str] = []
    for previous, argument in zip(["", *arguments], arguments, strict=False):
        key, is_override, _ = argument.partition("=")
        is_flag = argument.startswith(("-", "~")) or previous in with_value
        (overrides if is_flag or (is_override and " " not in key) else words).append(argument)
    return overrides, words


def quoted(text: str) -> str:
    """Return a text as a value of an override."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
