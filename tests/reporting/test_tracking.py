"""What wandb gets to see of runs, read back with wandb's own program."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from helpers.journals import read_journal
from helpers.runs import Run, call, folder_of, outcome

from cultural_sp.config.groups import TrackerConfig
from cultural_sp.reporting.wandb_tracking import sync, wandb_start
from cultural_sp.reporting.wandb_tracking.console import error_line
from cultural_sp.reporting.wandb_tracking.start_tracker import tracker_of
from cultural_sp.runs.result import load_result

BUDGET = 12
GENERATIONS = [0, 1, 2]  # of 5, 5 and 2


class Log:
    """One offline log."""

    def __init__(self, path):
        command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", "--json", str(path)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        records = [json.loads(line) for line in text.splitlines()]
        self.run = next(r["run"] for r in records if r["type"] == "run")
        self.notes = [r["run"] for r in records if r["type"] == "run"][-1].get("notes")
        self.config = self.run["config"]["update"]
        self.history = [r["history"]["item"] for r in records if r["type"] == "history"]
        self.artifacts = {r["artifact"]["type"]: r["artifact"] for r in records if r["type"] == "artifact"}
        self.axes = {
            r["metric"]["glob_name"]: r["metric"]["step_metric"]
            for r in records
            if r["type"] == "metric" and "glob_name" in r["metric"]
        }
        self.summary = {}
        for record in records:
            if record["type"] == "summary":
                self.summary |= record["summary"]["update"]
        self.exit_code = next((r["exit"].get("exit_code", 0) for r in records if r["type"] == "exit"), None)

    def column(self, key):
        return [row[key] for row in self.history if key in row]


def logs_of(folder):
    """Display name -> log, of all below a run folder."""
    logs = [Log(path) for path in (folder / "wandb").glob("offline-run-*/*.wandb")]
    named = {log.run["display_name"]: log for log in logs}
    assert len(named) == len(logs)
    return named


def log_of(folder):
    """The only log below a run folder."""
    (log,) = logs_of(folder).values()
    return log


def has_all_of(log, folder):
    """Every evaluation and every generation stands in the log once, in order, as the journal has it."""
    journal = read_journal(folder / "evaluations.jsonl")
    assert len(journal) == 2 * BUDGET
    assert log.column("_step") == list(range(2 * BUDGET + 1))
    for search in ("random_search", "aligned"):
        records = [r for r in journal if r["search"] == search]
        assert log.column(f"{search}/evaluation") == list(range(1, BUDGET + 1))
        for key in ("loss", "l1", "best_loss", "valid_mass", "seconds"):
            assert log.column(f"{search}/{key}") == [r[key] for r in records]
        assert log.column(f"{search}/score/PDI") == [r["dimensions"]["PDI"] for r in records]
        assert log.column(f"{search}/miss/IDV") == [r["dimensions"]["IDV"] - 91 for r in records]
        assert log.column(f"{search}_generation/number") == GENERATIONS
        assert log.column(f"{search}_generation/best_loss") == [records[i]["best_loss"] for i in (4, 9, 11)]
        means = [sum(r["loss"] for r in records if r["generation"] == g) / n for g, n in enumerate((5, 5, 2))]
        assert log.column(f"{search}_generation/mean_loss") == pytest.approx(means)
        best = [min(records[:n], key=lambda r: r["loss"])["dimensions"]["PDI"] for n in (5, 10, 12)]
        assert log.column(f"{search}_generation/score/PDI") == best


@pytest.fixture
def tracked(monkeypatch):
    """Runs may be tracked, but for what the network would have to do."""
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_DATA_DIR", "")  # set by the tracker; this restores it
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


@pytest.mark.slow
def test_a_sweep_of_two_regions_is_two_runs_of_one_group(tracked, monkeypatch, capsys, short_run, whole_run, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(monkeypatch, capsys, "--multirun", *short_run, f"output_dir={tmp_path}/o", "region=us,jp")
    assert code == 0, err
    assert "wandb:" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["o"]
    said = [line for line in out.splitlines() if line.startswith("wandb:")]
    us, jp = folder_of(tmp_path / "o"), tmp_path / "o" / "align" / "jp" / "tiny" / "seed-0"
    assert [line.split("offline-run-")[0] for line in said] == [
        f"wandb: offline; upload with: wandb sync o/align/{region}/tiny/seed-0/wandb/" for region in ("us", "jp")
    ]
    (summary,) = (tmp_path / "o" / "sweeps").glob("*.csv")
    logs = [log_of(us), log_of(jp)]
    assert [log.run["run_group"] for log in logs] == [summary.stem] * 2
    assert [log.run["display_name"] for log in logs] == ["us tiny seed 0", "jp tiny seed 0"]
    assert len({log.run["run_id"] for log in logs}) == 2

    log = logs[0]
    has_all_of(log, us)
    assert outcome(us) == outcome(whole_run)  # which ran without a tracker
    assert log.run["project"] == "cultural-sp"
    assert log.run["job_type"] == "align"
    assert sorted(log.run["tags"]) == ["model:tiny", "optimizer:de", "region:us", "survey:toy"]
    assert log.config["optimizer"]["f1"] == 0.5
    assert log.config["objective"] == {"region": "us", "target": {"PDI": 40.0, "IDV": 91.0}}
    assert (
        log.config["journal"]["weights_hash"]
        == json.loads((us / "result.json").read_text())["provenance"]["weights_hash_before"]
    )
    assert log.axes["aligned/*"] == "aligned/evaluation"
    assert log.axes["aligned_generation/*"] == "aligned_generation/number"
    assert log.exit_code == 0

    result = json.loads((us / "result.json").read_text())
    for r in result["scores"]:
        prefix = f"scores/{r['method']}/{r['wording']}/{r['option_order']}/{r['readout']}"
        numbers = {"loss": r["loss"], "valid_mass": r["valid_mass"], "missing": r["missing"], **r["dimensions"]}
        for name, number in numbers.items():
            assert log.summary.get(f"{prefix}/{name}") == (None if number is None else pytest.approx(number))
    assert log.summary["loss/tuned/aligned"] == log.summary["scores/aligned/tuned/none/expected/loss"]
    assert log.summary["target/PDI"] == 40
    assert log.summary["answers._type"] == "table-file"
    assert log.summary["figures/convergence._type"] == "image-file"

    prompt = log.artifacts["soft-prompt"]
    files = {file["path"]: Path(file["local_path"]) for file in prompt["manifest"]["contents"]}
    assert set(files) == {"README.md", "adapter_config.json", "adapter_model.safetensors", "nearest_tokens.csv"}
    assert all(path.is_relative_to(us) for path in files.values())
    card = files["README.md"].read_text()
    assert "towards United States" in card
    assert result["provenance"]["config_hash"] in card
    (table,) = (us / "wandb").rglob("answers_*.table.json")
    table = json.loads(table.read_text())
    row = next(row for row in table["data"] if row[:4] == ["tuned", "none", "expected", "a"])
    aligned = next(r for r in result["scores"] if (r["method"], r["wording"], r["readout"]) == ("aligned", *row[0:3:2]))
    assert row[table["columns"].index("aligned")] == pytest.approx(aligned["item_means"]["a"])


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", pytest.param("terminate", marks=pytest.mark.exhaustive)])
def test_a_run_that_goes_on_is_in_one_log_once(tracked, short_run, tmp_path, how):
    secrets = {"WANDB_API_KEY": "wandb-secret" + 28 * "0", "HF_TOKEN": "hub-secret"}
    environment = {"WANDB_MODE": "offline", **secrets}
    mine = [*short_run, f"output_dir={tmp_path}"]
    folder = folder_of(tmp_path)
    run = Run(mine, tmp_path / "log", environment)
    run.wait_for_lines(folder / "evaluations.jsonl", 10)
    getattr(run.process, how)()
    assert run.end()[0] != 0
    first = (folder / "wandb" / "us.id").read_text()
    assert not (folder / "result.json").exists()
    code, out, err = Run(mine, tmp_path / "log", environment).end()
    assert (code, err) == (0, [])
    assert [line for line in out.splitlines() if line.startswith("wandb")] == [
        f"wandb: offline; upload with: wandb sync {os.path.relpath(next((folder / 'wandb').glob('offline-run-*')))}"
    ]
    log = log_of(folder)
    has_all_of(log, folder)
    assert log.run["run_id"] == first
    assert log.exit_code == 0
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [secret for secret in secrets.values() if any(secret.encode() in text for text in written)]


@pytest.mark.slow
def test_a_joint_run_is_a_wandb_run_per_region(tracked, short_run, tmp_path):
    """Two wordings and their likeliest answers are searched; the run is killed on the way."""
    joint = ["region=joint", "region.codes=[us,jp]", "survey.tune_wordings=[1,0]", "objective.argmax_weight=0.5"]
    mine = [*short_run, *joint, "soft_prompt.n_tokens=18", "soft_prompt=statements", f"output_dir={tmp_path}"]
    mine = [override for override in mine if not override.startswith("soft_prompt.dim")]
    folder = tmp_path / "align" / "joint" / "tiny" / "seed-0"
    run = Run(mine, tmp_path / "log", {"WANDB_MODE": "offline"})
    run.wait_for_lines(folder / "evaluations.jsonl", 18)
    run.process.kill()
    assert run.end()[0] != 0
    code, out, err = Run(mine, tmp_path / "log", {"WANDB_MODE": "offline"}).end()
    assert (code, err) == (0, [])
    assert [line for line in out.splitlines() if line.startswith("wandb")] == [
        f"wandb: offline; upload with: wandb sync {os.path.relpath(folder)}/wandb/offline-run-*"
    ]
    logs = logs_of(folder)
    assert sorted(logs) == ["jp tiny seed 0 joint", "us tiny seed 0 joint"]
    journal = read_journal(folder / "evaluations.jsonl")
    for code in ("us", "jp"):
        log, result = logs[f"{code} tiny seed 0 joint"], load_result(folder / code / "result.json")
        target = result.region.target
        assert (log.run["job_type"], log.run["run_group"], log.exit_code) == ("joint", "align", 0)
        assert log.config["objective"] == {"region": code, "target": target}
        assert f"region:{code}" in log.run["tags"]
        assert log.column("_step") == list(range(2 * BUDGET + 1))
        l1, views = [], ("", ", argmax")
        for r in journal:
            off = [np.mean([abs(r["dimensions"][d + view] - t) for d, t in target.items()]) for view in views]
            l1.append(off[0])
            if r["objective"] == code:
                assert r["loss"] == pytest.approx(off[0] + 0.5 * off[1])
        both = ("random_search", "aligned")
        assert [x for search in both for x in log.column(f"{search}/l1")] == pytest.approx(l1)
        for search in both:
            assert log.column(f"{search}_generation/number") == GENERATIONS
            best = np.minimum.accumulate(log.column(f"{search}/loss"))
            assert log.column(f"{search}/best_loss") == list(best)
        aligned = [r["dimensions"] for r in journal[BUDGET:]]
        assert log.column("aligned/score/PDI") == [d["PDI"] for d in aligned]
        assert log.column("aligned/miss/argmax/PDI") == [d["PDI, argmax"] - target["PDI"] for d in aligned]
        for wording in ("tuned", "tuned_2"):
            assert log.summary[f"loss/{wording}/aligned"] == pytest.approx(result.score("aligned", wording).loss)
        assert "joint run of 2 regions, which share 12 evaluations" in log.notes
        files = {
            file["path"]: Path(file["local_path"]) for file in log.artifacts["soft-prompt"]["manifest"]["contents"]
        }
        assert files["adapter_model.safetensors"] == folder / code / "soft_prompt" / "adapter_model.safetensors"
        assert "statements.csv" in files
        assert f"towards {result.region.country}" in files["README.md"].read_text()


@pytest.mark.slow
def test_a_finished_run_is_played_to_wandb_by_the_same_code(tracked, monkeypatch, capsys, whole_run, tmp_path):
    folder = folder_of(tmp_path)
    shutil.copytree(whole_run, folder)
    before = outcome(folder)
    for _ in range(2):  # again and again: one log of one run
        sync.main([str(tmp_path), "--offline", "--group", "old runs"])
        log = log_of(folder)
        has_all_of(log, folder)
        assert log.run["run_group"] == "old runs"
        assert log.run["run_id"] == (folder / "wandb" / "us.id").read_text()
        assert "soft-prompt" in log.artifacts
    assert outcome(folder) == before
    assert capsys.readouterr().out.count("wandb: offline; upload with: wandb sync ") == 2
    (uploaded,) = (folder / "wandb").glob("offline-run-*")
    (uploaded / "run.wandb.synced").touch()  # as `wandb sync` does
    sync.main([str(tmp_path), "--offline"])
    assert len(list((folder / "wandb").glob("offline-run-*"))) == 2
    command = f"cultural-sp sync-wandb {os.path.relpath(folder)}"
    assert f"wandb: offline; upload with: {command}\n" in capsys.readouterr().out


def test_what_cant_be_synced_is_named(tracked, monkeypatch, capsys, whole_run, tmp_path):
    with pytest.raises(SystemExit) as leaving:
        sync.main([str(tmp_path)])
    assert leaving.value.code == 2
    assert (
        capsys.readouterr().err
        == f"error: no finished run (no result.json) in {tmp_path}; give run folders, or folders above some\n"
    )
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(SystemExit) as leaving:
        sync.main([str(tmp_path), "--offline"])
    assert leaving.value.code == 2
    assert f"error: {tmp_path} can't be read as a run" in capsys.readouterr().err
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with pytest.raises(SystemExit):
        sync.main([str(tmp_path)])
    assert "error: WANDB_MODE=disabled switches wandb off; unset it" in capsys.readouterr().err


@pytest.mark.slow
def test_without_a_login_or_a_network_the_log_is_offline(tracked, monkeypatch, capsys, whole_run, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr(wandb_start, "INIT_SECONDS", 1)
    folder = folder_of(tmp_path)
    shutil.copytree(whole_run, folder)
    sync.main([str(folder)])
    out = capsys.readouterr().out
    assert "wandb: can't go online (nobody is logged in here; `wandb login` does that); going on offline\n" in out
    has_all_of(log_of(folder), folder)
    monkeypatch.setattr("wandb.login", lambda **given: True)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    sync.main([str(folder)])
    out = capsys.readouterr().out
    assert "wandb: can't go online (" in out
    assert "connection refused" in out
    has_all_of(log_of(folder), folder)


class Online:
    """A wandb run that the server already has some steps of."""

    def __init__(self, step):
        self.starting_step, self.rows, self.url, self.id = step, {}, "https://wandb.example/run", "x"
        self.summary = {}
        self.artifacts = []

    def define_metric(self, *names, **given):
        pass

    def log(self, row, step):
        assert step not in self.rows
        self.rows[step] = row

    def log_artifact(self, artifact):
        self.artifacts.append(artifact)

    def finish(self, exit_code):
        raise TimeoutError


def test_an_online_run_goes_on_where_the_server_stands(tracked, monkeypatch, capsys, whole_run, tmp_path):
    folder = folder_of(tmp_path)
    shutil.copytree(whole_run, folder)
    given = {}
    online = Online(step=7)
    monkeypatch.setattr("wandb.login", lambda **given: True)
    monkeypatch.setattr("wandb.init", lambda **arguments: (given.update(arguments), online)[1])
    sync.main([str(folder)])
    assert given["resume"] == "allow"
    assert given["id"] == (folder / "wandb" / "us.id").read_text()
    assert list(online.rows) == list(range(7, 2 * BUDGET + 1))
    assert online.rows[9]["random_search_generation/number"] == 1
    out = capsys.readouterr().out
    assert "wandb: https://wandb.example/run\n" in out
    later = f"cultural-sp sync-wandb {os.path.relpath(folder)}"
    assert f"wandb: the upload isn't complete; once the run is finished: {later}\n" in out


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("broken", ["init", pytest.param("log", marks=pytest.mark.slow)])
def test_a_tracker_that_fails_is_one_line_and_the_run_goes_on(
    tracked, monkeypatch, capsys, short_run, whole_run, tmp_path, broken
):
    def fail(*arguments, **given):
        raise RuntimeError("no space\nleft")

    monkeypatch.setattr({"init": "wandb.init", "log": "wandb.Run.log"}[broken], fail)
    code, out, err = call(monkeypatch, capsys, *short_run, f"output_dir={tmp_path}")
    assert code == 0, err
    assert outcome(folder_of(tmp_path)) == outcome(whole_run)
    assert out.count("wandb: tracking ends (no space left); once the run is finished: cultural-sp sync-wandb") == 1


@pytest.mark.slow
def test_wandbs_own_process_may_die(tracked, capsys, whole_run, tmp_path):
    folder = folder_of(tmp_path)
    shutil.copytree(whole_run, folder)
    records = read_journal(folder / "evaluations.jsonl")
    for dies in (True, False):  # the next run of a sweep is tracked again
        with tracker_of(TrackerConfig("offline"), folder) as tracker:
            tracker.begin()
            tracker.evaluations(records[:5])
            if dies:
                (core,) = (p for p in psutil.Process().children() if p.name() == "wandb-core")
                core.kill()
                core.wait(10)
            tracker.evaluations(records[5:])
            tracker.finish()
        assert ("wandb: tracking ends (" in capsys.readouterr().out) == dies
    has_all_of(log_of(folder), folder)


@pytest.mark.slow
def test_a_run_without_a_tracker_does_not_load_wandb():
    code = "import cultural_sp.alignment.run, sys; print(int('wandb' in sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "0\n"


def test_a_message_has_no_credentials(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    error = OSError("can't reach https://me:pass@wandb.example/x\nwith key secret")
    assert error_line(error) == "can't reach https://wandb.example/x with key ***"


def test_a_tracker_can_be_changed_between_two_starts(monkeypatch, capsys, short_run, whole_run):
    mine = [*short_run, f"output_dir={whole_run.parents[3]}", "tracker.mode=online", "tracker.project=other"]
    code, out, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    assert "already finished" in out


def test_wandbs_own_switch_counts(monkeypatch, capsys, short_run, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "offlin")
    code, _, err = call(monkeypatch, capsys, *short_run, f"output_dir={tmp_path}")
    assert code == 2
    allowed = "online, run, offline, dryrun, disabled"
    assert err == f"error: WANDB_MODE=offlin is not allowed; choose one of: {allowed}, or unset it\n"
    assert list(tmp_path.iterdir()) == []


AGENT = {"WANDB_SWEEP_ID": "sweep123", "WANDB_RUN_ID": "agentrun", "WANDB_PROJECT": "theirs"}


@pytest.fixture
def agent(tracked, monkeypatch, tmp_path):
    """What a wandb agent sets for the program that it starts; this restores it."""
    parameters = tmp_path / "sweep.yaml"
    parameters.write_text("wandb_version: 1\nseed:\n  value: 7\n")
    for name, value in (AGENT | {"WANDB_SWEEP_PARAM_PATH": str(parameters)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def wandb_lines(out):
    return [line for line in out.splitlines() if line.startswith("wandb:")]


@pytest.mark.slow
def test_an_agents_run_is_the_one_run_of_the_process(agent, monkeypatch, capsys, short_run, tmp_path):
    given = [*short_run, f"output_dir={tmp_path}/o", "validity=false"]
    code, out, err = call(monkeypatch, capsys, *given)
    assert code == 0, err
    assert wandb_lines(out)[0] == (
        "wandb: run agentrun of sweep sweep123; other runs of this process are outside of the sweep"
    )
    first = log_of(folder_of(tmp_path / "o"))
    has_all_of(first, folder_of(tmp_path / "o"))
    assert (first.run["run_id"], first.run["sweep_id"], first.run["project"]) == ("agentrun", "sweep123", "theirs")
    code, out, err = call(monkeypatch, capsys, *given, "seed=1")
    assert code == 0, err
    second = log_of(folder_of(tmp_path / "o").parent / "seed-1")
    assert second.run["run_id"] != "agentrun"
    assert "sweep_id" not in second.run


@pytest.mark.slow
def test_a_joint_run_of_an_agent_has_a_whole_log_per_region(agent, monkeypatch, capsys, short_run, tmp_path):
    given = [*short_run, f"output_dir={tmp_path}/o", "validity=false", "region=joint", "region.codes=[us,jp,cn]"]
    code, out, err = call(monkeypatch, capsys, *given)
    assert code == 0, err
    folder = tmp_path / "o" / "align" / "joint" / "tiny" / "seed-0"
    logs = logs_of(folder)
    assert len(logs) == 3
    ids = {log.run["run_id"] for log in logs.values()}
    assert len(ids) == 3
    assert "agentrun" not in ids
    for log in logs.values():
        assert log.exit_code == 0
        assert log.column("_step") == list(range(2 * BUDGET + 1))
        assert "loss/tuned/aligned" in log.summary
    said = "the regions of a joint run can't be the one run agentrun of sweep sweep123, so each has an id of its own"
    assert [line for line in wandb_lines(out) if "agent" in line] == [f"wandb: {said} outside of it"]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "parallel"])
def test_the_jobs_of_a_sweep_inside_an_agent_have_their_own_ids(
    agent, monkeypatch, capsys, short_run, tmp_path, launcher
):
    if launcher == "parallel":
        pytest.importorskip("joblib")
    given = [*short_run, f"output_dir={tmp_path}/o", "validity=false", "region=us,jp", f"hydra/launcher={launcher}"]
    code, out, err = call(monkeypatch, capsys, "--multirun", *given)
    assert code == 0, err
    folders = [tmp_path / "o" / "align" / region / "tiny" / "seed-0" for region in ("us", "jp")]
    logs = [log_of(folder) for folder in folders]
    has_all_of(logs[0], folders[0])
    assert logs[1].column("_step") == list(range(2 * BUDGET + 1))
    ids = {log.run["run_id"] for log in logs}
    assert len(ids) == 2
    assert "agentrun" not in ids
    assert wandb_lines(out)[0].startswith("wandb: the jobs of a sweep can't be the one run agentrun of sweep sweep123")


@pytest.mark.slow
def test_a_run_that_has_an_id_keeps_it_inside_an_agent(agent, monkeypatch, capsys, short_run, tmp_path):
    given = [*short_run, f"output_dir={tmp_path}/o", "validity=false"]
    folder = folder_of(tmp_path / "o")
    (folder / "wandb").mkdir(parents=True)
    (folder / "wandb" / "us.id").write_text("mine")
    code, out, err = call(monkeypatch, capsys, *given)
    assert code == 0, err
    assert log_of(folder).run["run_id"] == "mine"
    assert "wandb: this run has the id mine already, so it can't be run agentrun of sweep sweep123" in out


@pytest.mark.slow
def test_an_agent_that_wandb_knows_of_already_ends_the_tracking_only(agent, monkeypatch, capsys, short_run, tmp_path):
    import wandb

    wandb.teardown()
    wandb.setup()  # reads the environment
    try:
        code, out, err = call(monkeypatch, capsys, *short_run, f"output_dir={tmp_path}/o", "region=joint")
        assert code == 0, err
        (line,) = [line for line in wandb_lines(out) if "tracking ends" in line]
        assert "gives all runs one id" in line
    finally:
        wandb.teardown()
