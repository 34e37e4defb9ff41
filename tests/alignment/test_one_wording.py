"""Runs that ask each candidate one wording and choose among their best on other wordings."""

import json

import pytest
from helpers.journals import read_journal
from helpers.runs import Run, call, folder_of

from cultural_sp.reporting.run_progress import ProgressReader
from cultural_sp.reporting.wandb_tracking.rows import Rows
from cultural_sp.reporting.watch import progress_line
from cultural_sp.runs.history import RegionHistory, best_so_far
from cultural_sp.runs.result import load_result
from cultural_sp.search.journal import POOLED, WORDING, read_header
from cultural_sp.utils.json_lines import CHECKSUM

pytestmark = pytest.mark.usefixtures("no_figures")
ONE = [
    "optimizer=de_surrogate",
    "survey.instrument=vsm13",
    "survey.tune_wordings=[0,1,2]",
    "optimizer.wordings=one",
    "optimizer.finalists=2",
    "optimizer.budget=14",
    "optimizer.population=4",
    "validity=false",
]  # two generations of four candidates and a check in three wordings


def scores_of(result, method, wording):
    return result.score(method, wording).loss


@pytest.fixture(scope="module")
def finished(short_run, tmp_path_factory):
    """Overrides and folder of such a run."""
    output = tmp_path_factory.mktemp("one")
    overrides = [*short_run, *ONE, f"output_dir={output}"]
    code, _, err = Run(overrides, output / "log").end()
    assert code == 0, err
    return overrides, folder_of(output)


def test_the_result_is_the_finalist_that_was_best_on_tuned_and_selected_wordings(finished):
    _, folder = finished
    journal, result = read_journal(folder / "evaluations.jsonl"), load_result(folder / "result.json")
    for search in ("random_search", "aligned"):
        checks = {r["fingerprint"]: r[POOLED]["loss"] for r in journal if r["search"] == search and POOLED in r}
        selected = [r for r in journal if r["search"] == f"{search}_selection"]
        assert [r["wording"] for r in journal if r["search"] == search][4:7] == ["tuned", "tuned_2", "tuned_3"]
        assert len(checks) == len(selected) == 2
        chosen = min(selected, key=lambda r: r[POOLED]["loss"])
        assert scores_of(result, search, "tuned_pooled") == pytest.approx(checks[chosen["fingerprint"]], abs=1e-3)
        assert scores_of(result, search, "selected_pooled") == pytest.approx(chosen["loss"], abs=1e-3)
        pooled = result.score(search, "tuned_pooled").dimensions
        assert pooled == pytest.approx(
            next(r[POOLED]["dimensions"] for r in journal if POOLED in r and r["fingerprint"] == chosen["fingerprint"]),
            abs=0.01,
        )
    assert (folder / "report" / "report.html").is_file()


def test_an_interrupted_run_comes_to_the_same(monkeypatch, capsys, finished):
    overrides, folder = finished
    whole, lines = (folder / "result.json").read_bytes(), (folder / "evaluations.jsonl").read_bytes().splitlines(True)

    def timeless(journal):
        return [{k: v for k, v in json.loads(line).items() if k not in ("seconds", CHECKSUM)} for line in journal]

    for length in (4, 8, 17, 31):  # in the first generation, in a check, in a selection, in the last search
        (folder / "result.json").unlink()
        (folder / "evaluations.jsonl").write_bytes(b"".join(lines[:length]))
        code, _, err = call(monkeypatch, capsys, *overrides)
        assert code == 0, err
        again = (folder / "evaluations.jsonl").read_bytes().splitlines(True)
        assert timeless(again) == timeless(lines)
        assert {**json.loads(whole), "seconds": 0} == {
            **json.loads((folder / "result.json").read_bytes()),
            "seconds": 0,
        }


def test_progress_and_metrics_show_only_candidates_that_took_all_wordings(finished):
    _, folder = finished
    journal = [r for r in read_journal(folder / "evaluations.jsonl") if r["search"] == "aligned"]
    checked = [r[POOLED]["l1"] for r in journal if POOLED in r]
    assert best_so_far(folder, "us")["aligned"].iloc[-1] == min(checked)
    assert "28 of 28 evaluations" in progress_line(ProgressReader(folder).read())
    config = {"objective": {}}
    rows = Rows(RegionHistory("us", config, read_header(folder / "evaluations.jsonl")), 4, 14)
    metrics = [rows.row(record)[1] for record in journal]
    assert "aligned/best_loss" not in metrics[5]
    assert metrics[6]["aligned/best_l1"] == checked[0]
    assert [i for i, row in enumerate(metrics) if "aligned_generation/number" in row] == [6, 13]
    assert all(WORDING in record for record in journal)


def test_a_joint_run_selects_for_every_region(monkeypatch, capsys, short_run, tmp_path):
    joint = ["region=joint", "region.codes=[us,in]", "optimizer.budget=28", f"output_dir={tmp_path}"]
    code, _, err = call(monkeypatch, capsys, *short_run, *ONE, *joint)
    assert code == 0, err
    folder = tmp_path / "align" / "joint" / "tiny" / "seed-0"
    journal = read_journal(folder / "evaluations.jsonl")
    selected = [(r["search"], r["objective"]) for r in journal if r["search"].endswith("selection")]
    assert selected == [
        (s, r) for s in ("random_search_selection", "aligned_selection") for r in ("us", "us", "in", "in")
    ]
    for code in ("us", "in"):
        result = load_result(folder / code / "result.json")
        best = min(
            (r for r in journal if r["search"] == "aligned_selection" and r["objective"] == code),
            key=lambda r: r[POOLED]["loss"],
        )
        assert scores_of(result, "aligned", "selected_pooled") == pytest.approx(best["loss"], abs=1e-3)


def test_a_budget_without_room_for_a_check_is_one_line(monkeypatch, capsys, short_run, tmp_path):
    code, _, err = call(monkeypatch, capsys, *short_run, *ONE, "optimizer.budget=3", f"output_dir={tmp_path}")
    assert code == 2
    assert err.startswith("error: optimizer.budget=3 has no room for a candidate and its check in 3 wordings; ")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())
