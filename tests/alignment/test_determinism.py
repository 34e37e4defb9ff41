"""The same command on the same machine gives the same numbers, over the whole pipeline and in another process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.runs import call, folder_of, outcome

ROOT = Path(__file__).parents[2]
EVERYTHING = [
    "validity=true",
    "open_ended_questions=true",
    "knowledge=own",
    "knowledge.countries=[China]",
    "readout=sample",
    "readout.report_generate=true",
    "soft_prompt=statements",
    "objective.argmax_weight=0.5",
    "survey.tune_wordings=[0,1]",
    "optimizer.budget=10",
]


def in_another_process(output, overrides):
    """Run the experiment in a process whose sets have another order than those of this one."""
    order = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = {**os.environ, "PYTHONHASHSEED": order, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "experiments" / "align.py"), *overrides, f"output_dir={output}"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=output)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_processes_come_to_the_same_numbers(monkeypatch, capsys, short_run, tmp_path):
    overrides = [*short_run, *EVERYTHING]
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
    in_another_process(tmp_path / "1", overrides)
    code, _, err = call(monkeypatch, capsys, *overrides, f"output_dir={tmp_path}/2")
    assert code == 0, err
    one, two = (outcome(folder_of(tmp_path / name)) for name in ("1", "2"))
    assert one["result"]["knowledge"]
    assert one["result"]["validity"]
    assert {score["readout"] for score in one["result"]["scores"]} == {"expected", "argmax", "sample", "generate"}
    for part in one:
        assert json.dumps(one[part], default=str) == json.dumps(two[part], default=str), part
    for name in ("report/losses.csv", "report/scores.csv", "nearest_tokens.csv", "statements.csv"):
        texts = {(folder_of(tmp_path / n) / name).read_text().replace(str(tmp_path / n), "") for n in ("1", "2")}
        assert len(texts) == 1, name
