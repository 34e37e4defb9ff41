"""Every option is documented where it is defined, and a command lists it."""

import re
from dataclasses import fields

import pytest

from cultural_sp.cli.options import main, options_of
from cultural_sp.cli.programs import PROGRAMS
from cultural_sp.config.compose import OTHER_GROUPS, SCHEMAS, group_options
from cultural_sp.config.registries import REGISTRIES
from cultural_sp.config.schema import GROUPS, AlignConfig

ALL_GROUPS = GROUPS | OTHER_GROUPS
SCHEMA_OF = {program.name: SCHEMAS[program.config] for program in PROGRAMS.values() if program.hydra}


@pytest.mark.parametrize(
    "schema", dict.fromkeys([*SCHEMA_OF.values(), *ALL_GROUPS.values()]), ids=lambda schema: schema.__name__
)
def test_every_option_is_documented(schema):
    assert schema.__doc__
    inherited = set(AlignConfig.__dataclass_fields__) if schema.__base__ is AlignConfig else set()
    options = [
        option for option in options_of(schema) if option.type != "RespondentsConfig"
    ]  # a group that is no group of a run
    groups = {f.name for f in fields(schema) if "Config" in str(f.type) and f.name in (*GROUPS, "respondents")}
    assert {option.name for option in options} == set(schema.__dataclass_fields__) - groups - inherited
    assert [option.name for option in options if len(option.doc) < 10] == []


def test_the_command_lists_every_option_with_its_default(capsys):
    main([])
    out = capsys.readouterr().out
    for group, schema in GROUPS.items():
        assert f"{group}=...: {schema.__doc__}"[:60] in out
        assert ", ".join(group_options(group)[:3]) in out
        for option in options_of(schema):
            assert f"  {group}.{option.name}=" in out
    assert "  optimizer.budget=80  (int)\n      Evaluations of the search" in out
    assert max(map(len, out.splitlines())) <= 120


def test_the_command_lists_every_option_of_every_program(capsys):
    main([])
    sections = ("\n" + capsys.readouterr().out).split("\n\n")
    for program, schema in SCHEMA_OF.items():
        if schema is AlignConfig and program != "align":
            continue  # has the options of a run and no others
        (section,) = [s for s in sections if re.match(rf"\s*cultural-sp {program}[:,]", s)]
        own = options_of(schema)
        if schema.__base__ is AlignConfig:
            own = [option for option in own if option.name not in AlignConfig.__dataclass_fields__]
        assert [o.name for o in own if o.name not in OTHER_GROUPS and f"\n  {o.name}=" not in section] == []
    for group, schema in ALL_GROUPS.items():
        (section,) = [s for s in sections if s.strip().startswith(f"{group}=...")]
        assert [o.name for o in options_of(schema) if f"\n  {group}.{o.name}=" not in section] == []
    assert "  output=...  (str)" in "\n".join(sections)


def test_a_word_in_no_name_is_one_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["nonsense"])
    assert capsys.readouterr().err.startswith("error: no option's name contains nonsense; ")


def test_the_command_lists_what_is_asked_for(capsys):
    main(["optimizer.b", "seed"])
    keys = [
        line.split("=")[0].strip()
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("  ") and "(" in line
    ]
    assert {"seed", "optimizer.seed", "optimizer.budget"} <= set(keys)
    assert "model.dtype" not in keys


def test_the_command_explains_every_entry_of_a_registry(capsys):
    main([])
    out = " ".join(capsys.readouterr().out.split())
    for key, registry in REGISTRIES.items():
        assert f" {key}=" in out
        for name, entry in registry.items():
            assert f" {name}: {entry.label} " in out
