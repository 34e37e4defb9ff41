"""Text in the terminal. What comes from a file or a model can't steer the terminal, or reorder what a reader sees."""

from __future__ import annotations

import re
import sys

STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for tabs and line breaks: escape sequences start with one
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"  # line breaks that aren't one, directions, invisible characters
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"  # and what is no character
)


def visible(text: str) -> str:
    r"""Return a text in which such characters are written out, as in ``\x1b``; letters of all languages stay as they are."""
    return STEERING.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str) -> str:
    """Return a text as :func:`visible` does, with spaces instead of line breaks and tabs."""
    return visible(re.sub(r"[\n\t]", " ", text))


def show(text: str, *, error: bool = False) -> None:
    """Print a text so that it is seen at once, and every character of it is visible.

    Args:
        text: one line or several.
        error: print it on the standard error stream, as one line.
    """
    print(one_line(text) if error else visible(text), file=sys.stderr if error else sys.stdout, flush=True)
