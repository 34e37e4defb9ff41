"""Every option of every program with its type, default and meaning, as the schema documents it where it is defined."""

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

from cultural_sp.config.compose import choices, config_folder, register
from cultural_sp.config.inference import AskConfig, ExportConfig, ReportConfig, SideEffectsConfig
from cultural_sp.config.schema import GROUPS, AlignConfig
from cultural_sp.config.studies import (
    BenchmarkConfig,
    ControlConfig,
    FactorConfig,
    GeometryConfig,
    PaperConfig,
    RespondentsConfig,
    StudyConfig,
)

WIDTH = 120


@dataclass(frozen=True)
class Program:
    """A program with options of its own."""

    script: str
    config: str
    """Name of its file in ``conf``."""
    schema: type
    groups: tuple[tuple[str, type], ...] = ()
    """Groups of options that no run has."""


PROGRAMS = (
    Program("experiments/align.py", "align", AlignConfig),
    Program("experiments/ask.py", "ask", AskConfig),
    Program("experiments/side_effects.py", "side_effects", SideEffectsConfig),
    Program("experiments/export.py", "export", ExportConfig),
    Program("experiments/report.py", "report", ReportConfig),
    Program(
        "experiments/factor_analysis.py",
        "factor_analysis",
        FactorConfig,
        (("respondents", RespondentsConfig),),
    ),
    Program("experiments/paper/reproduce.py", "reproduce", PaperConfig),
    Program("experiments/search_study.py", "study", StudyConfig),
    Program("experiments/positive_control.py", "positive_control", ControlConfig),
    Program("experiments/benchmark.py", "bench", BenchmarkConfig, (("geometry", GeometryConfig),)),
)


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
    return [option for option in found if option.name in names and not _is_group(option)]


def _is_group(option: Option) -> bool:
    schema = GROUPS.get(option.name)
    return schema is not None and schema.__name__ in option.type


def listing(words: Sequence[str] = ()) -> Iterator[str]:
    """Lines about every option, or about those whose key contains one of the words: first of a run, then of other programs."""
    register()
    of_a_run = {option.name for option in options_of(AlignConfig)}
    with initialize_config_dir(version_base="1.3", config_dir=str(config_folder())):
        for program in PROGRAMS:
            inherited = of_a_run if _adds_to_a_run(program.schema) else set()
            own = [o for o in options_of(program.schema) if o.name not in {*inherited, *dict(program.groups)}]
            groups = tuple(GROUPS.items()) if program.schema is AlignConfig else program.groups
            sections = [("", program.schema, own), *((name, schema, options_of(schema)) for name, schema in groups)]
            wanted = [(g, s, [o for o in found if _asked_for(_key(g, o), words)]) for g, s, found in sections]
            if not any(found for _, _, found in wanted):
                continue
            config = compose(program.config)
            for group, schema, found in wanted:
                if found:
                    yield from _section(program, group, schema, found, config)


def _adds_to_a_run(schema: type) -> bool:
    return schema is not AlignConfig and issubclass(schema, AlignConfig)


def _asked_for(key: str, words: Sequence[str]) -> bool:
    return not words or any(word in key for word in words)


def _key(group: str, option: Option) -> str:
    return f"{group}.{option.name}" if group else option.name


def _section(
    program: Program, group: str, schema: type, options: Sequence[Option], config: DictConfig
) -> Iterator[str]:
    besides = ", besides those of a run" if _adds_to_a_run(schema) else ""
    doc = " ".join((schema.__doc__ or "").split())
    head = f"{group}=...: {doc}" if group else f"{program.script}{besides}: {doc}"
    yield from ("", *textwrap.wrap(head, WIDTH))
    if group:
        yield from _indented(f"one of: {', '.join(choices(group))}", 2)
    for option in options:
        key = _key(group, option)
        default = OmegaConf.select(config, key, throw_on_missing=False)
        if OmegaConf.is_missing(config, key) or (group and config[group] is None):  # has to be given
            shown = "..."
        else:
            shown = "null" if default is None else "''" if default == "" else str(default)
        yield from _indented(f"{key}={shown}  ({option.type})", 2)
        yield from _indented(option.doc, 6)


def _indented(text: str, width: int) -> list[str]:
    space = " " * width
    return textwrap.wrap(text, WIDTH, initial_indent=space, subsequent_indent=space + "  ", break_on_hyphens=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """``options.py [WORD...]``: list every option, or those whose key contains a word."""
    parser = argparse.ArgumentParser(
        prog="options.py", description="List the options of all programs with their meaning."
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="part of a key, such as optimizer or model.dtype")
    words = parser.parse_args(arguments).words
    text = "\n".join(listing(words)).strip()
    if not text:
        print(
            f"error: no option's name contains {' or '.join(words)}; without a word all of them are listed",
            file=sys.stderr,
        )
        sys.exit(2)
    print(text)
