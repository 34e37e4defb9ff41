"""The command ``cultural-sp PROGRAM ...``: its table of contents, its version, and the start of a program."""

from __future__ import annotations

import difflib
import os
import re
import sys

from cultural_sp.cli.programs import PROGRAMS, Program
from cultural_sp.config.registries import load_object
from cultural_sp.utils.terminal import show

COMMAND = "cultural-sp"


def main() -> None:
    """Run the program that the first argument names; without one, print the table of contents."""
    first = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if first in ("--help", "-h", "help"):
        show(contents())
    elif first == "--version":
        from importlib.metadata import version

        show(f"{COMMAND} {version('cultural-sp')}")
    elif first in ("-sc", "--shell-completion"):
        _complete()
    elif first in PROGRAMS:
        del sys.argv[1]
        run(first)
    else:
        show(f"error: {_unknown(first)}", error=True)
        sys.exit(2)


def run(name: str) -> None:
    """Run a program with the arguments in ``sys.argv``."""
    program = PROGRAMS[name]
    if program.hydra:
        from cultural_sp.cli.hydra_main import run_program

        run_program(program)
        return
    from cultural_sp.config.error_messages import exit_on_bad_input

    sys.argv[0] = f"{COMMAND} {name}"  # argparse prints it as the usage
    with exit_on_bad_input():
        load_object(program.job)()


def contents() -> str:
    """Every program with its summary, in groups."""
    groups: dict[str, list[Program]] = {}
    for program in PROGRAMS.values():
        groups.setdefault(program.group, []).append(program)
    width = max(map(len, PROGRAMS))
    lines = [f"usage: {COMMAND} PROGRAM [KEY=VALUE ...]"]
    for group, programs in groups.items():
        lines += ["", f"{group}:", *(f"  {program.name:{width}}  {program.summary}" for program in programs)]
    return "\n".join(
        [
            *lines,
            "",
            f"`{COMMAND} PROGRAM --help` shows a program's options and defaults, `{COMMAND} options WORD` their meaning.",
            f'`{COMMAND} --version` prints the version. Completion in bash: eval "$({COMMAND} -sc install=bash)"',
        ]
    )


def _unknown(word: str) -> str:
    if "=" in word:
        return f"{word} names no program; write {COMMAND} PROGRAM {word}, and see {COMMAND} --help"
    near = difflib.get_close_matches(word, PROGRAMS, 1)
    hint = f"do you mean {near[0]}? " if near else ""
    return f"{word} is no program; {hint}{COMMAND} --help lists all"


def _complete() -> None:
    """Answer the shell: with the names of programs, or with what Hydra offers for the program in its line."""
    line = os.environ.get("COMP_LINE", "")
    word = re.match(r"\s*\S+\s+(\S*)(\s?)", line)
    if any(argument.startswith("query=") for argument in sys.argv) and word and not word[2]:
        show(" ".join(name for name in PROGRAMS if name.startswith(word[1])))
        return
    name = word[1] if word else "align"  # whichever program installs the completion, the shell's function is the same
    if name not in PROGRAMS or not PROGRAMS[name].hydra:
        return
    if word:
        os.environ["COMP_LINE"] = line[: word.start(1)] + line[word.end() :]
    run(name)
