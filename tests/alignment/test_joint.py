"""Joint runs: several regions, one stream of evaluations."""

import json
import os
import shutil

import numpy as np
import pytest
from helpers.journals import read_journal
from helpers.processes import start
from helpers.runs import Run, call, refused

from cultural_sp.evaluation.fitness import Fitness
from cultural_sp.reporting.tables import joint_summary, summary
from cultural_sp.runs.methods import METHODS
from cultural_sp.runs.result import load_result

pytestmark = [pytest.mark.usefixtures("no_figures"), pytest.mark.slow]  # each test makes several runs
CODES = ("sa", "us", "in")
NO_NATIVE = {"us": ("persona_native",)}  # and the toy survey has no demonstrations
JOINT = [
    "region=joint",
    f"region.codes=[{','.join(CODES)}]",
    "optimizer.budget=28",
]  # five generations of 5 and one of 3


def folder_of(output, region="joint"):
    return output / "align" / region / "tiny" / "seed-0"


def outcome(folder, codes=CODES):
    """What must not depend on how often a joint run was stopped, nor on the number of processes."""
    found = {name: (folder / name).read_bytes() for name in ("scores.jsonl", "validity.json")}
    found["header"] = (folder / "evaluations.jsonl").read_bytes().splitlines()[0]
    found["journal"] = [{**r, "seconds": 0, "crc32": 0} for r in read_journal(folder / "evaluations.jsonl")]
    for code in codes:
        found[code] = {**json.loads((folder / code / "result.json").read_text()), "seconds": {}}
        found[code, "prompt"] = (folder / code / "soft_prompt" / "adapter_model.safetensors").read_bytes()
    return found


@pytest.fixture(scope="module")
def joint_run(short_run):
    return [*short_run, *JOINT]


@pytest.fixture(scope="module")
def whole_joint(joint_run, tmp_path_factory):
    """Folder of a joint run that nothing stopped, with what it printed."""
    output = tmp_path_factory.mktemp("joint")
    run = Run([*joint_run, f"output_dir={output}"], output / "log")
    code, out, errors = run.end()
    assert code == 0, errors
    return folder_of(output), out


def test_every_region_gets_the_best_of_all_evaluations(whole_joint):
    folder, _ = whole_joint
    journal = read_journal(folder / "evaluations.jsonl")
    streams = {name: [r for r in journal if r["search"] == name] for name in ("random_search", "aligned")}
    assert [len(stream) for stream in streams.values()] == [28, 28]
    assert not (folder / "result.json").exists()
    for code in CODES:
        result = load_result(folder / code / "result.json")
        assert (result.region.code, result.evaluations, result.joint) == (code, 28, list(CODES))
        assert {r.method for r in result.scores} == set(METHODS) - {"persona_demonstrations", *NO_NATIVE.get(code, ())}
        target = np.array(list(result.region.target.values()), dtype=float)
        for method, stream in streams.items():
            losses = [np.abs(np.array(list(r["dimensions"].values())) - target).mean() for r in stream]
            assert result.score(method).loss == pytest.approx(min(losses), abs=1e-3)
            for r, loss in zip(stream, losses, strict=True):
                if r["objective"] == code:
                    assert r["loss"] == pytest.approx(loss)


def test_generations_go_round_and_everybody_begins_with_the_initial_prompt(whole_joint):
    journal = [r for r in read_journal(whole_joint[0] / "evaluations.jsonl") if r["search"] == "aligned"]
    turns = {r["generation"]: r["objective"] for r in journal}
    assert list(turns.values()) == [*CODES, *CODES]
    first = [np.array(r["z"]) for r in journal if r["index"] % 5 == 0][:3]
    np.testing.assert_array_equal(first, 0)
    others = np.array([r["z"] for r in journal if r["index"] % 5 and r["generation"] < len(CODES)])
    assert len(np.unique(others, axis=0)) == len(others)  # no two regions begin with the same


