"""Run folders: journals with every kind of damage, other files of a run, and folders that can't be used."""

import json
import os
import shutil

import pytest
from helpers.malformed import Case, ends_in_one_line
from helpers.runs import folder_of

from cultural_sp.reporting import watch
from cultural_sp.reporting.wandb_tracking import dashboard, sync
from cultural_sp.utils.json_lines import CHECKSUM, encode_line

pytestmark = pytest.mark.slow


def _with_checksum(line, **changes):
    record = {k: v for k, v in json.loads(line).items() if k != CHECKSUM}
    return encode_line({k: v for k, v in (record | changes).items() if v is not ...})


def _changed(number, **changes):
    """Another content of a line, with a checksum that is right."""
    return lambda lines: [*lines[:number], _with_checksum(lines[number], **changes), *lines[number + 1 :]]


def _replaced(number, line):
    return lambda lines: [*lines[:number], line, *lines[number + 1 :]]


def _edited(number, old, new):
    return lambda lines: _replaced(number, lines[number].replace(old, new, 1))(lines)


JOURNALS = {
    "garbage": _replaced(5, b"garbage\n"),
    "an empty line": _replaced(5, b"\n"),
    "half a line": lambda lines: [*lines[:5], lines[5][:40] + b"\n", *lines[6:]],
    "two lines in one": lambda lines: [*lines[:5], lines[5][:-1], *lines[6:]],
    "zero bytes": _replaced(5, b"\0" * 300 + b"\n"),
    "another digit": lambda lines: _edited(5, b'"loss": ', b'"loss": 1')(lines),
    "a wrong checksum": _edited(5, b'"crc32": "', b'"crc32": "0'),
    "no checksum": lambda lines: _replaced(5, json.dumps({"loss": 1.0}).encode() + b"\n")(lines),
    "a list": _replaced(5, b"[1, 2]\n"),
    "a number": _replaced(5, b"3\n"),
    "NaN": _edited(5, b'"loss": ', b'"loss": NaN, "x": '),
    "a nest": _replaced(5, b"[" * 200_000 + b"\n"),
    "latin-1": _replaced(5, "{'é': 1}\n".encode("latin-1")),
    "carriage returns": lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
    "utf-16": lambda lines: [b"".join(lines).decode().encode("utf-16")],
    "binary": lambda lines: [bytes(range(256)) * 100],
    "a line missing": lambda lines: lines[:5] + lines[6:],
    "a line twice": lambda lines: [*lines[:6], *lines[5:]],
    "two lines swapped": lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]],
    "the first evaluation missing": lambda lines: [lines[0], *lines[2:]],
    "no header": lambda lines: lines[1:],
    "two headers": lambda lines: [lines[0], *lines],
    "a broken header": _replaced(0, b'{"schema_version": 3\n'),
    "a header of another version": _changed(0, schema_version=99),
    "a header without version": _changed(0, schema_version=...),
    "a header of another model": _changed(0, weights_hash="0" * 64),
    "a header of another survey": _changed(0, survey_hash="0" * 64),
    "a header of other targets": _changed(0, targets={"us": {"PDI": 1.0, "IDV": 2.0}}),
    "a header of another library": _changed(0, versions={"torch": "0.1"}),
    "a header without batch size": _changed(0, batch_size=...),
    "a header with a batch of none": _changed(0, batch_size=0),
    "a header with a batch of words": _changed(0, batch_size="many"),
    "a loss that is a text": _changed(5, loss="low"),
    "a loss that is missing": _changed(5, loss=...),
    "dimensions that are null": _changed(5, dimensions=None),
    "dimensions that are a list": _changed(5, dimensions=[1.0, 2.0]),
    "dimensions of another survey": _changed(5, dimensions={"XYZ": 3.0}),
    "a mass that is a text": _changed(5, valid_mass="all"),
    "another candidate": _changed(5, fingerprint="0" * 16),
    "another goal": _changed(5, objective="jp"),
    "another search": _changed(5, search="luck"),
    "another index": _changed(5, index=77),
    "an index that is a text": _changed(5, index="five"),
    "more evaluations than asked for": lambda lines: [*lines, lines[-1]],
}


def _run_without_result(whole_run, here, journal=lambda lines: lines):
    folder = folder_of(here / "out")
    shutil.copytree(whole_run, folder, ignore=shutil.ignore_patterns("report", "figures", "result.json", ".lock"))
    lines = (folder / "evaluations.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "evaluations.jsonl").write_bytes(b"".join(journal(lines)))
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace(str(whole_run.parents[3]), str(here / "out")))
    return folder


