"""Messages for users: one line that names the key, the value and the way out, without the internals of Hydra and OmegaConf."""

from __future__ import annotations

import dataclasses
import difflib
import re
import shlex
import sys
import typing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import yaml
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import MISSING
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from cultural_sp.config.compose import group_options
from cultural_sp.config.regions import similar_options
from cultural_sp.config.schema import GROUPS, AlignConfig
from cultural_sp.utils.terminal import show, visible

BAD_INPUT = (ValueError, HydraException, OmegaConfBaseException, yaml.YAMLError, OSError)
"""Errors that a user can fix."""
MAX_LENGTH = 900  # characters; a message may quote a whole file or override
HELP_HINT = "--help shows every option and its default"
LAUNCHER_EXTRAS = {"joblib": "joblib", "submitit": "slurm"}  # plugin -> extra of this package
KEYS_OF_FILES = {
    "model": ("a hub id, a folder or a .gguf file", "model.name_or_path"),
    "survey": ("a survey file", "survey.instrument"),
    "soft_prompt": ("a soft prompt's folder", "soft_prompt.path"),
}
"""Groups whose options can't name what a user brings -> what that may be, and the key that names it."""
TYPE_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    list: "a list",
    dict: "a mapping",
}


@contextmanager
def exit_on_bad_input() -> Iterator[None]:
    """End the program with one line and exit code 2 if the block raises a ValueError. For programs without Hydra."""
    try:
        yield
    except ValueError as error:
        show(f"error: {error}", error=True)
        sys.exit(2)


def error_line(error: BaseException, root: type = AlignConfig) -> str:
    """Return the message of an error as one line of at most :data:`MAX_LENGTH` characters.

    Args:
        error: one of :data:`BAD_INPUT`.
        root: schema of the program's config, for the keys that the message suggests.
    """
    text = visible(" ".join(_message(error, root).split()))
    if len(text) <= MAX_LENGTH:
        return text
    return f"{text[: MAX_LENGTH // 2]} [...] {text[-MAX_LENGTH // 2 :]}"  # the key comes first, the way out last


def _message(error: BaseException, root: type) -> str:
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        message = _unknown_option(error.missing_cfg_file, error.options or (), root)
        if message:
            return message
    if isinstance(error, OverrideParseException):
        reason = error.message.partition("\nSee ")[0]
        return (
            f"{error.override} can't be parsed ({reason}); write key=value, and quote a value with special characters"
        )
    if isinstance(error, yaml.YAMLError):
        return f"a config file is not YAML ({error}); mend it there"
    if isinstance(error, UnicodeDecodeError):
        return f"a config file is not UTF-8 text ({error}); save it as UTF-8"
    if isinstance(error, InterpolationResolutionError):
        key = error.full_key or "a value"
        return f"{key} can't be resolved ({_without_internals(error)}); refer to another key, as in ${{seed}}, or give a value"
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _of_hydra(error, root)
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{error.filename or 'a file'} can't be used ({reason}); give access there, or another path"
    if "Config group override must be" in str(error):
        return "an override has no key; write key=value"
    return str(error)


def _unknown_option(file: str, options: Sequence[str], root: type) -> str:
    """Return the message about an option ``group/option`` that isn't there; empty if Hydra knows no such group."""
    group, _, option = file.partition("/")
    if group in KEYS_OF_FILES:
        kinds, key = KEYS_OF_FILES[group]
        known = options or group_options(group)
        way = shlex.quote(f"{key}={option}")
        if getattr(root, group, MISSING) is None:  # a key needs a group to be in
            way = f"{group}={known[0]} {way}"
        return f"{group}={option} is unknown; choose one of: {', '.join(known)}; or give {kinds} as {way}"
    if not options:
        return ""
    group, _, option = file.rpartition("/")
    hint = similar_options(option) if group == "region" else ""
    return f"{group}={option} is unknown; choose one of: {', '.join(options)}{hint}"


