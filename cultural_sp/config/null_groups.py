"""Groups without an option: keys below them, which Hydra answers with an assertion, and groups that are set to null."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException

from cultural_sp.config.compose import OTHER_GROUPS, group_options
from cultural_sp.config.schema import GROUPS

BELOW_NULL = ("Unexpected type", "'NoneType' object has no attribute", "Could not delete from config")
"""First words of what Hydra raises for a key below null; none of them names the key."""
SET_TO_NULL = "Config group override must be a string or a list. Got NoneType"


@contextmanager
def null_group_errors(overrides: Sequence[str], root: type) -> Iterator[None]:
    """Turn the errors of Hydra's composition about a group without an option into one that names the override and the options.

    Args:
        overrides: the overrides of the command line.
        root: schema of the program's config.

    Raises:
        ValueError: if the block composes a config with such an override.
    """
    try:
        yield
    except (AssertionError, AttributeError, ValueError, HydraException) as error:
        message = _message(str(error), overrides, root)
        if message is None:
            raise
        raise ValueError(message) from error


def _message(text: str, overrides: Sequence[str], root: type) -> str | None:
    if not text.startswith((*BELOW_NULL, SET_TO_NULL)):
        return None
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    if text.startswith(SET_TO_NULL):
        return next((_set_to_null(o) for o in parsed if o.key_or_group in (*GROUPS, *OTHER_GROUPS) and _null(o)), None)
    below = [o for o in parsed if "." in o.key_or_group or isinstance(o.value(), dict)]
    chosen = {o.key_or_group for o in parsed if o not in below and not o.is_delete()}
    without = _optional_groups(root) - chosen
    return next((_below_null(o) for o in below if o.key_or_group.partition(".")[0] in without), None)


def _null(override: Override) -> bool:
    value = override.value()
    return None in value.list if isinstance(value, ChoiceSweep) else value is None


def _optional_groups(root: type) -> set[str]:
    """Names of the groups that a program may have none of."""
    hints = {name: typing.get_args(hint) for name, hint in typing.get_type_hints(root).items()}
    return {name for name, kinds in hints.items() if type(None) in kinds and any(map(dataclasses.is_dataclass, kinds))}


def _set_to_null(override: Override) -> str:
    group = override.key_or_group
    return (
        f"{override.input_line} is not allowed; choose one of: {', '.join(group_options(group))}, or leave {group}= out"
    )


def _below_null(override: Override) -> str:
    group = override.key_or_group.partition(".")[0]
    return (
        f"{override.input_line} changes the {group}, but none is chosen; give {group}=OPTION too, one of: "
        f"{', '.join(group_options(group))}"
    )
