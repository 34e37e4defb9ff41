"""The text of a library's error, to be quoted in a message."""

from __future__ import annotations


def reason_of(error: BaseException, max_length: int | None = None) -> str:
    """Return the error's text without line breaks, cut off after ``max_length`` characters."""
    return " ".join(str(error).split())[:max_length]
