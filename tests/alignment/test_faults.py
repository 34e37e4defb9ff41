"""Full disks, folders that can't be written, two writers, signals: one line each, and nothing is lost."""

import os
import resource
import signal

import numpy as np
import pytest
from helpers.journals import read_journal
from helpers.runs import Run, call, folder_of, outcome, refused, without_bars

from cultural_sp.config.groups import ModelConfig, RegionConfig
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.fitness import Fitness
from cultural_sp.lm.survey_respondent import SurveyRespondent
from cultural_sp.reporting.figures import save_figures
from cultural_sp.runs.folder import HOLDER, LOCK, RunFolder
from cultural_sp.runs.result import load_result

RESUME_HINT = "the same command, without overwrite=true, goes on from what is saved"
pytestmark = [pytest.mark.usefixtures("no_figures"), pytest.mark.slow]  # each test makes several runs
FINISHING = "stopping after the current batch; a second signal stops at once"


@pytest.fixture
def mine(short_run, tmp_path):
    return [*short_run, f"output_dir={tmp_path}"]


@pytest.mark.parametrize("room", [0, 700, 5000, 12500, 20000])
def test_a_full_disk_stops_the_run_with_one_line(monkeypatch, capsys, tmp_path, mine, whole_run, room):
    if room == 20000:
        monkeypatch.setattr("cultural_sp.alignment.outputs.save_figures", save_figures)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:  # no file may grow beyond this; what a full disk does to the writer
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        code, _, err = call(monkeypatch, capsys, *mine)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 2
    (line,) = without_bars(err)
    assert line.startswith(f"error: can't write {folder_of(tmp_path)}")
    assert f"(File too large); make room or give access there, then {RESUME_HINT}" in line
    journal = folder_of(tmp_path) / "evaluations.jsonl"
    if journal.exists() and journal.stat().st_size:
        assert journal.read_bytes().endswith(b"\n")
    assert call(monkeypatch, capsys, *mine)[0] == 0
    assert outcome(folder_of(tmp_path)) == outcome(whole_run)


def test_a_folder_that_cant_be_made_is_one_line(monkeypatch, capsys, tmp_path, mine):
    (tmp_path / "file").touch()
    code, _, err = call(monkeypatch, capsys, *mine, f"output_dir={tmp_path / 'file'}")
    assert code == 2
    (line,) = without_bars(err)
    assert line.startswith(f"error: can't write {folder_of(tmp_path / 'file')} (Not a directory); ")
    assert "choose another output_dir=" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(monkeypatch, capsys, tmp_path, mine):
    tmp_path.chmod(0o500)
    code, _, err = call(monkeypatch, capsys, *mine)
    tmp_path.chmod(0o700)
    assert code == 2
    (line,) = without_bars(err)
    assert f"can't write {folder_of(tmp_path)} (Permission denied)" in line


def test_a_folder_that_becomes_read_only_is_one_line(monkeypatch, capsys, tmp_path, mine, whole_run):
    fitness, calls = Fitness.__call__, []

    def then_read_only(self, prompts, *wording):
        calls.append(len(prompts))
        if len(calls) == 4:
            path = folder_of(tmp_path) / "evaluations.jsonl"
            path.rename(path.with_suffix(".away"))
            path.mkdir()  # can't be opened for writing, by root neither
        return fitness(self, prompts, *wording)

    with monkeypatch.context() as patch:
        patch.setattr(Fitness, "__call__", then_read_only)
        code, _, err = call(monkeypatch, capsys, *mine)
    assert code == 2
    (line,) = without_bars(err)
    path = folder_of(tmp_path) / "evaluations.jsonl"
    assert line.startswith(f"error: can't write {path} (Is a directory); ")
    path.rmdir()
    path.with_suffix(".away").rename(path)
    assert len(read_journal(path)) == 5  # 2 + 2 + 1, and not the batch that couldn't be written
    assert call(monkeypatch, capsys, *mine)[0] == 0
    assert outcome(folder_of(tmp_path)) == outcome(whole_run)


def test_a_second_writer_is_refused_while_the_first_lives(monkeypatch, capsys, tmp_path, mine):
    long = [*mine, "optimizer.budget=3000", "validity=false"]
    first = Run(long, tmp_path / "log")
    folder = folder_of(tmp_path)
    assert first.wait_for_lines(folder / "evaluations.jsonl", 5)
    os.kill(first.process.pid, signal.SIGSTOP)  # so that the folder stays as it is
    for more in ([], ["overwrite=true"]):
        err = refused(monkeypatch, capsys, folder, *long, *more)
        assert f"run folder {folder} is being written by another process (process {first.process.pid} on " in err
        assert "wait for it, or choose another name=" in err
    first.process.kill()
    first.end()
    assert {LOCK, HOLDER} <= {path.name for path in folder.iterdir()}
    code, _, err = call(monkeypatch, capsys, *long, "optimizer.budget=5", "overwrite=true")
    assert code == 0, err
    assert load_result(folder / "result.json").evaluations == 5
    assert not (folder / HOLDER).exists()


