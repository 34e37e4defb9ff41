"""Sweeps whose jobs would share a folder are refused before the first job, with an override that mends them."""

import re
import shlex

import pytest
from helpers.runs import call

from cultural_sp.cli.sweep_callback import SweepCallback
from cultural_sp.runs.result import load_result

pytestmark = pytest.mark.usefixtures("no_figures")
NOWHERE = ["model.name_or_path=nowhere", "hydra/launcher=basic"]


def refused(monkeypatch, capsys, folder, *overrides, entry="align", base=NOWHERE):
    """The error of a sweep that must leave the folder empty."""
    monkeypatch.chdir(folder)
    SweepCallback.current = None
    code, out, err = call(monkeypatch, capsys, "--multirun", *base, *overrides, entry=entry)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert list(folder.iterdir()) == []
    return err


@pytest.mark.parametrize(
    ("overrides", "way"),
    [
        (["optimizer=de,cma"], "'name=align-${hydra:runtime.choices.optimizer}'"),
        (["optimizer=choice(de,pso)"], "'name=align-${hydra:runtime.choices.optimizer}'"),
        (["readout=glob(*)", "name=x"], "'name=x-${hydra:runtime.choices.readout}'"),
        (["optimizer.f1=range(0.3,0.7,0.2)"], "'name=align-${optimizer.f1}'"),
        (["model.dtype=float32,bfloat16"], "'name=align-${model.dtype}'"),
        (["experiment=smoke,paper", "name=x"], "'name=x-${hydra:runtime.choices.experiment}'"),
        (["region=us,sa", "soft_prompt.dim=2,4", "seed=0,1"], "'name=align-${soft_prompt.dim}'"),
        (["optimizer=de,cma", "soft_prompt.dim=2,4"], "'name=align-${hydra:runtime.choices.optimizer}-${soft_prompt.dim}'"),
        (["soft_prompt.dim=2,4", "name=a-${seed}", "seed=0,1"], "'name=a-${seed}-${soft_prompt.dim}'"),
        (["soft_prompt.dim=2,4", "name=a,b"], "'name=a-${soft_prompt.dim},b-${soft_prompt.dim}'"),
        (["region=joint", "region.codes=[us,sa],[us,cn]"], "'name=align-${hydra:job.num}'"),
        (["model.name_or_path=/one/m,/other/m.gguf"], "'name=align-${hydra:job.num}'"),
    ],
)  # fmt: skip
def test_a_shared_folder_is_refused_before_the_first_job(monkeypatch, capsys, tmp_path, overrides, way):
    err = refused(monkeypatch, capsys, tmp_path, *overrides)
    assert re.match(r"error: .*: job 0 \(.*\) and job \d+ \(.*\) would write into the same folder, /.*; add '", err)
    assert err.endswith(f"; add {way}\n")


@pytest.mark.parametrize("launcher", ["parallel", "submitit_local"])
def test_it_is_refused_whatever_starts_the_jobs(monkeypatch, capsys, tmp_path, launcher):
    pytest.importorskip({"parallel": "joblib", "submitit_local": "submitit"}[launcher])
    base = [NOWHERE[0], f"hydra/launcher={launcher}"]
    assert "add 'name=align-" in refused(monkeypatch, capsys, tmp_path, "optimizer=de,cma", base=base)


@pytest.mark.parametrize(
    "overrides", [["seed=1,1"], ["region=us,USA"], ["region.code=sa,saudi arabia"], ["region=us,United States,cn"]]
)
def test_the_same_run_twice_is_refused(monkeypatch, capsys, tmp_path, overrides):
    assert "are the same; leave one of them out" in refused(monkeypatch, capsys, tmp_path, *overrides)


@pytest.mark.parametrize(
    ("entry", "overrides", "way"),
    [
        ("bench", ["n_tokens=4,8"], "'name=bench-${n_tokens}'"),
        ("export", ["to=model,peft", "output=out"], "'output=out-${to}'"),
        ("positive-control", ["rank=4,8"], "'output_dir=outputs/positive_control-${rank}'"),
        ("study", ["seeds=[0],[1]"], "'name=study-${hydra:job.num}'"),
        ("reproduce", ["profile=smoke", "seeds=[0],[1]"], "'name=smoke-${hydra:job.num}'"),
        ("report", ["runs=a,b", "output=out"], "'output=out-${runs}'"),
        (
            "factor-analysis",
            ["survey=vsm13", "model=smollm2_135m", "respondents=few,grid"],
            "'name=factor_analysis-${hydra:runtime.choices.respondents}'",
        ),
    ],
)
def test_other_programs_with_a_folder_refuse_it_too(monkeypatch, capsys, tmp_path, entry, overrides, way):
    err = refused(monkeypatch, capsys, tmp_path, *overrides, entry=entry, base=[])
    assert err.endswith(f"; add {way}\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "several"),
    [
        (["optimizer=de,cma"], 2),
        (["optimizer=de,random", "optimizer.population=5,6", "name=x"], 4),
        (["region=joint", "region.codes=[us],[us,jp]"], 2),
    ],
)
def test_the_override_in_the_message_mends_the_sweep(monkeypatch, capsys, tmp_path, short_run, overrides, several):
    given = [*short_run, "validity=false", "output_dir=out", *overrides]
    err = refused(monkeypatch, capsys, tmp_path, *given, base=[])
    (added,) = shlex.split(err.partition("; add ")[2])
    code, _, err = call(monkeypatch, capsys, "--multirun", *given, added)
    assert code == 0, err
    folders = {file.parents[3] for file in tmp_path.glob("out/*/*/*/seed-0/config.yaml")}
    assert len(folders) == several


@pytest.mark.slow
def test_sweeps_whose_jobs_have_folders_of_their_own_start(monkeypatch, capsys, tmp_path, short_run):
    monkeypatch.chdir(tmp_path)
    given = [*short_run, "validity=false", "output_dir=out", "region=USA,saudi arabia", "seed=0,1"]
    code, _, err = call(monkeypatch, capsys, "--multirun", *given, "optimizer.f1=0.5", "name=${optimizer.kind}")
    assert code == 0, err
    files = list(tmp_path.glob("out/de/*/tiny/seed-*/result.json"))
    assert sorted(file.parts[-4] for file in files) == ["sa", "sa", "us", "us"]
    assert {load_result(file).region.code for file in files} == {"us", "sa"}
