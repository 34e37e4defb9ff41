"""The rooms of the package stand in an order: each imports only from those before it, and knows no library it has no use for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "cultural_sp"
MODEL = {"torch", "transformers", "peft", "accelerate", "gguf"}
FRAMEWORK = {"hydra", "wandb"}
ORDER = {  # room -> libraries that it must not import
    "utils": MODEL | FRAMEWORK | {"nevergrad", "pandas", "matplotlib"},
    "types": MODEL | FRAMEWORK,
    "config": MODEL | {"nevergrad", "pandas", "matplotlib", "wandb"},
    "survey": MODEL | FRAMEWORK | {"omegaconf", "nevergrad", "pandas", "matplotlib"},
    "stats": MODEL | FRAMEWORK | {"omegaconf", "nevergrad", "matplotlib"},
    "lm": FRAMEWORK | {"omegaconf", "nevergrad", "pandas", "matplotlib"},
    "search": MODEL | FRAMEWORK | {"omegaconf", "pandas", "matplotlib"},
    "runs": MODEL | FRAMEWORK | {"nevergrad", "matplotlib"},
    "evaluation": FRAMEWORK | {"omegaconf", "nevergrad", "matplotlib"},
    "reporting": MODEL | {"hydra", "nevergrad"},
    "alignment": FRAMEWORK | {"nevergrad"},
    "inference": {"wandb", "nevergrad", "hydra"},
    "studies": {"wandb"},
    "cli": set(),
    "api": set(),
}
ROOMS = list(ORDER)
MAX_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS, MAX_IMPORTS = 350, 60, 6, 20
DECLARED = {  # functions whose parameters somebody else declares
    "score": "the Python interface: keywords of a notebook",
    "tree_attention": "transformers calls it",
}


def _imports(path):
    """Every module that a file imports, wherever in the file, with the names taken from it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module


FILES = [path for path in sorted(ROOT.rglob("*.py")) if path.parent != ROOT or path.stem in ROOMS]
IMPORTS = {path: sorted(set(_imports(path))) for path in FILES}


def _room(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


def test_every_entry_of_the_package_is_a_room():
    entries = {path.stem for path in ROOT.iterdir() if not path.name.startswith("__")}
    assert entries - {"conf", "py"} <= set(ROOMS)  # conf and py.typed are no modules


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_before_it_and_no_library_it_has_no_use_for(room):
    files = [path for path in FILES if _room(path) == room]
    before = ROOMS[: ROOMS.index(room) + 1]
    for path in files:
        for name in IMPORTS[path]:
            top, _, rest = name.partition(".")
            assert top not in ORDER[room], f"{path} imports {name}"
            if top == "cultural_sp":
                assert rest.partition(".")[0] in before, f"{path} imports {name}"


def test_studies_know_nothing_of_each_other():
    for path in FILES:
        if _room(path) == "studies" and path.parent.name != "studies":
            own = f"cultural_sp.studies.{path.relative_to(ROOT / 'studies').parts[0]}."
            others = [x for x in IMPORTS[path] if x.startswith("cultural_sp.studies.") and not f"{x}.".startswith(own)]
            assert others == [], path


def test_modules_of_a_room_do_not_import_each_other_in_circles():
    graph = {
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts): [x for x in names if x.startswith("cultural_sp")]
        for path, names in IMPORTS.items()
    }
    assert _circle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert _circle(graph) is None


def _circle(graph):
    """A way back to where it began, if there is one."""
    done, way = set(), []

    def visit(node):
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return None
        way.append(node)
        for other in graph.get(node, ()):
            if found := visit(other):
                return found
        done.add(way.pop())
        return None

    return next((found for node in sorted(graph) if (found := visit(node))), None)


def test_what_needs_no_model_starts_without_torch():
    rooms = ("survey", "search", "runs", "reporting", "cli")
    names = [
        ".".join(p.relative_to(ROOT.parent).with_suffix("").parts)
        for p in FILES
        if _room(p) in rooms and not p.stem.startswith("wandb_")
    ]
    code = f"import sys, {', '.join(names)}\nprint(sorted({{'torch', 'transformers', 'wandb'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert done.stdout == "[]\n"


def _functions(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node


def test_modules_stay_short_and_import_few_others():
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES, path
        assert sum(name.startswith("cultural_sp") for name in IMPORTS[path]) <= MAX_IMPORTS, path


def test_functions_fit_a_screen():
    for path in FILES:
        for function in _functions(path):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            if body:
                size = function.end_lineno - body[0].lineno + 1
                assert size <= MAX_FUNCTION_LINES, f"{path}: {function.name} has {size} lines"


def test_functions_take_few_parameters():
    for path in FILES:
        for function in _functions(path):
            arguments = function.args
            names = [x.arg for x in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            own = [name for name in names if name not in ("self", "cls")]
            assert len(own) <= MAX_PARAMETERS or function.name in DECLARED, f"{path}: {function.name}({', '.join(own)})"
