"""An error that a user can mend as one line: what is wrong and the way out, without the internals of the libraries below."""

from __future__ import annotations

import dataclasses
import difflib
import re
import sys
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from cultural_sp.config.schema import GROUPS, AlignConfig

BAD_INPUT = (ValueError, HydraException, OmegaConfBaseException, yaml.YAMLError, OSError)
"""What a user can mend."""
LONGEST = 900  # characters; what a file or an override holds may be quoted in the middle
HELP = "--help shows every option and its default"
LAUNCHERS = {"joblib": "joblib", "submitit": "slurm"}  # plugin -> the extra that brings it
WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    list: "a list",
    dict: "a mapping",
}


@contextmanager
def exit_on_bad_input() -> Iterator[None]:
    """End the program with one line and exit code 2 if the block raises a ValueError; for programs that need no Hydra."""
    try:
        yield
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(2)


def error_line(error: BaseException, root: type = AlignConfig) -> str:
    """The message of an error in :data:`BAD_INPUT`, at most :data:`LONGEST` characters long.

    Args:
        error: what was raised.
        root: schema of the config whose keys the user may have got wrong.
    """
    text = " ".join(_message(error, root).split())
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]} [...] {text[-LONGEST // 2 :]}"  # the key stands in front, the way out at the end


def _message(error: BaseException, root: type) -> str:
    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"{group}={option} is unknown; choose one of: {', '.join(error.options)}"
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
        return f"{key} can't be resolved ({_bare(error)}); refer to another key, as in ${{seed}}, or give a value"
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _of_hydra(error, root)
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{error.filename or 'a file'} can't be used ({reason}); give access there, or another path"
    if "Config group override must be" in str(error):
        return "an override has no key; write key=value"
    return str(error)


def _of_hydra(error: BaseException, root: type) -> str:
    """What Hydra or OmegaConf refuse: the known cases in our words, others in theirs."""
    text = _bare(error)
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException) and _bare(cause) not in text:
        text = f"{text}: {_bare(cause)}"
    unknown = re.match(r"Could not override '([^']+)'", text)
    if unknown:
        return _unknown(unknown[1], root)
    plugin = re.search(r"Could not (?:find|load) 'hydra/launcher/([a-z]+)", text)
    if plugin and plugin[1] in LAUNCHERS:
        return f"hydra/launcher: the {plugin[1]} launcher is not installed; pip install 'cultural-sp[{LAUNCHERS[plugin[1]]}]'"
    typed = re.match(r"Error merging override ([\w.]+)=(.*): (.*)", text, re.DOTALL)
    if typed:
        allowed = _allowed(typed[1], root)
        return f"{typed[1]}={typed[2]} is not allowed ({typed[3]}); {f'give {allowed}' if allowed else HELP}"
    twice = re.match(r"Multiple values for (\S+)\. To override a value use", text)
    if twice:
        return f"{twice[1]} has a value already; leave the + out: {twice[1]}=..."
    lacking = re.match(r"Structured config of type `(\w+)` has missing mandatory value: (\w+)", text)
    if lacking:
        group = next((f"{name}." for name, schema in GROUPS.items() if schema.__name__ == lacking[1]), "")
        return f"{group}{lacking[2]} has no value; give one, in the file or as {group}{lacking[2]}=..."
    lacking = re.match(r"Missing mandatory value: ([\w.]+)", text)
    if lacking:
        return f"{lacking[1]} has no value; give one, or leave out the ~ that takes it away"
    place = re.search(r"(?:primary config|onfig directory) '([^']+)'", text)
    if place:
        flags = "--config-name, --config-dir and --config-path"
        return f"{place[1]} is not there ({text}); give a config that is, or leave out {flags}"
    if isinstance(error, ConfigCompositionException) and "does not support deletion" in text:
        return f"{text}; leave the option out for its default"
    return f"{text}; {HELP}"


def _unknown(key: str, root: type) -> str:
    parent, _, _ = key.rpartition(".")
    schema = GROUPS.get(parent, root)
    allowed = ", ".join(f.name for f in dataclasses.fields(schema))
    meant = _meant(key, root)
    hint = f"; do you mean {' or '.join(meant)}?" if meant else ""
    return f"unknown key {key}; allowed{' in ' + parent if parent in GROUPS else ''}: {allowed}{hint}"


def _meant(key: str, root: type) -> list[str]:
    """Keys that end as this one does, as an option whose group was forgotten; else the one that is spelt most like it."""
    known = [field.name for field in dataclasses.fields(root)]
    known += [f"{g}.{field.name}" for g, schema in GROUPS.items() if g in known for field in dataclasses.fields(schema)]
    last = key.rpartition(".")[2]
    return [name for name in known if name.rpartition(".")[2] == last] or difflib.get_close_matches(key, known, 1)


def _bare(error: BaseException) -> str:
    """A message without the internals that Hydra and OmegaConf show."""
    return re.split(r"\s*Config search path:|\s+full_key:|\s+reference_type=|\s+object_type=", str(error))[0]


def _allowed(key: str, root: Any) -> str:
    """The type of a config value in words; nothing if the schema leaves it open."""
    *groups, name = key.split(".")
    for group in groups:
        root = typing.get_type_hints(root).get(group) if dataclasses.is_dataclass(root) else None
    hint = typing.get_type_hints(root).get(name) if dataclasses.is_dataclass(root) else None
    if hint is None:
        return ""
    kinds = typing.get_args(hint) if typing.get_origin(hint) not in (list, dict) else (hint,)
    words = [WORDS.get(typing.get_origin(kind) or kind, "") for kind in kinds or (hint,) if kind is not type(None)]
    if not all(words):
        return ""
    return " or ".join(words) + (", or null" if type(None) in kinds else "")
