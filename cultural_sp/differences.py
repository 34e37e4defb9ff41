"""Says in words where two nested dictionaries differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ABSENT = "absent"


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """``key=value there, value here`` for every key that differs, keys of nested dictionaries with dots; empty if none does."""
    old, new = _flat(there), _flat(here)
    keys = [k for k in (new | old) if old.get(k, ABSENT) != new.get(k, ABSENT)]
    return "; ".join(f"{k}={_short(old.get(k, ABSENT))} there, {_short(new.get(k, ABSENT))} here" for k in keys)


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _short(value: object) -> str:
    """A value in a few words; hashes need no more than their start to be told apart."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:12]}..."