@pytest.mark.parametrize("name", JOURNALS)
def test_a_damaged_journal_ends_in_one_line(monkeypatch, capsys, tmp_path, short_run, whole_run, name):
    _run_without_result(whole_run, tmp_path, JOURNALS[name])
    case = Case(["output_dir={here}/out"], ["evaluations.jsonl", "another name=", "overwrite=true"])
    ends_in_one_line(monkeypatch, capsys, tmp_path, case, short_run)


FILES = {
    "scores.jsonl with garbage": ("scores.jsonl", lambda text: b"garbage\n" + text),
    "scores.jsonl of no respondent": ("scores.jsonl", lambda text: encode_line({"answers": []}) * 2),
    "scores.jsonl of other answers": (
        "scores.jsonl",
        lambda text: encode_line({"respondent": "naive", "answers": [{"a": 1}]}) * 2,
    ),
    "scores.jsonl of no answers": ("scores.jsonl", lambda text: encode_line({"respondent": "naive", "answers": 3}) * 2),
    "validity.json of nothing": ("validity.json", lambda text: b""),
    "validity.json half": ("validity.json", lambda text: text[:100]),
    "validity.json of a list": ("validity.json", lambda text: b"[]"),
    "validity.json of null": ("validity.json", lambda text: b"null"),
    "validity.json of other keys": ("validity.json", lambda text: b'{"share_interval": [0, 1], "x": 1}'),
    "validity.json in latin-1": ("validity.json", lambda text: b'{"sentence": "\xe9"}'),
    "validity.json of a nest": ("validity.json", lambda text: b"[" * 200_000),
    "config.yaml of nothing": ("config.yaml", lambda text: b""),
    "config.yaml of a list": ("config.yaml", lambda text: b"- a"),
    "config.yaml of a text": ("config.yaml", lambda text: b"hello"),
    "config.yaml that is no YAML": ("config.yaml", lambda text: b"a: [b"),
    "config.yaml in latin-1": ("config.yaml", lambda text: b"a: \xe9"),
    "config.yaml without a group": ("config.yaml", lambda text: text.replace(b"optimizer:", b"optimiser:")),
    "result.json of nothing": ("result.json", lambda text: b""),
    "result.json half": ("result.json", lambda text: text[:500]),
    "result.json of a list": ("result.json", lambda text: b"[]"),
    "result.json of null": ("result.json", lambda text: b"null"),
    "result.json of another version": ("result.json", lambda text: b'{"schema_version": 99}'),
    "result.json without scores": ("result.json", lambda text: text.replace(b'"scores"', b'"stores"', 1)),
    "result.json in latin-1": ("result.json", lambda text: b'{"name": "\xe9"}'),
    "result.json of a nest": ("result.json", lambda text: b"[" * 200_000),
}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_a_run_ends_in_one_line(monkeypatch, capsys, tmp_path, short_run, whole_run, name):
    file, damage = FILES[name]
    folder = _run_without_result(whole_run, tmp_path)
    whole = (whole_run / file).read_bytes() if file == "result.json" else (folder / file).read_bytes()
    (folder / file).write_bytes(damage(whole))
    assert damage(whole) != whole
    case = Case(["output_dir={here}/out"], [file, "overwrite=true"])
    ends_in_one_line(monkeypatch, capsys, tmp_path, case, short_run)


def _source(lines):
    return lambda whole_run, here: _run_without_result(whole_run, here, lines)