def _of_hydra(error: BaseException, root: type) -> str:
    """Return the message of an error of Hydra or OmegaConf: known cases in our words, others in theirs."""
    text = _without_internals(error)
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException) and _without_internals(cause) not in text:
        text = f"{text}: {_without_internals(cause)}"
    unknown = re.match(r"Could not override '([^']+)'", text)
    if unknown:
        return _unknown(unknown[1], root)
    plugin = re.search(r"Could not (?:find|load) 'hydra/launcher/([a-z]+)", text)
    if plugin and plugin[1] in LAUNCHER_EXTRAS:
        extra = LAUNCHER_EXTRAS[plugin[1]]
        return f"hydra/launcher: the {plugin[1]} launcher is not installed; pip install 'cultural-sp[{extra}]'"
    wrong_type = re.match(r"Error merging override ([\w.]+)=(.*): (.*)", text, re.DOTALL)
    if wrong_type:
        allowed = _allowed(wrong_type[1], root)
        return f"{wrong_type[1]}={wrong_type[2]} is not allowed ({wrong_type[3]}); {f'give {allowed}' if allowed else HELP_HINT}"
    repeated = re.match(r"Multiple values for (\S+)\. To override a value use", text)
    if repeated:
        return f"{repeated[1]} has a value already; leave the + out: {repeated[1]}=..."
    missing = re.match(r"Structured config of type `(\w+)` has missing mandatory value: (\w+)", text)
    if missing:
        group = next((f"{name}." for name, schema in GROUPS.items() if schema.__name__ == missing[1]), "")
        return f"{group}{missing[2]} has no value; give one, in the file or as {group}{missing[2]}=..."
    missing = re.match(r"Missing mandatory value: ([\w.]+)", text)
    if missing:
        return f"{missing[1]} has no value; give one, or leave out the ~ that takes it away"
    location = re.search(r"(?:primary config|onfig directory) '([^']+)'", text)
    if location:
        flags = "--config-name, --config-dir and --config-path"
        return f"{location[1]} is not there ({text}); give a config that is, or leave out {flags}"
    if isinstance(error, ConfigCompositionException) and "does not support deletion" in text:
        return f"{text}; leave the option out for its default"
    return f"{text}; {HELP_HINT}"


def _unknown(key: str, root: type) -> str:
    parent, _, _ = key.rpartition(".")
    schema = GROUPS.get(parent, root)
    allowed = ", ".join(f.name for f in dataclasses.fields(schema))
    similar = _similar_keys(key, root)
    hint = f"; do you mean {' or '.join(similar)}?" if similar else ""
    return f"unknown key {key}; allowed{' in ' + parent if parent in GROUPS else ''}: {allowed}{hint}"


def _similar_keys(key: str, root: type) -> list[str]:
    """Return the keys with the same last part, as the group may be missing; without any, the key with the closest spelling."""
    known = [field.name for field in dataclasses.fields(root)]
    known += [f"{g}.{field.name}" for g, schema in GROUPS.items() if g in known for field in dataclasses.fields(schema)]
    last = key.rpartition(".")[2]
    return [name for name in known if name.rpartition(".")[2] == last] or difflib.get_close_matches(key, known, 1)


def _without_internals(error: BaseException) -> str:
    """Return an error's message without the lines about the internals of Hydra and OmegaConf."""
    return re.split(r"\s*Config search path:|\s+full_key:|\s+reference_type=|\s+object_type=", str(error))[0]


def _allowed(key: str, root: Any) -> str:
    """Return the type of a config value in words; empty if the schema leaves it open."""
    *groups, name = key.split(".")
    for group in groups:
        root = typing.get_type_hints(root).get(group) if dataclasses.is_dataclass(root) else None
    hint = typing.get_type_hints(root).get(name) if dataclasses.is_dataclass(root) else None
    if hint is None:
        return ""
    kinds = typing.get_args(hint) if typing.get_origin(hint) not in (list, dict) else (hint,)
    words = [TYPE_WORDS.get(typing.get_origin(kind) or kind, "") for kind in kinds or (hint,) if kind is not type(None)]
    if not all(words):
        return ""
    return " or ".join(words) + (", or null" if type(None) in kinds else "")
