"""The command ``cultural-sp``: its table of contents, how it starts programs, and what the shell's completion offers."""

import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest
from helpers.runs import call

from cultural_sp.cli.command import main
from cultural_sp.cli.programs import PROGRAMS
from cultural_sp.config.compose import SCHEMAS, config_folder
from cultural_sp.config.registries import load_object


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_program_in_its_group(monkeypatch, capsys, arguments):
    code, out, _ = call(monkeypatch, capsys, *arguments, entry=main)
    assert code == 0
    groups = dict(re.findall(r"^(\w[\w ]+):\n((?:  .+\n)+)", out, re.MULTILINE))
    assert list(groups) == ["Run", "Look at results", "Use a soft prompt", "Studies", "Tools"]
    for program in PROGRAMS.values():
        assert re.search(rf"^  {program.name} +{program.summary}$", groups[program.group], re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 120


def test_help_loads_no_library():
    code = "import sys; sys.argv[1:] = []; from cultural_sp.cli.command import main; main(); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.splitlines()[-1]
    assert [name for name in ("torch", "hydra", "numpy", "yaml") if f"'{name}'" in modules] == []


def test_the_version_is_that_of_the_package(monkeypatch, capsys):
    assert call(monkeypatch, capsys, "--version", entry=main)[:2] == (0, f"cultural-sp {version('cultural-sp')}\n")


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("algin", "error: algin is no program; do you mean align? cultural-sp --help lists all"),
        ("factor_analysis", "error: factor_analysis is no program; do you mean factor-analysis? "),
        ("xyz", "error: xyz is no program; cultural-sp --help lists all"),
        (
            "region=jp",
            "error: region=jp names no program; write cultural-sp PROGRAM region=jp, and see cultural-sp --help",
        ),
    ],
)
def test_an_unknown_program_is_one_line_with_the_nearest_name(monkeypatch, capsys, word, line):
    code, out, err = call(monkeypatch, capsys, word, "seed=1", entry=main)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(line)


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda program: program.name)
def test_what_a_program_names_is_there(program):
    for function in (program.job, program.prepare, program.rewrite):
        assert not function or callable(load_object(function))
    assert program.hydra == (program.config in SCHEMAS) == (config_folder() / f"{program.config}.yaml").is_file()


def test_every_config_names_its_program(monkeypatch, capsys):
    for program in PROGRAMS.values():
        if program.hydra:
            code, out, err = call(monkeypatch, capsys, program.name, "--cfg", "hydra", "-p", "hydra.job", entry=main)
            assert code == 0, err
            assert f"\nname: {program.name}\n" in out


def test_a_program_takes_the_overrides_behind_its_name(monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "align", "region=no", "--cfg", "job", "-p", "region", entry=main)
    assert code == 0, err
    assert "code: 'no'" in out
    code, out, _ = call(monkeypatch, capsys, "align", "--help", entry=main)
    assert code == 0
    assert out.startswith("cultural-sp align is powered by Hydra.")
    assert re.search(r"^region: ae, al, .*, joint, jp, .*, no, ", out, re.MULTILINE)
    code, out, _ = call(monkeypatch, capsys, "watch", "--help", entry=main)
    assert (code, out.splitlines()[0]) == (0, "usage: cultural-sp watch [-h] FOLDER")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("cultural-sp al", {"align"}),
        ("cultural-sp s", {"sync-wandb", "side-effects", "study", "scaling"}),
        ("cultural-sp align region=n", {"region=ng", "region=nl", "region=no", "region=nz"}),
        ("cultural-sp bench geometry=", {"geometry=llama3_8b", "geometry=tiny"}),
        ("cultural-sp watch out", set()),
        ("cultural-sp nonsense region=", set()),
    ],
)
def test_the_shell_is_offered_programs_and_then_their_options(line, offered):
    done = subprocess.run(
        [sys.executable, "-m", "cultural_sp", "-sc", "query=bash"],
        env={**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == offered


@pytest.mark.parametrize("arguments", [[], ["align"]])
def test_completion_is_installed_for_the_command(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/cultural-sp", *arguments, "-sc", "install=bash"])
    main()
    assert (
        capsys.readouterr().out.rstrip().endswith("complete -o nospace -o default -F hydra_bash_completion cultural-sp")
    )
