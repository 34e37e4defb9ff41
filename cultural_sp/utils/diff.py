"""Says in words where two nested dictionaries differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ABSENT = "absent"


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """``key=value there, value here`` for every key that differs, keys of nested dictionaries with dots; empty if none does."""
    old, new = flatten(there), flatten(here)
    keys = [k for k in (new | old) if old.get(k, ABSENT) != new.get(k, ABSENT)]
    return "; ".join(f"{k}={_short(old.get(k, ABSENT))} there, {_short(new.get(k, ABSENT))} here" for k in keys)


def flatten(nested: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested dictionaries under keys with dots."""
    found: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            found |= flatten(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _short(value: object) -> str:
    """A value in a few words; hashes need no more than their start to be told apart."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:12]}..."
