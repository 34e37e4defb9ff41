"""Differences between two nested dictionaries, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ABSENT = "absent"
MAX_VALUE_LENGTH = 60
"""Characters; longer values are hashes or texts, whose beginning tells them apart."""


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Return ``key=value there, value here`` for every key that differs; empty if none does. Nested keys have dots."""
    old, new = flatten(there), flatten(here)
    keys = [k for k in (new | old) if old.get(k, ABSENT) != new.get(k, ABSENT)]
    return "; ".join(f"{k}={_short(old.get(k, ABSENT))} there, {_short(new.get(k, ABSENT))} here" for k in keys)


def flatten(nested: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested dictionaries under keys with dots."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[:12]}..."
