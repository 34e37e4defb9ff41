"""Every option of a run with its type, default and meaning, as the schema documents it where it is defined."""

from __future__ import annotations

import argparse
import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from cultural_sp.config import GROUPS, AlignConfig, config_folder, register

WIDTH = 120


@dataclass(frozen=True)
class Option:
    """One key of a config."""

    name: str
    type: str
    """As the schema annotates it."""
    doc: str
    """What stands below it; empty if nothing does."""


def options_of(schema: type) -> list[Option]:
    """The options of a dataclass in their order, without those that are groups of options."""
    body = ast.parse(textwrap.dedent(inspect.getsource(schema))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = []
    for entry, below in zip(body.body, [*body.body[1:], None], strict=True):
        if not (isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name)):
            continue
        documented = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        doc = " ".join(str(below.value.value).split()) if documented else ""  # type: ignore[union-attr]
        found.append(Option(entry.target.id, ast.unparse(entry.annotation), doc))
    names = {f.name for f in fields(schema)} if is_dataclass(schema) else set()
    return [option for option in found if option.name in names and option.name not in GROUPS]


def choices(group: str) -> list[str]:
    """Names that can be given for a group, as in ``optimizer=cma``."""
    return sorted(path.stem for path in (config_folder() / group).glob("*.yaml"))


def listing(words: Sequence[str] = ()) -> Iterator[str]:
    """Lines about every option, or about those whose key contains one of the words."""
    register()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_folder())):
        config = compose("config")
    for group, schema in [("", AlignConfig), *GROUPS.items()]:
        prefix = f"{group}." if group else ""
        wanted = [o for o in options_of(schema) if not words or any(word in prefix + o.name for word in words)]
        if not wanted:
            continue
        head = f"{group}=...: {' '.join((schema.__doc__ or '').split())}" if group else "of the run itself"
        yield from ("", *textwrap.wrap(head, WIDTH))
        if group:
            yield from _indented(f"one of: {', '.join(choices(group))}", 2)
        for option in wanted:
            default = OmegaConf.select(config, prefix + option.name, throw_on_missing=False)
            shown = "null" if default is None else "''" if default == "" else str(default)
            yield from _indented(f"{prefix}{option.name}={shown}  ({option.type})", 2)
            yield from _indented(option.doc, 6)


def _indented(text: str, width: int) -> list[str]:
    space = " " * width
    return textwrap.wrap(text, WIDTH, initial_indent=space, subsequent_indent=space + "  ", break_on_hyphens=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """``options.py [WORD...]``: list every option, or those whose key contains a word."""
    parser = argparse.ArgumentParser(prog="options.py", description="List the options of a run with their meaning.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="part of a key, such as optimizer or model.dtype")
    print("\n".join(listing(parser.parse_args(arguments).words)).strip())
