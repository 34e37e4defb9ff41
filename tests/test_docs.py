"""The documentation: links lead somewhere, and every program, target, option and file that it names is there."""

import re
import shlex
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from cultural_sp.cli.programs import PROGRAMS
from cultural_sp.config.compose import SCHEMAS, group_options

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "cultural_sp").rglob("*.md")])
PAGES = [page for page in PAGES if page.parent.name != "templates"]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(
    r"(?:python|launch [^`]*?|torchrun [^`]*?|^) ?"
    r"(experiments/[\w/]+\.py|cultural-sp [a-z][\w-]*|--?m(?:odule)? cultural_sp [\w-]+)([^`]*)"
)
FOREIGN = ("ray", "submitit_local", "basic", "joblib")  # launchers of plugins
TO_BE_WRITTEN = ("name", "default")  # files that the reader adds


def _text(page):
    return page.read_text(encoding="utf-8")


def _prose(page):
    """The text without blocks of code, whose brackets are no links."""
    return "\n".join(line for line in _text(page).splitlines() if not line.startswith("    "))


def _anchors(page):
    """What GitHub makes of the headings."""
    heads = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def _links(page):
    for link in LINK.findall(_prose(page)):
        if not link.startswith(("http:", "https:", "mailto:")):
            path, _, anchor = link.partition("#")
            yield link, (page.parent / path).resolve() if path else page, anchor


def _code(page):
    """Blocks, with continued lines joined, and spans of code."""
    text = _text(page).replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("    "):
            yield line.strip()
    yield from (" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", _prose(page)))


def _keys(schema, prefix=""):
    """Every key of a schema, groups included."""
    hints = get_type_hints(schema)
    for field in fields(schema):
        yield prefix + field.name
        for kind in (hints[field.name], *get_args(hints[field.name])):
            if is_dataclass(kind):
                yield from _keys(kind, f"{prefix}{field.name}.")


KEYS = {program.name: set(_keys(SCHEMAS[program.config])) for program in PROGRAMS.values() if program.hydra}
KEYS["scaling"] = KEYS["align"]
STUBS = {
    str(path.relative_to(ROOT)): found[1]
    for path in (ROOT / "experiments").rglob("*.py")
    if (found := re.search(r'^    run\("([\w-]+)"\)$', _text(path), re.MULTILINE))
}
GROUPS = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()} - {"hydra"}
ANY = set().union(*KEYS.values())


def _wrong(override, keys):
    """What is wrong with an override; None if nothing is."""
    key, _, value = override.lstrip("+").partition("=")
    if key.startswith("hydra/"):
        known = [*group_options(key), *FOREIGN]
        return None if value in known else f"{override}: no such launcher"
    if key.startswith("hydra."):
        return None
    if key in GROUPS and re.fullmatch(r"[a-z0-9_.,]+", value):
        unknown = sorted(set(value.split(",")) - {*group_options(key), "null"})
        return f"{override}: {', '.join(unknown)} not in conf/{key}" if unknown else None
    return None if key in keys | GROUPS else f"{override}: no such key"


def _commands(page):
    """Programs with their arguments."""
    for code in _code(page):
        for line in code.split("&&"):
            found = COMMAND.search(re.sub(r"\s#\s.*$", "", line).strip())
            if found:
                yield found[1], shlex.split(found[2])


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_files_and_headings(name):
    page = ROOT / name
    links = list(_links(page))
    assert [link for link, path, _ in links if not path.exists()] == []
    assert [link for link, path, anchor in links if anchor and anchor not in _anchors(path)] == []


def test_every_page_is_reached_from_the_readme():
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        found = {path for page in new if page.suffix == ".md" for _, path, _ in _links(page)}
        found |= {file for path in found if path.is_dir() for file in path.iterdir()}
        new = found - reached
    wanted = [*PAGES, *(path for path in (ROOT / "docs").rglob("*") if path.is_file())]
    assert sorted(str(path.relative_to(ROOT)) for path in wanted if path not in reached) == []


@pytest.mark.parametrize("name", NAMES)
def test_commands_name_programs_and_options_that_exist(name):
    wrong = []
    for program, arguments in _commands(ROOT / name):
        name = STUBS.get(program, program.split()[-1])
        if program.startswith("experiments/") and not (ROOT / program).is_file():
            wrong.append(f"{program}: no such file")
        elif not program.startswith("experiments/") and name not in PROGRAMS:
            wrong.append(f"{program}: no such program")
        elif name in KEYS:
            given = [argument for argument in arguments if re.match(r"[+\w./]+=", argument)]
            wrong += [f"{program} {error}" for error in (_wrong(o, KEYS[name]) for o in given) if error]
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_options_are_named_as_they_are(name):
    groups = "|".join(sorted(GROUPS))
    spans = [span for span in _code(ROOT / name) if " " not in span]
    dotted = [
        s
        for s in spans
        if re.match(rf"({groups})\.\w+(=|$)", s) and Path(s).suffix not in (".jsonl", ".json", ".py", ".yaml")
    ]
    chosen = [s for s in spans if re.fullmatch(rf"({groups})=[a-z0-9_]+", s)]
    assert [error for error in (_wrong(span, ANY) for span in [*dotted, *chosen]) if error] == []


@pytest.mark.parametrize("name", NAMES)
def test_files_targets_and_console_scripts_exist(name):
    code = "\n".join(_code(ROOT / name))
    files = re.findall(r"(?<![\w/.])((?:experiments|cultural_sp|tests|conf|docs)/[\w/.\-]*\w)", code)
    assert [f for f in files if Path(f).stem not in TO_BE_WRITTEN and not (ROOT / f).exists()] == []
    makefile = _text(ROOT / "Makefile")
    targets = set(re.findall(r"^make ([a-z][a-z-]*)", code, re.MULTILINE))
    assert sorted(target for target in targets if f"\n{target}:" not in makefile) == []
    scripts = set(re.findall(r"^(cultural-sp-?[a-z-]*)", code, re.MULTILINE))
    assert sorted(script for script in scripts if f"\n{script} = " not in _text(ROOT / "pyproject.toml")) == []


def test_every_program_has_a_script_in_experiments():
    assert sorted(STUBS.values()) == sorted(PROGRAMS)


def test_the_readme_shows_what_was_logged():
    rows = re.findall(r"^\| .*\d\.\d.*\|$", _text(ROOT / "README.md"), re.MULTILINE)
    assert len(rows) >= 6
    assert [row for row in rows if row not in _text(ROOT / "docs" / "log.md")] == []
