"""Sweeps: what their jobs share, what a restart does, and what they end with."""

import csv
import html
import json
import resource
import subprocess
import sys
import weakref
from concurrent.futures.process import BrokenProcessPool
from shutil import copytree

import pytest
from helpers.journals import read_journal
from helpers.runs import Run, call, outcome, without_bars
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

import cultural_sp.alignment.run
import cultural_sp.evaluation.evaluator
from cultural_sp.cli.command import run
from cultural_sp.cli.sweep import RUNNING, Outcome
from cultural_sp.cli.sweep_callback import SweepCallback, summary_after_failure
from cultural_sp.evaluation.fitness import Fitness
from cultural_sp.runs.methods import icl_keys

REGIONS = ("us", "jp", "cn", "in")
pytestmark = [pytest.mark.usefixtures("no_figures"), pytest.mark.slow]  # each test makes several runs


def sweep_of(short_run, output, *overrides):
    return ["--multirun", *short_run, f"output_dir={output}", *overrides]


def folder_of(output, region, model="tiny", name="align"):
    return output / name / region / model / "seed-0"


def summary_in(output):
    """The rows of the only summary there."""
    (path,) = (output / "sweeps").glob("*.csv")
    with path.open() as handle:
        return list(csv.DictReader(handle))


def files(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def four_regions(short_run):
    return [*short_run, "optimizer.budget=40", f"region={','.join(REGIONS)}"]


@pytest.fixture(scope="module")
def whole_sweep(four_regions, tmp_path_factory):
    """Output folder of a sweep that nothing stopped, and how often it loaded a model and checked its validity."""
    output, calls = tmp_path_factory.mktemp("sweep"), []

    def counted(name, function):
        return lambda *arguments: (calls.append(name), function(*arguments))[1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cultural_sp.alignment.outputs.save_figures", lambda *arguments: None)
        patch.setattr("cultural_sp.alignment.setup.load_model", counted("load", cultural_sp.alignment.setup.load_model))
        patch.setattr(
            "cultural_sp.evaluation.validity_check.assess_validity",
            counted("validity", cultural_sp.evaluation.validity_check.assess_validity),
        )
        patch.setattr(sys, "argv", ["align.py", *sweep_of(four_regions, output)])
        run("align")
    return output, calls


def test_four_jobs_load_the_model_and_check_validity_once(whole_sweep):
    output, calls = whole_sweep
    assert calls == ["load", "validity"]
    assert len({(folder_of(output, region) / "validity.json").read_bytes() for region in REGIONS}) == 1


def test_a_job_of_a_sweep_comes_to_what_it_comes_to_alone(
    monkeypatch, capsys, tmp_path, short_run, four_regions, whole_sweep
):
    alone = [*short_run, "optimizer.budget=40", "region=in", f"output_dir={tmp_path}"]
    assert call(monkeypatch, capsys, *alone)[0] == 0
    assert outcome(folder_of(tmp_path, "in")) == outcome(folder_of(whole_sweep[0], "in"))


def test_a_killed_sweep_does_only_what_is_left(monkeypatch, capsys, tmp_path, four_regions, whole_sweep):
    output = tmp_path / "killed"
    run = Run(sweep_of(four_regions, output), tmp_path / "log")
    assert run.wait_for_lines(folder_of(output, "jp") / "evaluations.jsonl", 10)
    run.process.kill()
    run.end()
    finished = files(folder_of(output, "us"))
    written = len(read_journal(folder_of(output, "jp") / "evaluations.jsonl"))
    assert 9 <= written < 80
    assert not (folder_of(output, "jp") / "result.json").exists()
    code, out, err = call(monkeypatch, capsys, *sweep_of(four_regions, output))
    assert code == 0, err
    assert files(folder_of(output, "us")) == finished
    assert f"going on: {written} of 80 evaluations are there" in out
    for region in REGIONS:
        assert outcome(folder_of(output, region)) == outcome(folder_of(whole_sweep[0], region))
    assert [row["state"] for row in summary_in(output)] == ["was finished", *["finished now"] * 3]


def test_a_finished_sweep_is_over_at_once_without_torch(four_regions, whole_sweep):
    output, _ = whole_sweep
    before = files(output / "align")
    script = (
        "import sys; from cultural_sp.cli.command import run; run('align');"
        "print({'torch', 'transformers', 'peft'} & set(sys.modules))"
    )
    before_it = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", script, *sweep_of(four_regions, output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert spent.ru_utime + spent.ru_stime - before_it.ru_utime - before_it.ru_stime < 10  # other processes don't count
    assert done.stdout.splitlines()[-1] == "set()"
    assert files(output / "align") == before
    assert [row["state"] for row in summary_in(output)] == ["was finished"] * 4


def test_a_failed_job_is_named_and_the_others_finish(monkeypatch, capsys, tmp_path, short_run):
    sweep = sweep_of(
        short_run, tmp_path, "validity=false", "region=us,sa", "optimizer.f1=0.5,0.7", "name=${optimizer.f1}"
    )
    code, out, err = call(monkeypatch, capsys, *sweep, "region.vintage=matrix_2015")
    assert code == 2
    reason = "region.code='sa' has no score in region.vintage=matrix_2015; it has in: "
    last = without_bars(err)[-1]
    assert last.startswith(f"error: 2 of 4 jobs failed: job 2 region=sa optimizer.f1=0.5: {reason}")
    rows = summary_in(tmp_path)
    states = ["finished now"] * 2 + ["failed"] * 2
    assert [(r["job"], r["region"], r["state"]) for r in rows] == list(
        zip("0123", ("us", "us", "sa", "sa"), states, strict=True)
    )
    assert [r["optimizer.f1"] for r in rows] == ["0.5", "0.7"] * 2
    assert rows[2]["error"].startswith(reason)
    assert rows[2]["aligned"] == rows[2]["run_folder"] == ""
    result = json.loads((tmp_path / "0.7/us-matrix_2015/tiny/seed-0/result.json").read_text())
    tuned = {r["method"]: r["loss"] for r in result["scores"] if (r["wording"], r["readout"]) == ("tuned", "expected")}
    tuned["icl"] = min(tuned[method] for method in icl_keys() if method in tuned)
    for method in ("aligned", "naive", "persona", "icl", "random_search", "midpoint"):
        assert float(rows[1][method]) == tuned[method]
    table = out[out.index("job  region") :].splitlines()
    assert " ".join(table[0].split()) == (
        "job region seed optimizer.f1 aligned naive persona ICL random search midpoint state"
    )
    assert table[3].split()[:5] == ["1", "us", "0", "0.7", f"{tuned['aligned']:.1f}"]
    assert table[4].split()[4] == "failed:"
    (csv_file,) = (tmp_path / "sweeps").glob("*.csv")
    assert out.splitlines()[-1] == f"sweep summary: {csv_file}"
    report = csv_file.with_suffix("") / "report.html"
    assert f"report: {report}" in out.splitlines()
    assert "left out: job 2 region=sa optimizer.f1=0.5, because region.code=" in html.unescape(report.read_text())
    assert [path.name for path in (tmp_path / "sweeps").iterdir() if path.is_dir()] == [report.parent.name]


def test_a_sweep_over_models_keeps_one_at_a_time(monkeypatch, capsys, tmp_path, tiny_folder, short_run):
    models = [tmp_path / "one", tmp_path / "two"]
    for model in models:
        copytree(tiny_folder, model)
    load, seen = cultural_sp.alignment.setup.load_model, []

    def watched(config):
        assert [model() for model in seen] == [None] * len(seen)  # gone before the next one comes
        lm = load(config)
        seen.append(weakref.ref(lm.model))
        return lm

    monkeypatch.setattr("cultural_sp.alignment.setup.load_model", watched)
    sweep = sweep_of(short_run, tmp_path, f"model.name_or_path={models[0]},{models[1]}", "region=us,jp")
    code, _, err = call(monkeypatch, capsys, *sweep)
    assert code == 0, err
    assert len(seen) == 2
    assert seen[1]() is None  # nothing outlives the sweep
    assert [row["model"] for row in summary_in(tmp_path)] == [str(models[0])] * 2 + [str(models[1])] * 2
    assert outcome(folder_of(tmp_path, "jp", "one"))["journal"] == outcome(folder_of(tmp_path, "jp", "two"))["journal"]


def test_a_batch_size_that_a_journal_fixes_stays_with_its_job(monkeypatch, capsys, tmp_path, short_run):
    mine = [*short_run, f"output_dir={tmp_path}", "validity=false"]
    with monkeypatch.context() as patch:
        patch.setattr(Fitness, "batch_size", lambda self, prompt: 3)
        assert call(monkeypatch, capsys, *mine, "region=us")[0] == 0
    (folder_of(tmp_path, "us") / "result.json").unlink()
    sizes = []
    fitness = Fitness.__call__
    monkeypatch.setattr(Fitness, "__call__", lambda self, z, *w: (sizes.append(len(z)), fitness(self, z, *w))[1])
    with (folder_of(tmp_path, "us") / "evaluations.jsonl").open("rb+") as handle:
        handle.truncate(len(handle.readline()))
    code, _, err = call(monkeypatch, capsys, "--multirun", *mine, "region=us,jp")
    assert code == 0, err
    for region, size in (("us", 3), ("jp", 2)):
        header = json.loads((folder_of(tmp_path, region) / "evaluations.jsonl").read_bytes().splitlines()[0])
        assert header["batch_size"] == size
    assert max(sizes[: len(sizes) // 2]) == 3
    assert max(sizes[-5:]) == 2


def test_a_job_that_fails_leaves_nothing_to_the_next(monkeypatch, capsys, tmp_path, short_run):
    load, weights, loads = cultural_sp.alignment.setup.load_model, cultural_sp.alignment.setup.weights_hash, []
    monkeypatch.setattr(
        "cultural_sp.alignment.setup.load_model", lambda config: (loads.append(config), load(config))[1]
    )

    def touched(model):
        digest = weights(model)
        if len(loads) == 1:
            model.get_input_embeddings().weight.data[0, 0] += 1
        return digest

    monkeypatch.setattr("cultural_sp.alignment.setup.weights_hash", touched)
    sweep = sweep_of(short_run, tmp_path, "validity=false", "region=us,jp")
    with pytest.raises(AssertionError, match="a weight of the frozen model changed"):
        call(monkeypatch, capsys, *sweep)
    rows = summary_in(tmp_path)
    assert [row["state"] for row in rows] == ["failed", "finished now"]
    assert rows[0]["error"] == "AssertionError: a weight of the frozen model changed"
    assert len(loads) == 2


@pytest.fixture
def start_sweep(tmp_path):
    """Announce a sweep as Hydra does, with one finished job and one that runs; returns the sweep."""

    def start():
        hydra = {
            "job": {"name": "align"},
            "sweep": {"dir": str(tmp_path / "sweeps")},
            "overrides": {"task": ["region=us,jp"]},
        }
        callback = SweepCallback()
        callback.on_multirun_start(OmegaConf.create({"name": "align", "hydra": hydra}))
        for number, state in ((0, "finished now"), (1, RUNNING)):
            overrides = [f"seed={number}"]
            outcome = Outcome(number, overrides, region="us", seed=number, model="m", readout=None, state=state)
            callback.sweep.record(outcome)
        return callback.sweep

    return start


def test_a_job_whose_process_died_has_failed(capsys, tmp_path, start_sweep):
    failed = []
    with summary_after_failure(failed):
        start_sweep()
        SweepCallback.current.on_multirun_end(None)
    assert len(failed) == 1
    assert "1 of 2 jobs failed: job 1 seed=1: its process ended before the job did" in capsys.readouterr().err
    assert [row["state"] for row in summary_in(tmp_path)] == ["finished now", "failed"]


def test_a_fault_of_the_summary_is_not_hidden(monkeypatch, start_sweep):
    def fail(*arguments, **options):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("cultural_sp.cli.sweep_callback.report", fail)
    with pytest.raises(ZeroDivisionError, match="a fault"), summary_after_failure([]):
        start_sweep()
        SweepCallback.current.on_multirun_end(None)


def test_a_launcher_that_gives_up_is_one_line(capsys, tmp_path, start_sweep):
    failed = []
    with summary_after_failure(failed):
        start_sweep()
        raise BrokenProcessPool("a worker was killed\n\nby somebody")
    assert failed == ["the launcher gave up: a worker was killed by somebody"]
    assert capsys.readouterr().err == f"error: {failed[0]}\n"
    assert [row["state"] for row in summary_in(tmp_path)] == ["finished now", "not finished"]


def test_a_sweep_into_a_folder_that_cant_be_made_is_one_line(monkeypatch, capsys, tmp_path, short_run):
    (tmp_path / "file").touch()
    code, _, err = call(monkeypatch, capsys, *sweep_of(short_run, tmp_path / "file", "seed=0,1"))
    assert code == 2
    assert err.startswith(f"error: can't write {tmp_path / 'file' / 'sweeps'} (Not a directory); ")
    assert err.count("\n") == 1


def test_a_summary_that_cant_be_written_is_one_line_and_the_table_is_there(capsys, start_sweep):
    failed = []
    with pytest.raises(KeyboardInterrupt), summary_after_failure(failed):
        sweep = start_sweep()
        sweep.summary.mkdir()
        raise KeyboardInterrupt
    (error,) = failed
    assert error.startswith(f"can't write {sweep.summary} (Is a directory)")
    out, err = capsys.readouterr()
    assert out.splitlines()[-2].endswith("  not finished")
    assert err == f"error: {error}\n"


@pytest.mark.parametrize(
    ("launcher", "plugin", "extra"), [("parallel", "joblib", "joblib"), ("slurm", "submitit", "slurm")]
)
def test_a_launcher_that_is_not_installed_is_one_line(
    monkeypatch, capsys, tmp_path, short_run, launcher, plugin, extra
):
    Plugins.instance()  # finds those that are installed
    for name in ("joblib.yaml", "submitit_slurm.yaml"):
        monkeypatch.delitem(ConfigStore.instance().repo["hydra"]["launcher"], name, raising=False)
    code, _, err = call(monkeypatch, capsys, *sweep_of(short_run, tmp_path, f"hydra/launcher={launcher}"))
    assert code == 2
    assert err == f"error: hydra/launcher: the {plugin} launcher is not installed; pip install 'cultural-sp[{extra}]'\n"
    assert list(tmp_path.iterdir()) == []


LAUNCHERS = {
    "parallel": "hydra_plugins.hydra_joblib_launcher",
    "submitit_local": "hydra_plugins.hydra_submitit_launcher",
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_jobs_in_other_processes_share_a_table(monkeypatch, capsys, tmp_path, four_regions, whole_sweep, launcher):
    pytest.importorskip(LAUNCHERS[launcher])
    for region in ("us", "jp"):
        copytree(folder_of(whole_sweep[0], "us"), folder_of(tmp_path, region))
    sweep = sweep_of(four_regions, tmp_path, f"hydra/launcher={launcher}", "region=us,jp")
    code, out, err = call(monkeypatch, capsys, *sweep)
    assert code == 2
    assert [row["state"] for row in summary_in(tmp_path)] == ["was finished", "failed"]
    (last,) = [line for line in err.splitlines() if "jobs failed" in line]
    assert last.startswith("error: 1 of 2 jobs failed: job 1 region=jp: run folder ")
    assert "region.code=us there, jp here" in last
    assert "sweep summary: " in out


@pytest.mark.parametrize("launcher", ["parallel", pytest.param("submitit_local", marks=pytest.mark.exhaustive)])
def test_jobs_in_other_processes_come_to_the_same(monkeypatch, capsys, tmp_path, four_regions, whole_sweep, launcher):
    pytest.importorskip(LAUNCHERS[launcher])
    sweep = sweep_of(four_regions, tmp_path, f"hydra/launcher={launcher}", "region=us,jp")
    assert call(monkeypatch, capsys, *sweep)[0] == 0
    for region in ("us", "jp"):
        assert outcome(folder_of(tmp_path, region)) == outcome(folder_of(whole_sweep[0], region))
    assert [row["state"] for row in summary_in(tmp_path)] == ["finished now"] * 2


def test_the_launcher_for_clusters_composes(monkeypatch, capsys):
    pytest.importorskip(LAUNCHERS["submitit_local"])
    code, out, err = call(monkeypatch, capsys, "hydra/launcher=slurm", "--cfg", "hydra", "-p", "hydra.launcher")
    assert code == 0, err
    assert OmegaConf.create(out)["max_num_timeout"] == 10
