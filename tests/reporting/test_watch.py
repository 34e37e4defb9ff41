"""The program ``watch``: what it shows of a run folder."""

import os
import platform
import shutil

import pytest
import yaml
from helpers.journals import write_lines

from cultural_sp.reporting.run_progress import ProgressReader
from cultural_sp.reporting.watch import main, progress_chart, progress_line, run_state, watch
from cultural_sp.utils.json_lines import encode_line

RECORDS = [
    {"search": "random_search", "index": 0, "generation": 0, "loss": 30.0, "l1": 30.0, "seconds": 9.0},
    {"search": "random_search", "index": 1, "generation": 0, "loss": None, "l1": None, "seconds": 9.0},
    {"search": "aligned", "index": 0, "generation": 0, "loss": 30.0, "l1": 30.0, "seconds": 9.0},
    {"search": "aligned", "index": 1, "generation": 1, "loss": 20.0, "l1": 20.5, "seconds": 2.0},
    {"search": "aligned", "index": 2, "generation": 1, "loss": 25.0, "l1": 25.0, "seconds": 4.0},
]
OTHERS = {"objective": "us", "valid_mass": 0.5}
CONFIG = {"optimizer": {"budget": 3}, "survey": {"tune_wordings": [0]}, "objective": {"kind": "l1"}}


@pytest.fixture
def folder(tmp_path):
    """A run of 2 x 3 evaluations with one to go, in this process."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    lines = [{"targets": {"us": {"PDI": 40.0, "IDV": None}}}]
    lines += [{**record, **OTHERS, "dimensions": {"PDI": 50.0 + record["index"], "IDV": -3.0}} for record in RECORDS]
    write_lines(tmp_path / "evaluations.jsonl", lines)
    (tmp_path / ".holder").write_text(f"process {os.getpid()} on {platform.node()}")
    return tmp_path


def test_progress_is_that_of_the_search_that_goes_on(folder):
    line = "aligned: 5 of 6 evaluations, generation 1, best 20.50 index points off the target, 0:00:03 left"
    with (folder / "evaluations.jsonl").open("a") as journal:
        journal.write('{"search": "ali')  # on its way
    progress = ProgressReader(folder).read()
    assert progress_line(progress) == line
    assert progress_chart(progress) == [
        line,
        "  PDI ================|====................... " + "  51  target 40",
        "  IDV =....................................... " + "  -3  target -",
    ]


def test_before_the_first_evaluation(folder):
    journal = folder / "evaluations.jsonl"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    assert (
        progress_line(ProgressReader(folder).read())
        == "starting: 0 of 6 evaluations, generation 0, no loss yet, time left unknown"
    )
    journal.write_bytes(b"")
    assert ProgressReader(folder).read() is None


def test_a_journal_that_is_replaced_is_read_from_its_start(folder):
    journal, reader = folder / "evaluations.jsonl", ProgressReader(folder)
    lines = journal.read_bytes().splitlines(keepends=True)
    assert reader.read().n_evaluations == 5
    journal.write_bytes(b"".join(lines[:3]))  # a torn batch was cut off
    assert reader.read().n_evaluations == 2
    header = encode_line({"targets": {"us": {"PDI": 41.25, "IDV": None}}})
    journal.write_bytes(header + b"".join(lines[1:]))  # another run, further than the first one was
    reader.read()
    progress = reader.read()
    assert (progress.n_evaluations, progress.histories[0].target["PDI"]) == (5, 41.25)
    journal.unlink()
    assert reader.read() is None


def test_states(folder):
    assert run_state(folder) == ""
    (folder / ".holder").write_text(f"process {2**22 + 1} on {platform.node()}")  # above Linux's largest
    assert run_state(folder) == "stopped"
    (folder / ".holder").write_text("process 1 on another-machine")
    assert run_state(folder) == ""
    (folder / ".holder").unlink()
    assert run_state(folder) == "stopped"
    (folder / "result.json").touch()
    assert run_state(folder) == "finished"


def test_a_line_per_generation_until_the_run_ends(folder, capsys):
    journal = folder / "evaluations.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    steps = [lines[:2], lines[:3], lines[:4], lines[:5], lines]
    journal.write_bytes(b"")

    def wait(seconds):
        if steps:
            journal.write_bytes(b"".join(steps.pop(0)))
        else:
            (folder / "result.json").touch()

    watch(folder, redraw=False, wait=wait)
    out = capsys.readouterr().out.splitlines()
    assert [line.split(" evaluations")[0] for line in out[:-1]] == [
        "random_search: 1 of 6",
        "aligned: 3 of 6",
        "aligned: 4 of 6",
        "aligned: 5 of 6",
    ]
    assert out[-1] == f"finished: {folder}"


def test_a_terminal_is_redrawn(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    watch(folder, redraw=True, wait=lambda seconds: (folder / ".holder").unlink())
    shown = "\n".join(progress_chart(ProgressReader(folder).read()))
    assert capsys.readouterr().out == f"{shown}\n\x1b[3A\x1b[J{shown}\nstopped: {folder}\n"


def test_a_joint_run_has_a_line_per_region(folder, capsys, monkeypatch):
    journal = folder / "evaluations.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    header = {"targets": {"us": {"PDI": 40.0, "IDV": None}, "jp": {"PDI": 51.0, "IDV": -1.0}}}
    journal.write_bytes(encode_line(header) + b"".join(lines[1:]))
    first, *regions = progress_chart(ProgressReader(folder).read())
    assert "best 10.75 index points off the target (mean of 2 regions), " in first
    assert regions == [  # for jp the second of its three candidates: scores of 51 and -3
        "  us  20.50 off  PDI   51 (40)  IDV   -3 (-)",
        "  jp   1.00 off  PDI   51 (51)  IDV   -3 (-1)",
    ]
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "4")
    watch(folder, redraw=True, wait=lambda seconds: (folder / ".holder").unlink())
    assert "\x1b[2A\x1b[Jaligned: 5 of 6 eva\n  us  20.50 off  PD\nstopped" in capsys.readouterr().out
    for code, state in (("us", "stopped"), ("jp", "finished")):
        (folder / code).mkdir()
        (folder / code / "result.json").touch()
        assert run_state(folder) == state


def test_no_run_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as leaving:
        main([str(tmp_path)])
    assert leaving.value.code == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path} holds no run that goes on or has ended; give the run folder that a run prints\n"
    )


def test_a_real_run_is_read(whole_run, tmp_path, capsys):
    shutil.copytree(whole_run, tmp_path / "run")
    before = sorted((tmp_path / "run").rglob("*"))
    main([str(tmp_path / "run")])
    assert "aligned: 24 of 24 evaluations, generation 2, best " in capsys.readouterr().out
    assert sorted((tmp_path / "run").rglob("*")) == before
