"""Options of one's own in ``--config-dir``: YAML files of every group, damaged or with the wrong content."""

import pytest
from helpers.malformed import Case, ends_in_one_line

from cultural_sp.config.schema import GROUPS

pytestmark = pytest.mark.slow

FIRST = {  # a key of each group, and a value of the wrong type
    "model": ("name_or_path", "[a]"),
    "region": ("code", "[us]"),
    "survey": ("instrument", "{a: b}"),
    "readout": ("kind", "[argmax]"),
    "soft_prompt": ("dim", "many"),
    "optimizer": ("budget", "1.5"),
    "objective": ("constant", "fifty"),
    "knowledge": ("kind", "[own]"),
    "tracker": ("mode", "{a: b}"),
}
DAMAGE = {
    "is no YAML": lambda key, value: f"{key}: [a, b",
    "has tabs": lambda key, value: f"{key}:\n\t- a",
    "is a list": lambda key, value: "- a\n- b",
    "is a text": lambda key, value: "hello",
    "is in latin-1": lambda key, value: f"{key}: é".encode("latin-1"),
    "holds an object": lambda key, value: f"{key}: !!python/object/apply:os.system ['touch pwned']",
    "has an unknown key": lambda key, value: f"no_such_key: 1\n{key}: 1",
    "has a value of the wrong type": lambda key, value: f"{key}: {value}",
    "refers to nothing": lambda key, value: f"{key}: ${{no.such.key}}",
}
CASES = {f"{group} that {what}": (group, damage(*FIRST[group])) for group in GROUPS for what, damage in DAMAGE.items()}


@pytest.mark.parametrize("name", CASES)
def test_it_ends_in_one_line(monkeypatch, capsys, tmp_path, name):
    group, content = CASES[name]
    case = Case(["--config-dir={here}/own", f"{group}=mine"], [], {f"own/{group}/mine.yaml": content})
    base = [] if group == "model" else ["model.name_or_path={here}/none"]
    line = ends_in_one_line(monkeypatch, capsys, tmp_path, case, base)
    assert any(said in line for said in (group, "mine.yaml", FIRST[group][0])), line
    assert "no model folder" not in line
    assert not (tmp_path / "pwned").exists()
