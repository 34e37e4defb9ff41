"""Numbers that users write."""

from __future__ import annotations

import math
import re
import reprlib
from typing import Any

PLAIN = re.compile(r" *[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)? *")


def number(value: Any, where: str) -> float:
    """Return a finite number, given as a number or as text in plain digits such as 3, -0.5 or 5e-05.

    ``float()`` also takes digits of other scripts, spaces of every kind, 1_000, nan and true.

    Args:
        value: the number or its text.
        where: file and place of the value, for the message.

    Raises:
        ValueError: for anything else.
    """
    plain = PLAIN.fullmatch(value) if isinstance(value, str) else type(value) in (int, float)
    try:
        parsed = float(value) if plain else math.nan
    except OverflowError:
        parsed = math.inf
    if not math.isfinite(parsed):
        raise ValueError(
            f"{where}: {reprlib.repr(value)} is no plain number; write a finite one in the digits 0 to 9 with a decimal point, "
            "such as 3 or -0.5"
        )
    return parsed