def test_what_no_region_changes_is_the_same_for_all(whole_joint):
    folder, _ = whole_joint
    results = [load_result(folder / code / "result.json") for code in CODES]
    for method in ("naive", "start"):
        assert len({json.dumps(r.score(method).item_means) for r in results}) == 1
        assert len({r.score(method).loss for r in results}) == 3
    assert len({json.dumps(r.score("persona").item_means) for r in results}) == 3
    asked = [json.loads(line)["respondent"] for line in (folder / "scores.jsonl").read_text().splitlines()]
    assert len(asked) == len(set(asked))
    assert [x for x in asked if not x.startswith("soft prompt ")] == [
        "naive",
        "persona sa",
        "persona_native sa",
        "persona us",
        "persona in",
        "persona_native in",
    ]


def test_every_table_says_that_it_is_of_a_joint_run(whole_joint):
    folder, out = whole_joint
    results = [load_result(folder / code / "result.json") for code in CODES]
    said = "joint run of 3 regions, which share 28 evaluations; random search had as many in total"
    assert said in joint_summary(results, "expected")
    assert all(said in summary(result) for result in results)
    assert joint_summary(results, "expected") in out
    head, _, *rows = joint_summary(results, "expected").strip().splitlines()[:5]
    assert head.split("  ")[0] == "loss, tuned expected"
    order = ["naive", "ICL", "random search", "aligned (DE)", "midpoint respondent"]
    assert [h.strip() for h in head.split("  ") if h.strip()][1:] == order
    for row, result in zip(rows, results, strict=True):
        assert row.startswith(f"{result.region.code} {result.region.country}  ")
        methods = ("naive", result.icl(), "random_search", "aligned", "midpoint")
        assert row.split()[-5:] == [f"{result.score(m).loss:.1f}" for m in methods]


def test_a_joint_run_of_one_region_is_that_regions_run(monkeypatch, capsys, tmp_path, short_run, whole_run):
    mine = [*short_run, f"output_dir={tmp_path}", "region=joint", "region.codes=[US]"]
    code, out, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    assert "joint run of 1 region, which share 12 evaluations" in out
    one, other = (read_journal(x / "evaluations.jsonl") for x in (folder_of(tmp_path), whole_run))
    assert [{**r, "seconds": 0, "crc32": 0} for r in one] == [{**r, "seconds": 0, "crc32": 0} for r in other]
    assert (
        load_result(folder_of(tmp_path) / "us" / "result.json").scores == load_result(whole_run / "result.json").scores
    )


def left_over(whole, output, lines, torn=0, scores=0, results=()):
    """The joint run as a kill would have left it."""
    folder = folder_of(output)
    shutil.copytree(whole, folder)
    for name, count, more in (("evaluations.jsonl", lines, torn), ("scores.jsonl", scores, 0)):
        kept = (folder / name).read_bytes().splitlines(keepends=True)
        (folder / name).write_bytes(b"".join(kept[:count]) + (kept[count][:more] if more else b""))
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace(str(whole.parents[3]), str(output)))
    for code in CODES:
        if code not in results:
            shutil.rmtree(folder / code)
    return folder


STATES = {
    "random search": {"lines": 20, "torn": 40},
    "the first region's turn": {"lines": 1 + 28 + 3},
    "the second region's turn": {"lines": 1 + 28 + 8},
    "the second round": {"lines": 1 + 28 + 17, "torn": 100},
    "some scores and a result": {"lines": 1 + 56, "scores": 2, "results": ("sa",)},
}


@pytest.mark.parametrize("state", STATES)
def test_a_joint_run_goes_on_from_every_state_and_comes_to_the_same(
    monkeypatch, capsys, tmp_path, joint_run, whole_joint, state
):
    folder = left_over(whole_joint[0], tmp_path, **STATES[state])
    code, out, err = call(monkeypatch, capsys, *joint_run, f"output_dir={tmp_path}")
    assert code == 0, err
    assert f"going on: {STATES[state]['lines'] - 1} of 56 evaluations are there" in out
    assert outcome(folder) == outcome(whole_joint[0])


def test_a_finished_joint_run_is_only_read_and_another_list_is_refused(monkeypatch, capsys, joint_run, whole_joint):
    monkeypatch.setattr("cultural_sp.alignment.run.align", None)
    folder, out = whole_joint
    mine = [*joint_run, f"output_dir={folder.parents[3]}"]
    code, again, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    assert "already finished" in again
    assert again.splitlines()[-1] == out.splitlines()[-1] == f"run folder: {folder}"
    err = refused(monkeypatch, capsys, folder, *mine, "region.codes=[sa,us]")
    assert "holds a run with another config: region.codes=['sa', 'us', 'in'] there, ['sa', 'us'] here" in err


