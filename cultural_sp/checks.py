"""Checks of config values: one line that names the key, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Collection


def one_of(key: str, value: str, allowed: Collection[str]) -> None:
    """Raise a ValueError that names ``key``, ``value`` and the choices if the value is none of them."""
    if value not in allowed:
        raise ValueError(f"{key}={value!r} is not allowed; choose one of: {', '.join(allowed)}")


def check_in_range(key: str, value: float, low: float, high: float = float("inf")) -> None:
    """Raise a ValueError that names ``key``, ``value`` and the legal range if the value lies outside it."""
    if not low <= value <= high:
        bound = f"at least {low}" if high == float("inf") else f"from {low} to {high}"
        raise ValueError(f"{key}={value} is out of range; give a number {bound}")
