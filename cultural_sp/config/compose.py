"""From a composed Hydra config to typed, checked objects."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from omegaconf import OmegaConf

from cultural_sp.config.schema import GROUPS

Schema = TypeVar("Schema")


def build(config: Any, schema: type[Schema]) -> Schema:
    """Typed, checked object of a composed Hydra config, such as :class:`AlignConfig`.

    Raises:
        ValueError: if a key is unknown or a value out of range; OmegaConf's own errors for types and missing values.
    """
    _no_unknown_keys(config, schema)
    built = OmegaConf.to_object(config)
    assert isinstance(built, schema)
    return built


def _no_unknown_keys(config: Any, schema: Any, prefix: str = "") -> None:
    """Refuse keys that ``+key=value`` added: nothing would read them."""
    allowed = [f.name for f in fields(schema)]
    for key in config:
        if key not in allowed:
            raise ValueError(f"unknown key {prefix}{key}; allowed: {', '.join(allowed)}")
        if not prefix and key in GROUPS and config[key] is not None:
            _no_unknown_keys(config[key], GROUPS[key], f"{key}.")
