"""What an error of a library says, as a part of a message of ours."""

from __future__ import annotations


def reason_of(error: BaseException, longest: int | None = None) -> str:
    """The error's text in one line, cut off after ``longest`` characters."""
    return " ".join(str(error).split())[:longest]
