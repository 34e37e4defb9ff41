"""Every option is documented where it is defined, and a command lists it."""

import pytest

from cultural_sp.benchmark.config import BenchmarkConfig, GeometryConfig
from cultural_sp.config import GROUPS, AlignConfig
from cultural_sp.options import choices, main, options_of
from cultural_sp.positive_control.config import ControlConfig
from cultural_sp.report.config import ReportConfig
from cultural_sp.study.config import StudyConfig

SCHEMAS = [AlignConfig, *GROUPS.values(), BenchmarkConfig, GeometryConfig, ControlConfig, ReportConfig, StudyConfig]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_every_option_is_documented(schema):
    assert schema.__doc__
    options = options_of(schema)
    assert {option.name for option in options} == set(schema.__dataclass_fields__) - set(GROUPS)
    assert [option.name for option in options if len(option.doc) < 10] == []


def test_the_command_lists_every_option_with_its_default(capsys):
    main([])
    out = capsys.readouterr().out
    for group, schema in GROUPS.items():
        assert f"{group}=...: {schema.__doc__}"[:60] in out
        assert ", ".join(choices(group)[:3]) in out
        for option in options_of(schema):
            assert f"  {group}.{option.name}=" in out
    assert "  optimizer.budget=80  (int)\n      Evaluations of the search" in out
    assert max(map(len, out.splitlines())) <= 120


def test_the_command_lists_what_is_asked_for(capsys):
    main(["optimizer.b", "seed"])
    keys = [
        line.split("=")[0].strip()
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("  ") and "(" in line
    ]
    assert {"seed", "optimizer.seed", "optimizer.budget"} <= set(keys)
    assert "model.dtype" not in keys
