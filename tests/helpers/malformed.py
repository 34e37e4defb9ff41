"""Malformed input of every kind, and what must become of each: one line, exit code 2, and nothing else."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from helpers.runs import call, without_bars

SECONDS, LONGEST = 10, 1000
WAYS_OUT = re.compile(
    r"\b(choose|give|allowed|use|leave|write|set|needs?|expected|compare|save|restore|delete|replace|install|put|mend|correct|check|"
    r"it has in|defined|reads|see|too many|mistaken|right file|regenerate|wait|name each|must|allows|exactly)\b|--help"
)


@dataclass(frozen=True)
class Case:
    """One malformed input; ``{here}`` in an override stands for the folder that its files are in."""

    overrides: Sequence[str]
    says: Sequence[str]
    """What the line must name: the file or key, the value, what is allowed."""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    prepare: Callable[[Path], object] = lambda here: None
    """Makes what can't be written as a file."""
    entry: str = "align"
    """Name of the program."""


def ends_in_one_line(monkeypatch, capsys, here, case, base=()):
    """Run the case in the empty folder ``here`` and return the line."""
    for name, content in case.files.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_bytes(content.encode() if isinstance(content, str) else content)
    case.prepare(here)
    before = _tree(here)
    monkeypatch.chdir(here)
    flags = [override for override in case.overrides if override.startswith("--")]
    others = [override for override in case.overrides if override not in flags]
    overrides = (*flags, *base, *others)  # flags come first
    started = time.process_time()
    code, out, err = call(monkeypatch, capsys, *overrides, entry=case.entry, here=here)
    seconds = time.process_time() - started
    lines = without_bars(err)
    assert code == 2, (out, err)
    assert len(lines) == 1, err
    (line,) = lines
    assert line.startswith("error: ")
    for said in case.says:
        assert said in line, line
    assert WAYS_OUT.search(line), line
    assert len(line) <= LONGEST
    assert "Traceback" not in out
    assert seconds < SECONDS
    assert _tree(here) == before
    return line


def _tree(here):
    """Everything in a folder but locks, which processes leave for others to find."""
    paths = sorted(here.rglob("*"))
    return {
        path: path.read_bytes() if path.is_file() else None for path in paths if ".lock" not in (path.name, path.suffix)
    }
