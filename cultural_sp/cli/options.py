"""The list of options: every option of every program with its type, its default and the text below its field in the schema."""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from cultural_sp.cli.programs import PROGRAMS
from cultural_sp.config.compose import OTHER_GROUPS, SCHEMAS, config_folder, group_options, register_configs
from cultural_sp.config.registries import REGISTRIES
from cultural_sp.config.schema import GROUPS, AlignConfig
from cultural_sp.utils.terminal import show

WIDTH = 120


@dataclass(frozen=True)
class Section:
    """The options of a program, or of one of its groups."""

    program: str
    group: str
    """Empty for the program's own options."""
    schema: type
    options: tuple[Option, ...]

    def key(self, option: Option) -> str:
        """The option's key on the command line."""
        return f"{self.group}.{option.name}" if self.group else option.name


@dataclass(frozen=True)
class Option:
    """One key of a config."""

    name: str
    type: str
    """The annotation in the schema."""
    doc: str
    """The text below the field; empty if there is none."""


def options_of(schema: type) -> list[Option]:
    """Return the options of a dataclass in their order, inherited ones first, without those of a run and its groups."""
    above = schema.__base__
    inherited = options_of(above) if above not in (None, AlignConfig) and is_dataclass(above) else []
    return [*inherited, *_own_options(schema)]


def _own_options(schema: type) -> list[Option]:
    body = ast.parse(textwrap.dedent(inspect.getsource(schema))).body[0]
    assert isinstance(body, ast.ClassDef)
    names = {field.name for field in fields(schema)} if is_dataclass(schema) else set()
    options = []
    for entry, below in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name) and entry.target.id in names:
            documented = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            doc = " ".join(str(below.value.value).split()) if documented else ""  # type: ignore[union-attr]
            options.append(Option(entry.target.id, ast.unparse(entry.annotation), doc))
    return [option for option in options if not _is_group(option)]


def _is_group(option: Option) -> bool:
    schema = GROUPS.get(option.name)
    return schema is not None and schema.__name__ in option.type


def sections() -> Iterator[Section]:
    """Yield all options, each once: those of a run and its groups first, then those that other programs add."""
    seen: set[type] = set()
    for program in PROGRAMS.values():
        if not program.hydra or SCHEMAS[program.config] in seen:
            continue
        schema = SCHEMAS[program.config]
        groups = GROUPS if schema is AlignConfig else _new_groups(schema, seen)
        inherited = {option.name for option in options_of(AlignConfig)} if adds_to_a_run(schema) else set()
        options = tuple(o for o in options_of(schema) if o.name not in {*inherited, *groups})
        yield Section(program.name, "", schema, options)
        for name, group in groups.items():
            yield Section(program.name, name, group, tuple(options_of(group)))
        seen |= {schema, *groups.values()}


def _new_groups(schema: type, seen: set[type]) -> dict[str, type]:
    names = [field.name for field in fields(schema)] if is_dataclass(schema) else []
    return {name: OTHER_GROUPS[name] for name in names if name in OTHER_GROUPS and OTHER_GROUPS[name] not in seen}


def adds_to_a_run(schema: type) -> bool:
    """Whether a program has the options of a run and others besides."""
    return schema is not AlignConfig and issubclass(schema, AlignConfig)


def listing(words: Sequence[str] = ()) -> Iterator[str]:
    """Yield lines about every option, or about the options whose key contains one of the words."""
    register_configs()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_folder())):
        for section in sections():
            matches = [o for o in section.options if not words or any(word in section.key(o) for word in words)]
            if matches:
                yield from _lines(section, matches, compose(PROGRAMS[section.program].config))


def _lines(section: Section, options: Sequence[Option], config: DictConfig) -> Iterator[str]:
    besides = ", besides the options of a run" if adds_to_a_run(section.schema) else ""
    doc = " ".join((section.schema.__doc__ or "").split())
    head = f"{section.group}=...: {doc}" if section.group else f"cultural-sp {section.program}{besides}: {doc}"
    yield from ("", *textwrap.wrap(head, WIDTH))
    if section.group:
        yield from _indented(f"one of: {', '.join(group_options(section.group))}", 2)
    for option in options:
        default = _default(config, section.group, section.key(option))
        yield from _indented(f"{section.key(option)}={default}  ({option.type})", 2)
        yield from _indented(option.doc, 6)
        for name, entry in REGISTRIES.get(section.key(option), {}).items():
            yield from _indented(f"{name}: {entry.label}", 6)


def _default(config: DictConfig, group: str, key: str) -> str:
    """The default as one would type it; three dots if the user has to give a value."""
    value = OmegaConf.select(config, key, throw_on_missing=False)
    if OmegaConf.is_missing(config, key) or (group and config[group] is None):
        return "..."
    return "null" if value is None else "''" if value == "" else str(value)


def _indented(text: str, width: int) -> list[str]:
    space = " " * width
    return textwrap.wrap(text, WIDTH, initial_indent=space, subsequent_indent=space + "  ", break_on_hyphens=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """``cultural-sp options [WORD...]``: list every option, or the options whose key contains a word."""
    parser = argparse.ArgumentParser(description="List the options of all programs with their meaning.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="part of a key, such as optimizer or model.dtype")
    words = parser.parse_args(arguments).words
    text = "\n".join(listing(words)).strip()
    if not text:
        show(
            f"error: no option's name contains {' or '.join(words)}; without a word all of them are listed", error=True
        )
        sys.exit(2)
    show(text)
