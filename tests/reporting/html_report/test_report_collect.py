import json
import shutil

import numpy as np
import pytest
from helpers.reports import SURVEY, write_journal, write_run

from cultural_sp.reporting.html_report.collect import collect
from cultural_sp.search.history import value_of_best


def edited(folder, change):
    path = folder / "result.json"
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


BROKEN = {
    "empty": lambda folder: (folder / "result.json").write_text(""),
    "binary": lambda folder: (folder / "result.json").write_bytes(b"\xff\xfe\x00"),
    "a list": lambda folder: (folder / "result.json").write_text("[]"),
    "older schema": lambda folder: edited(folder, lambda raw: raw.update(schema_version=0)),
    "unknown field": lambda folder: edited(folder, lambda raw: raw.update(more=1)),
    "no scores": lambda folder: edited(folder, lambda raw: raw.update(scores=[])),
    "a method less": lambda folder: edited(
        folder, lambda raw: raw.update(scores=[s for s in raw["scores"] if s["method"] != "start"])
    ),
    "no region": lambda folder: edited(folder, lambda raw: raw.update(region=None)),
    "no target": lambda folder: edited(folder, lambda raw: raw["region"].pop("target")),
    "a text for a loss": lambda folder: edited(folder, lambda raw: raw["scores"][0].update(loss="low")),
    "infinity": lambda folder: edited(folder, lambda raw: raw["scores"][0].update(loss=float("inf"))),
    "other dimensions": lambda folder: edited(folder, lambda raw: raw["scores"][0].update(dimensions={"PDI": 1.0})),
    "a number for a note": lambda folder: edited(folder, lambda raw: raw.update(note=3)),
    "half a warm start": lambda folder: edited(folder, lambda raw: raw.update(warm_start={})),
    "unknown optimizer": lambda folder: edited(folder, lambda raw: raw.update(optimizer="luck")),
    "unknown verdict": lambda folder: edited(folder, lambda raw: raw["validity"].update(verdict="great")),
    "half a validity": lambda folder: edited(folder, lambda raw: raw.update(validity={"verdict": "measurable"})),
    "chances that are no list": lambda folder: edited(
        folder, lambda raw: raw["scores"][9].update(option_probabilities={"m01": 3})
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_result_is_left_out_in_one_line(tmp_path, case):
    write_run(tmp_path / "good")
    BROKEN[case](write_run(tmp_path / "bad", "jp"))
    runs, left_out = collect([tmp_path], tmp_path)
    assert [run.where for run in runs] == ["good"]
    (entry,) = left_out
    assert str(entry).startswith("left out: bad, because ")
    assert "\n" not in str(entry)
    assert str(tmp_path) not in entry.reason


def test_an_unfinished_run_says_how_far_it_is(tmp_path):
    folder = write_run(tmp_path / "half", budget=10)
    (folder / "result.json").unlink()
    runs, left_out = collect([tmp_path], tmp_path)
    assert runs == []
    assert [str(entry) for entry in left_out] == ["left out: half, because it isn't finished (20 evaluations so far)"]


SPOILED = {
    "evaluations.jsonl": ["", "\n{", '{}\n{"search": "aligned", "loss": "x", "l1": 1}\n', "{}\n[]\n"],
    "config.yaml": ["{", "- 1", "a: [", "!!python/object:os.system {}"],
    "nearest_tokens.csv": ["virtual_token,token\n1,a\n", "virtual_token,length,rank,token,cosine\n1,inf,1,a,0\n"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in SPOILED.items() for text in texts])
def test_a_broken_file_beside_a_result_costs_only_what_it_holds(tmp_path, name, text):
    folder = write_run(tmp_path / "run")
    (folder / name).write_text(text)
    (run,), left_out = collect([tmp_path], tmp_path)
    assert left_out == []
    assert all("\n" not in note for note in run.notes)
    assert run.notes or text == ""
    (folder / name).unlink()
    (run,), _ = collect([tmp_path], tmp_path)
    assert run.result.region.code == "us"


def write_joint(above, codes=("us", "jp"), **run):
    for code in codes:
        folder = write_run(above / code, code, budget=4, joint=list(codes), **run)
        (folder / "evaluations.jsonl").unlink()
        (folder / "config.yaml").rename(above / "config.yaml")
    return above


def records_of(above):
    return [json.loads(line) for line in (above / "evaluations.jsonl").read_text().splitlines()[1:]]


def test_regions_of_a_joint_run_share_the_journal_above(tmp_path):
    above = write_joint(tmp_path / "joint" / "model" / "seed-0")
    write_journal(above, np.random.default_rng(0), 4)
    runs, left_out = collect([tmp_path], tmp_path)
    assert left_out == []
    assert [run.where for run in runs] == ["joint/model/seed-0/jp", "joint/model/seed-0/us"]
    for run in runs:
        assert run.notes == ()
        assert run.config["optimizer.kind"] == "de"
        target = run.result.region.target
        for name, first in (("random_search", 0), ("aligned", 4)):
            scores = [record["dimensions"] for record in records_of(above)[first : first + 4]]
            own = [np.mean([abs(s[d] - t) for d, t in target.items()]) for s in scores]
            assert run.searches[name].l1 == pytest.approx(own)
            assert run.searches[name].best == pytest.approx(np.minimum.accumulate(own))


def test_a_joint_run_is_judged_as_it_was_searched(tmp_path):
    """A squared loss with a weight on the likeliest answers: the dimensions twice."""
    above = write_joint(tmp_path / "joint", wordings=("tuned", "tuned_2", "held_out_1"))
    config = (above / "config.yaml").read_text().replace("kind: l1", "kind: squared")
    (above / "config.yaml").write_text(config.replace("argmax_weight: 0.0", "argmax_weight: 0.5"))
    write_journal(above, np.random.default_rng(0), 4, [f"{d} {i}" for i in range(2) for d in SURVEY.dimensions])
    for run in collect([tmp_path], tmp_path)[0]:
        assert run.notes == ()
        target = np.array(list(run.result.region.target.values()))
        views = np.array([list(r["dimensions"].values()) for r in records_of(above)[4:]]).reshape(4, 2, 6)
        l1 = np.abs(views[:, 0] - target).mean(axis=1)
        squared = ((views - target) ** 2).mean(axis=2)
        losses = squared[:, 0] + 0.5 * squared[:, 1]
        assert run.searches["aligned"].l1 == pytest.approx(l1)
        assert run.searches["aligned"].best == pytest.approx([l1[losses[: i + 1].argmin()] for i in range(4)])


@pytest.mark.parametrize("objective", ["{}", "objective: {kind: luck}", "objective: {valid_mass_weight: 1.0}"])
def test_a_joint_run_whose_goal_is_lost_keeps_its_results(tmp_path, objective):
    above = write_joint(tmp_path / "joint")
    write_journal(above, np.random.default_rng(0), 4)
    (above / "config.yaml").write_text(objective)
    runs, left_out = collect([tmp_path], tmp_path)
    assert (len(runs), left_out) == (2, [])
    for run in runs:
        assert run.searches == {}
        assert [note.startswith("evaluations.jsonl can't be read (") for note in run.notes] == [True]


def test_a_copy_is_no_second_seed(tmp_path):
    origin = {"config_hash": "c", "weights_hash_before": "w"}
    write_run(tmp_path / "a", provenance=origin)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    write_run(tmp_path / "c", provenance={**origin, "weights_hash_before": "x"})
    runs, left_out = collect([tmp_path], tmp_path)
    assert [run.where for run in runs] == ["a", "c"]
    assert [str(entry) for entry in left_out] == ["left out: b, because it repeats a, with the same config and seed"]


def test_folders_that_overlap_count_once(tmp_path):
    folder = write_run(tmp_path / "a" / "b")
    runs, _ = collect([tmp_path, folder, tmp_path / "a"], tmp_path)
    assert [run.where for run in runs] == ["a/b"]


def test_the_way_to_the_best_by_hand():
    losses, values = np.array([np.nan, 4, 5, 4, 3, np.nan]), np.array([np.nan, 40, 50, 41, 30, np.nan])
    assert np.array_equal(value_of_best(losses, values), [np.nan, 40, 40, 40, 30, 30], equal_nan=True)
