"""What a user's files bring along can't steer the terminal."""

import ast
import json
import unicodedata
from pathlib import Path

import pytest
from helpers.runs import call, folder_of
from helpers.tiny import TOY

from cultural_sp.cli.run_jobs import check_survey
from cultural_sp.reporting.text_tables import text_table
from cultural_sp.reporting.watch import watch
from cultural_sp.utils.terminal import STEERING, one_line, show, visible

PACKAGE = Path(__file__).parents[2] / "cultural_sp"
EVIL = "\x1b[2J\x1b]0;gone\x07\u202edlrow\u2069\x9b31m\u200fx"
YAML_EVIL = json.dumps(EVIL)[1:-1]


def test_characters_that_steer_are_written_out():
    assert visible("a\x1b[31mb\u202ec\x9bd\r\n\te\udcff") == "a\\x1b[31mb\\u202ec\\x9bd\\r\n\te\\udcff"
    assert one_line("a\nb\tc\x00") == "a b c\\x00"
    for number in range(0x110000):
        character = chr(number)
        steers = unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") and character not in "\n\t"
        direction = unicodedata.bidirectional(character) in (
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        )
        if steers or direction:
            assert STEERING.match(character), hex(number)


@pytest.mark.parametrize("text", ["São Tomé", "العربية", "हिन्दी", "中文", "می\u200cخواهم", "👩\u200d🔬"])  # fmt: skip
def test_letters_of_all_languages_stay(text):
    assert visible(text) == text


def test_errors_are_one_line(capsys):
    show("error: a\nb\x1b", error=True)
    show("a\nb")
    out, err = capsys.readouterr()
    assert (out, err) == ("a\nb\n", "error: a b\\x1b\n")


def test_a_table_keeps_its_columns():
    lines = text_table(["head", "x"], [["a\x1b[1m\nb", "1"], ["c", "22"]]).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1


def test_everything_is_printed_by_one_function():
    printing = [
        str(path.relative_to(PACKAGE))
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write", "sys.stderr.write")
    ]
    # A bar's own text, and the chart of watch, whose lines are made visible before the cursor is moved.
    assert sorted(set(printing)) == ["reporting/watch.py", "utils/progress.py", "utils/terminal.py"]
    assert len(printing) == 3


@pytest.fixture(scope="module")
def evil_survey(tmp_path_factory):
    """A survey whose every text holds escape sequences."""
    text = TOY.replace("title: Toy survey", f'title: "Toy {YAML_EVIL}"')
    text = text.replace("targets: hofstede.csv\ndefault_vintage: insights_2021", f"""\
targets:
  now:
    harbour: {{country: "Har {YAML_EVIL} bour", PDI: 40, IDV: 91}}
    hill: {{country: "Hill {YAML_EVIL}", PDI: 50, IDV: 20}}
default_vintage: now""")  # fmt: skip
    text = text.replace('"Do you like apples?"', f'"Do you {YAML_EVIL} like apples?"')
    text = text.replace("You like apples.", f'"You {YAML_EVIL} like apples."')
    assert text.count(YAML_EVIL) == 5
    path = tmp_path_factory.mktemp("evil") / "evil.yaml"
    path.write_text(text)
    return path


def harmless(text):
    assert not STEERING.search(text), STEERING.search(text)


@pytest.mark.slow
@pytest.mark.usefixtures("no_figures")
def test_no_program_passes_them_on(monkeypatch, capsys, tmp_path, short_run, evil_survey):
    monkeypatch.setattr("sys.argv", ["check-survey", str(evil_survey)])
    check_survey()
    out = capsys.readouterr().out
    assert "Toy \\x1b[2J" in out
    harmless(out)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "noted.yaml").write_text(f'name_or_path: tiny\nnote: "{YAML_EVIL}"\n')
    given = [f"--config-dir={tmp_path}/conf", "model=noted", *short_run, f"output_dir={tmp_path}"]
    given.append(f"survey.instrument={evil_survey}")
    code, out, err = call(monkeypatch, capsys, "--multirun", *given, "region.code=harbour,hill")
    assert code == 0, err
    assert "\\x1b[2J" in out
    harmless(out + err)
    code, out, err = call(monkeypatch, capsys, *given, "region=joint", "region.codes=[harbour,hill]")
    assert code == 0, err
    assert "\\u202edlrow" in out
    harmless(out + err)
    folder = folder_of(tmp_path).parents[2] / "harbour" / "tiny" / "seed-0"
    for program, more in (("evaluate", []), ("ask", ["question=Hi"]), ("side-effects", [])):
        prompt = f"soft_prompt.path={folder / 'soft_prompt'}"
        code, out, err = call(monkeypatch, capsys, prompt, *more, entry=program)
        assert code == 0, err
        assert "\\x1b[2J" in out
        harmless(out + err)
    watch(folder, redraw=False)
    watch(folder, redraw=True)
    harmless(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("survey", ["survey.instrument={here}/bad.yaml"]),
        ("region", ["region.code='Har\x1bbour'"]),
        ("model", ["model.name_or_path=/no\x1b[31mwhere\u202e"]),
        ("value", ["objective.kind='l\x1b1'"]),
        ("group", ["optimizer=de\x9bx"]),
    ],
)
def test_errors_do_not_pass_them_on(monkeypatch, capsys, tmp_path, name, overrides):
    (tmp_path / "bad.yaml").write_text(f'name: "{YAML_EVIL}"\n"{YAML_EVIL}\\nb": 1\n')
    code, out, err = call(monkeypatch, capsys, *overrides, here=tmp_path)
    assert code == 2
    assert err.count("\n") == 1
    harmless(out + err)
