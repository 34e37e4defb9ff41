"""The same command on the same machine gives the same numbers, over the whole pipeline and in separate processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.runs import folder_of, outcome

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


def _run(output, overrides, hash_seed):
    """One process of its own, whose sets have an order of their own."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "experiments" / "align.py"), *overrides, f"output_dir={output}"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=output)
    assert done.returncode == 0, done.stderr
    return outcome(folder_of(output))


@pytest.mark.slow
def test_two_processes_come_to_the_same_numbers(short_run, tmp_path):
    found = []
    for hash_seed in (1, 2):
        output = tmp_path / str(hash_seed)
        output.mkdir()
        found.append(_run(output, [*short_run, *EVERYTHING], hash_seed))
    one, two = found
    assert one["result"]["knowledge"]
    assert one["result"]["validity"]
    assert {score["readout"] for score in one["result"]["scores"]} == {"expected", "argmax", "sample", "generate"}
    for part in one:
        assert json.dumps(one[part], default=str) == json.dumps(two[part], default=str), part
    for name in ("report/losses.csv", "report/scores.csv", "nearest_tokens.csv", "statements.csv"):
        texts = {(folder_of(tmp_path / n) / name).read_text().replace(str(tmp_path / n), "") for n in ("1", "2")}
        assert len(texts) == 1, name
