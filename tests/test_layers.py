"""Imports between rooms go one way, and rooms don't know what they have no use for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "cultural_sp"
SETTINGS = ("knowledge.config", "search.settings", "tracking.config")  # of the config, in the room they are about
APART = {"export.card": "card"}  # what every run writes; the rest of its room reads runs
MODELS = ("torch", "transformers", "peft", "accelerate", "gguf", "safetensors")
FRAMEWORK = ("hydra", "omegaconf", "wandb")
# room -> what its modules may import of this package, besides the room itself, and what they may not import at all
ROOMS = {
    "survey": (("reasons",), (*MODELS, *FRAMEWORK, "nevergrad", "pandas", "matplotlib")),
    "search": (
        ("config", "checks", "differences", "files", "interrupt", "progress"),
        (*MODELS, *FRAMEWORK, "pandas", "matplotlib"),
    ),
    "lm": (
        ("config", "files", "reasons", "survey.instrument", "survey.render"),
        (*FRAMEWORK, "nevergrad", "pandas", "matplotlib"),
    ),
    "knowledge": (
        (
            "analysis.stats",
            "checks",
            "config",
            "lm",
            "progress",
            "reasons",
            "results",
            "survey.render",
            "survey.yaml_file",
        ),
        (*MODELS, *FRAMEWORK, "nevergrad", "matplotlib"),
    ),
    "analysis": (("reasons", "results", "search.ledger", "survey"), (*MODELS, *FRAMEWORK, "nevergrad")),
}
WITHOUT_MODEL = (
    "report",
    "tracking",
    "paper.claims",
    "paper.losses",
    "paper.table",
    "paper.figures",
)  # these read what runs have written
ALONE = {
    "checks": (),
    "differences": (),
    "interrupt": (),
    "messages": ("config",),
    "objective": ("survey",),
    "progress": (),
    "reasons": (),
}


def _modules():
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def _imports(path):
    """Every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from [name for name in whole if name.removeprefix("cultural_sp.") in MODULES] or [node.module]


MODULES = {name: path for name, path in _modules() if name}
IMPORTS = {
    name: {x.removeprefix("cultural_sp.") for x in _imports(path) if x.startswith("cultural_sp.")}
    for name, path in MODULES.items()
}
LIBRARIES = {name: {x.partition(".")[0] for x in _imports(path)} for name, path in MODULES.items()}


def _within(name, allowed):
    return any(name == x or name.startswith(f"{x}.") for x in allowed)


def _cycle(graph):
    """A way back to where it began, if there is one."""
    done, way = set(), []

    def visit(node):
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return None
        way.append(node)
        for other in sorted(graph.get(node, ())):
            if found := visit(other):
                return found
        done.add(way.pop())
        return None

    return next((found for node in sorted(graph) if (found := visit(node))), None)


def test_a_circle_would_be_found():
    assert _cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert _cycle({"a": {"b", "c"}, "b": {"c"}}) is None


def test_rooms_do_not_import_each_other_in_circles():
    def room(name):
        return "config" if name in SETTINGS else APART.get(name, name.partition(".")[0])

    rooms = {}
    for name, imported in IMPORTS.items():
        rooms.setdefault(room(name), set()).update({room(x) for x in imported} - {room(name)})
    assert {"survey", "search", "lm"} <= set(rooms)
    assert _cycle(rooms) is None


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_needs_to_know(room):
    allowed, forbidden = ROOMS[room]
    inside = [name for name in MODULES if _within(name, [room])]
    assert len(inside) > 3
    for name in inside:
        own = (room, "checks") if name in SETTINGS else (room, *allowed)
        assert [x for x in IMPORTS[name] if not _within(x, own)] == [], name
        assert not LIBRARIES[name] & set(forbidden), name


def test_pure_modules_stay_pure():
    for name, allowed in ALONE.items():
        assert all(_within(x, allowed) for x in IMPORTS[name]), name
        assert not LIBRARIES[name] & set(MODELS), name


def test_what_reads_finished_runs_needs_no_model():
    names = [name for name in MODULES if _within(name, WITHOUT_MODEL)]
    assert not any(_within(x, ["lm", "examine", "alignment"]) for name in names for x in IMPORTS[name])
    assert not any(LIBRARIES[name] & set(MODELS) for name in names)


def test_survey_search_and_the_command_line_start_without_torch():
    rooms = ("survey.", "search.", "report.", "cli", "program", "sweep_summary", "run_folder", "inputs")
    names = [f"cultural_sp.{name}" for name in MODULES if name.startswith(rooms)]
    code = f"import sys, {', '.join(names)}\nprint(sorted({{'torch', 'transformers', 'wandb'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert done.stdout == "[]\n"


def test_modules_stay_short():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: n for name, n in lengths.items() if n > 350} == {}