def test_a_folder_that_stays_empty_is_removed_with_those_made_for_it(tmp_path):
    config = AlignConfig(model=ModelConfig("m"), region=RegionConfig("us"), output_dir=str(tmp_path / "a" / "b"))
    with RunFolder(config).lock() as folder:
        assert folder.is_dir()
        with pytest.raises(ValueError, match="is being written by another process"), RunFolder(config).lock():
            pass
    assert list(tmp_path.iterdir()) == []
    folder.mkdir(parents=True)
    with RunFolder(config).lock():
        pass
    assert list(folder.iterdir()) == []
    with RunFolder(config).lock():
        (folder / "mine").touch()
    assert {path.name for path in folder.iterdir()} == {"mine", LOCK}


@pytest.mark.parametrize(
    ("number", "code", "sweep"),
    [(signal.SIGINT, 130, False), (signal.SIGTERM, 143, False), (signal.SIGTERM, 143, True)],
)
def test_a_signal_stops_after_the_batch_and_the_run_goes_on(monkeypatch, capsys, tmp_path, mine, number, code, sweep):
    mine = [*mine, "optimizer.budget=300", "validity=false"]
    run = Run([*(["--multirun", "seed=0,1"] if sweep else []), *mine], tmp_path / "log")
    journal = folder_of(tmp_path) / "evaluations.jsonl"
    assert run.wait_for_lines(journal, 12)
    os.kill(run.process.pid, number)
    left, out, errors = run.end()
    assert left == code, errors
    assert ("  stopped\n\nsweep summary: " in out) == sweep
    assert errors[-1] == f"stopped by {number.name}; {RESUME_HINT}"
    assert errors[:-1] in ([], [FINISHING])
    written = len(read_journal(journal))
    assert 11 <= written < 600
    assert not (journal.parents[1] / "seed-1").exists()
    again = Run(mine, tmp_path / "log")
    assert again.wait_for_lines(journal, written + 2)
    os.kill(again.process.pid, number)
    _, out, _ = again.end()
    assert f"going on: {written} of 600 evaluations are there" in out
    assert "again" not in out  # the batch was whole


def test_a_signal_while_the_model_loads_stops_at_once(tmp_path, mine):
    run = Run(mine, tmp_path / "log")
    assert run.wait_for((folder_of(tmp_path) / HOLDER).exists)
    os.kill(run.process.pid, signal.SIGTERM)
    code, _, errors = run.end()
    assert (code, errors[-1]) == (143, f"stopped by SIGTERM; {RESUME_HINT}")  # Python may tell of a destructor before
    assert not (folder_of(tmp_path) / "evaluations.jsonl").exists()


@pytest.mark.parametrize("readout", ["expected", "argmax", "sample"])
@pytest.mark.parametrize("fault", ["nan", "raise"])
def test_model_output_that_is_not_finite_is_a_failed_evaluation(monkeypatch, capsys, tmp_path, mine, readout, fault):
    fitness, calls = Fitness.__call__, []

    def sometimes(self, prompts, *wording):
        calls.append(len(prompts))
        if len(calls) != 2:
            return fitness(self, prompts, *wording)
        if fault == "raise":
            raise FloatingPointError("logits are not finite")
        respondent = self.survey_respondent()
        answer = respondent.answer_wordings

        def broken(given):
            wordings = answer(given)
            for answers in wordings:
                for values in (*answers.log_probs.values(), *answers.valid_mass.values()):
                    values[...] = np.nan
            return wordings

        monkeypatch.setattr(respondent, "answer_wordings", broken)
        try:
            return fitness(self, prompts, *wording)
        finally:
            monkeypatch.setattr(respondent, "answer_wordings", answer)

    monkeypatch.setattr(Fitness, "__call__", sometimes)
    mine = [*mine, f"readout={readout}", "validity=false"]
    code, out, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    losses = [r["loss"] for r in read_journal(folder_of(tmp_path) / "evaluations.jsonl")]
    assert [i for i, loss in enumerate(losses) if loss is None] == [2, 3]
    assert "random_search: 2 of 12 evaluations failed: no answer or no finite loss" in out
    calls.clear()
    code, _, err = call(monkeypatch, capsys, *mine, "optimizer.max_failed_share=0", "name=strict")
    assert code == 2
    assert (
        "2 of 5 evaluations of random_search have no loss (optimizer.max_failed_share=0.0): the model's answers" in err
    )


def test_an_initial_prompt_that_nothing_can_be_compared_with_is_one_line(monkeypatch, capsys, tmp_path, mine):
    answer = SurveyRespondent.answer_wordings

    def without_mass(self, prompts):
        wordings = answer(self, prompts)
        for answers in wordings:
            for values in answers.valid_mass.values():
                values[...] = np.nan
        return wordings

    monkeypatch.setattr(SurveyRespondent, "answer_wordings", without_mass)
    err = refused(monkeypatch, capsys, tmp_path, *mine, "validity=false", "objective.valid_mass_weight=2")
    assert (
        "objective.valid_mass_weight=2.0 compares with the initial prompt, for which the model's output is not" in err
    )
