"""The text of a library's error, to be quoted in a message."""

from __future__ import annotations

MAX_LENGTH = 600


def reason_of(error: BaseException) -> str:
    """Return the error's text without line breaks, as :func:`shortened` gives it."""
    return shortened(" ".join(str(error).split()))


def shortened(text: str) -> str:
    """Return a text of at most :data:`MAX_LENGTH` characters.

    A longer one loses its middle: libraries put what is wrong first and the advice last.
    """
    if len(text) <= MAX_LENGTH:
        return text
    gap = " [...] "
    start = MAX_LENGTH // 3
    return text[:start] + gap + text[len(text) - (MAX_LENGTH - start - len(gap)) :]
