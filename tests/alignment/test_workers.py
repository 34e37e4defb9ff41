import re
import time

import numpy as np
import psutil
import pytest
from helpers.journals import read_journal
from helpers.processes import start
from helpers.runs import call, folder_of

from cultural_sp.alignment.workers import WorkerGroup, join
from cultural_sp.config.groups import ModelConfig
from cultural_sp.studies.benchmark.scaling import scaling


def losses(output):
    return [(r["search"], r["fingerprint"], r["loss"]) for r in read_journal(folder_of(output) / "evaluations.jsonl")]


def test_a_team_of_one_scores_in_order():
    workers = WorkerGroup()
    batches = [np.full((2, 1), value) for value in (1.0, 2.0)]
    with workers.leader():
        workers.start()
        assert workers.score(lambda z: float(z.sum()), batches) == [2.0, 4.0]


@pytest.mark.parametrize(
    ("environment", "config", "message"),
    [
        (
            {"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1"},
            {},
            "accelerate launch --cpu has started one process where several were asked for; use: torchrun",
        ),
        ({"WORLD_SIZE": "2"}, {"device_map": "auto"}, "model.device_map=auto spreads one model over all GPUs"),
        ({"WORLD_SIZE": "2"}, {"device": "cuda:1"}, "model.device=cuda:1 would put 2 processes on one GPU"),
    ],
)
def test_processes_that_can_not_work_together_are_refused(monkeypatch, environment, config, message):
    for key in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(key, raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(ValueError, match=re.escape(message)):
        join(ModelConfig(name_or_path="x", **config))


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, pytest.param(3, marks=pytest.mark.exhaustive)])
def test_more_processes_give_the_same_run(short_run, whole_run, tmp_path, size):
    run = start(size, [*short_run, f"output_dir={tmp_path}"], tmp_path / "log")
    assert run.wait(timeout=300) == 0, (tmp_path / "log.err").read_text()
    assert losses(tmp_path) == losses(whole_run.parents[3])
    for name in ("soft_prompt/adapter_model.safetensors", "scores.jsonl"):
        assert (folder_of(tmp_path) / name).read_bytes() == (whole_run / name).read_bytes()
    assert (tmp_path / "log").read_text().count("run folder: ") == 1, "only the first process prints"


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_a_run_that_loses_a_process_says_so_and_goes_on_with_fewer(
    monkeypatch, capsys, short_run, whole_run, tmp_path, victim
):
    longer = [*short_run, f"output_dir={tmp_path}"]
    run = start(2, longer, tmp_path / "log")
    journal = folder_of(tmp_path) / "evaluations.jsonl"
    while not journal.exists() or len(journal.read_bytes().splitlines()) < 5:
        assert run.poll() is None, (tmp_path / "log.err").read_text()
        time.sleep(0.005)
    for process in psutil.Process(run.pid).children():
        if process.environ().get("RANK") == str(victim):
            process.kill()
    assert run.wait(timeout=120) != 0
    errors = (tmp_path / "log.err").read_text()
    if "SIGTERM" not in errors:  # the launcher may end the survivor before it notices
        assert "error: another process of this run has ended; the same command" in errors
    code, _, err = call(monkeypatch, capsys, *longer)
    assert code == 0, err
    assert losses(tmp_path) == losses(whole_run.parents[3])


@pytest.mark.slow
def test_bad_input_is_reported_once(short_run, tmp_path):
    run = start(2, [*short_run, f"output_dir={tmp_path}", "region.code=xx"], tmp_path / "log")
    assert run.wait(timeout=120) != 0
    assert (tmp_path / "log.err").read_text().count("error: ") == 1


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_embedded_model_in_one_two_and_three_processes():
    table = scaling(["optimizer.population=4", "optimizer.budget=8"], (1, 2, 3), rounds=1)
    rows = [line.split() for line in table.splitlines()[1:]]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert all(float(row[3]) <= 1e-5 for row in rows), table