SOURCES = {
    "garbage": (_source(JOURNALS["garbage"]), "line 6 is damaged"),
    "another digit": (_source(JOURNALS["another digit"]), "line 6 is damaged"),
    "no header": (_source(JOURNALS["no header"]), "can't be a source"),
    "another survey": (_source(JOURNALS["a header of another survey"]), "survey_hash"),
    "only a header": (_source(lambda lines: lines[:1]), "no evaluation"),
    "nothing": (_source(lambda lines: []), "no evaluation"),
    "no candidates": (_source(_changed(5, z=...)), "soft_prompt=projection"),
    "candidates that are texts": (_source(_changed(5, z=["a", "b", "c", "d"])), "line 6 is damaged"),
    "a candidate that is a number": (_source(_changed(5, z=3)), "line 6 is damaged"),
    "too short a candidate": (_source(_changed(5, z=[1.0])), "line 6 is damaged"),
    "a wrong candidate": (_source(_changed(5, z=[1.0, 2.0, 3.0, 4.0])), "line 6 is damaged"),
    "scores that are texts": (_source(_changed(5, dimensions={"PDI": "a", "IDV": "b"})), "line 6 is damaged"),
    "a header that is a nest": (_source(_replaced(0, b"[" * 200_000 + b"\n")), "line 1 is damaged"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_bad_source_of_a_warm_start_ends_in_one_line(monkeypatch, capsys, tmp_path, short_run, whole_run, name):
    prepare, says = SOURCES[name]
    source = prepare(whole_run, tmp_path)
    case = Case([f"optimizer.warm_start={source}", "output_dir={here}/new"], ["optimizer.warm_start", says])
    ends_in_one_line(monkeypatch, capsys, tmp_path, case, short_run)


def _file(*names):
    def make(here):
        for name in names:
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            (here / name).touch()

    return make


def _folder(name):
    return lambda here: (here / name).mkdir(parents=True)


def _link(name, to):
    def make(here):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).symlink_to(to)

    return make


RUN = "out/align/us/tiny/seed-0"
OUT = ["output_dir={here}/out"]
PLACES = {
    "a file is in the place of output_dir": Case(
        OUT, ["can't write", "Not a directory", "output_dir="], prepare=_file("out")
    ),
    "a file is in the place of the run's name": Case(OUT, ["Not a directory"], prepare=_file("out/align")),
    "a file is in the place of the region": Case(OUT, ["Not a directory"], prepare=_file("out/align/us")),
    "a file is in the place of the run folder": Case(OUT, ["seed-0"], prepare=_file(RUN)),
    "a folder is in the place of the journal": Case(
        OUT, ["evaluations.jsonl", "Is a directory"], prepare=_folder(f"{RUN}/evaluations.jsonl")
    ),
    "a folder is in the place of the lock": Case(OUT, ["seed-0 (Is a directory)"], prepare=_folder(f"{RUN}/.lock")),
    "output_dir is a circle of links": Case(OUT, ["can't write"], prepare=_link("out", "out")),
    "output_dir is a broken link": Case(OUT, ["can't write"], prepare=_link("out", "none/there")),
    "output_dir is too long": Case([f"output_dir={{here}}/{'x' * 300}"], ["name too long"]),
    "output_dir is not for files": Case(["output_dir=/proc/none"], ["can't write /proc/none"]),
    "output_dir is a device": Case(["output_dir=/dev/null"], ["can't write /dev/null"]),
    "the sweep's folder is a file": Case(
        ["--multirun", "seed=0,1", *OUT], ["can't write", "out/sweeps"], prepare=_file("out/sweeps")
    ),
    "the report's folder is a file": Case(
        ["runs={here}", "output={here}/f"], ["no finished run"], prepare=_file("f"), entry="report"
    ),
    "the benchmark's folder is a file": Case(
        ["output_dir={here}/f"], ["f/bench", "Not a directory"], prepare=_file("f"), entry="bench"
    ),
    "the study's folder is a file": Case(
        ["output_dir={here}/f"], ["f/study", "Not a directory"], prepare=_file("f"), entry="study"
    ),
    "the training's folder is a file": Case(
        ["output_dir={here}/f"], ["f/seed-0", "Not a directory"], prepare=_file("f"), entry="positive-control"
    ),
    "watching nothing": Case(["{here}/none"], ["holds no run"], entry=watch.main),
    "watching a file": Case(["{here}/f"], ["holds no run"], prepare=_file("f"), entry=watch.main),
    "syncing nothing": Case(["--offline", "{here}"], ["no finished run"], entry=sync.main),
    "a dashboard of nothing": Case(["{here}"], ["no finished run"], entry=dashboard.main),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_folder_that_cant_be_used_ends_in_one_line(monkeypatch, capsys, tmp_path, short_run, name):
    case = PLACES[name]
    base = short_run if case.entry == "align" else []
    ends_in_one_line(monkeypatch, capsys, tmp_path, case, base)


CLOSED = {
    "output_dir": ("out", OUT, "can't write"),
    "run folder": (RUN, OUT, "can't write"),
    "survey's folder": ("closed", ["survey.instrument={here}/closed/s.yaml"], "Permission denied"),
    "questionnaire's folder": ("closed", ["survey.questionnaire={here}/closed/q.csv"], "Permission denied"),
    "prompt's folder": ("closed", ["soft_prompt.init=file", "soft_prompt.path={here}/closed/p"], "soft_prompt.path="),
}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write anywhere")
@pytest.mark.parametrize("name", CLOSED)
def test_a_folder_without_permission_ends_in_one_line(monkeypatch, capsys, tmp_path, short_run, name):
    folder, overrides, says = CLOSED[name]
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder).chmod(0o500 if overrides == OUT else 0)
    try:
        ends_in_one_line(monkeypatch, capsys, tmp_path, Case([*OUT, *overrides], [says]), short_run)
    finally:
        (tmp_path / folder).chmod(0o700)
