"""Checks of config values. Their errors name the key, the value and what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from datetime import date


def check_one_of(key: str, value: str, allowed: Collection[str]) -> None:
    """Raise a ValueError if ``value`` isn't one of the ``allowed`` values."""
    if value not in allowed:
        raise ValueError(f"{key}={value!r} is not allowed; choose one of: {', '.join(allowed)}")


def check_in_range(key: str, value: float, low: float, high: float = float("inf")) -> None:
    """Raise a ValueError if ``value`` isn't a finite number from ``low`` to ``high``."""
    if not (low <= value <= high and math.isfinite(value)):
        bound = f"at least {low}" if high == float("inf") else f"from {low} to {high}"
        raise ValueError(f"{key}={value} is out of range; give a number {bound}")


def check_date(key: str, value: str) -> None:
    """Raise a ValueError if ``value`` isn't a date written as year-month-day."""
    try:
        if date.fromisoformat(value).isoformat() == value:
            return
    except ValueError:
        pass
    raise ValueError(f"{key}={value!r} is no date; give one as year-month-day, such as 2024-07-26")


def check_above_zero(key: str, value: float) -> None:
    """Raise a ValueError if ``value`` isn't a finite number above 0."""
    if not 0 < value < math.inf:
        raise ValueError(f"{key}={value} is out of range; give a number above 0")


def check_plain_name(key: str, *values: str | None) -> None:
    """Raise a ValueError if one of the values can't be the name of a single folder; None is allowed."""
    for value in values:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
            raise ValueError(
                f"{key}={value!r} is not allowed; use at most 100 letters, digits, '.', '_' and '-', a letter or digit first"
            )


def check_region_name(key: str, *values: str) -> None:
    """Raise a ValueError if one of the values can't be the code or the name of a region. A code becomes a folder's name."""
    for value in values:
        if not re.fullmatch(r"[^\W_][\w .,'’()&-]{0,99}", value):
            raise ValueError(
                f"{key}={value!r} is not allowed; write an ISO code or a country's English name, of at most 100 letters, digits "
                "and signs of punctuation, a letter or digit first"
            )