def test_all_takes_every_complete_region_even_if_they_get_no_turn(monkeypatch, capsys, tmp_path, short_run):
    fitness, sizes = Fitness.__call__, []
    monkeypatch.setattr(Fitness, "__call__", lambda self, p, *w: (sizes.append(len(p)), fitness(self, p, *w))[1])
    monkeypatch.setattr("cultural_sp.runs.inputs.region_codes", lambda survey, vintage: ["de", "fr", "jp", "us"])
    mine = [
        *short_run,
        f"output_dir={tmp_path}",
        "region=joint",
        "region.codes=all",
        "optimizer.budget=10",
        "validity=false",
    ]
    code, _, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    assert sum(sizes) == 20  # not 80
    for region in ("de", "fr", "jp", "us"):
        assert load_result(folder_of(tmp_path) / region / "result.json").region.code == region
    objectives = [r["objective"] for r in read_journal(folder_of(tmp_path) / "evaluations.jsonl")]
    assert objectives[10:] == ["de"] * 5 + ["fr"] * 5


def test_a_sweep_of_joint_runs_has_a_row_for_every_region(monkeypatch, capsys, tmp_path, joint_run):
    mine = ["--multirun", *joint_run, f"output_dir={tmp_path}", "validity=false", "optimizer.budget=6", "seed=0,1"]
    code, out, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    table = out[out.index("job     region") :].splitlines()
    assert [line.split()[:4] for line in table[2:8]] == [
        [job, "joint:", code, job] for job in "01" for code in sorted(CODES)
    ]
    code, out, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    assert out.count("  was finished") == 6


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["region.codes=[sa,zz]"],
            "region.codes='zz' is in no target table of toy; allowed: ISO alpha-2 codes",
        ),
        (["region.codes=[sa,us,SA]"], "region.codes names sa more than once; name each region once"),
        (
            ["region.codes=[]"],
            "region.codes=[] is not allowed; give a list of ISO codes such as [sa,us], or all",
        ),
        (
            ["region.codes=us"],
            "region.codes=us is not allowed; give a list of ISO codes such as [sa,us], or all",
        ),
        (["region.codes=[1]"], "region.codes=[1] is not allowed; give a list of ISO codes"),
        (["region.codes=null"], "region.codes=None does not go with region.code=joint; choose region=joint"),
        (
            ["region=us", "region.codes=[us]"],
            "region.codes=['us'] does not go with region.code=us; choose region=joint",
        ),
        (["region.codes=all", "region.vintage=x"], "region.vintage='x' is unknown; allowed: matrix_2015"),
        (["region.vintage=matrix_2015"], "region.codes='sa' has no score in region.vintage=matrix_2015"),
    ],
)
def test_bad_regions_are_one_line_and_nothing_is_written(monkeypatch, capsys, tmp_path, joint_run, overrides, message):
    mine = [x for x in joint_run if not (x == "region=joint" and "region=us" in overrides)]
    err = refused(monkeypatch, capsys, tmp_path, *mine, f"output_dir={tmp_path / 'out'}", *overrides)
    assert message in err
    assert not (tmp_path / "out").exists()


@pytest.mark.exhaustive
def test_more_processes_give_the_same_joint_run(joint_run, whole_joint, tmp_path):
    run = start(2, [*joint_run, f"output_dir={tmp_path}"], tmp_path / "log")
    assert run.wait(timeout=300) == 0, (tmp_path / "log.err").read_text()
    assert outcome(folder_of(tmp_path)) == outcome(whole_joint[0])


def test_a_killed_joint_run_comes_to_the_same(tmp_path, joint_run, whole_joint):
    for lines in (9, 35, 50):
        run = Run([*joint_run, f"output_dir={tmp_path}"], tmp_path / f"log{lines}")
        run.wait_for_lines(folder_of(tmp_path) / "evaluations.jsonl", lines)
        os.kill(run.process.pid, 9)
        run.end()
    code, _, errors = Run([*joint_run, f"output_dir={tmp_path}"], tmp_path / "log").end()
    assert code == 0, errors
    assert outcome(folder_of(tmp_path)) == outcome(whole_joint[0])
