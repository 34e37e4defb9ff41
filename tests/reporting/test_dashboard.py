"""What would be saved at wandb as a dashboard."""

import json
import shutil

import pytest
import yaml

from cultural_sp.reporting.wandb_tracking import dashboard
from cultural_sp.reporting.wandb_tracking.report import LOSSES, summary_of
from cultural_sp.reporting.wandb_tracking.rows import AXES, Rows
from cultural_sp.runs.history import RegionHistory
from cultural_sp.runs.result import load_result
from cultural_sp.search.journal import read_header


@pytest.fixture
def runs(whole_run, tmp_path):
    """Two finished runs, of a sweep and on its own, and a joint one whose model has a note."""
    for seed, group in ((0, "align-1234"), (1, None)):
        folder = tmp_path / "align" / "us" / "tiny" / f"seed-{seed}"
        shutil.copytree(whole_run, folder)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config["tracker"] |= {"group": group, "project": "mine"}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    joint = tmp_path / "align" / "joint" / "tiny" / "seed-0"
    result = json.loads((folder / "result.json").read_text()) | {"joint": ["us", "jp"], "note": "a control."}
    for score in result["scores"]:
        score["wording"] = {"held_out_1": "tuned_2"}.get(score["wording"], score["wording"])
    for code in ("us", "jp"):
        (joint / code).mkdir(parents=True)
        (joint / code / "result.json").write_text(json.dumps(result))
    shutil.copy(folder / "config.yaml", joint)
    return tmp_path


def test_runs_below_a_folder(runs):
    found = dashboard.runs_below(runs, "me")
    assert (found.entity, found.project, found.groups) == ("me", "mine", ["align", "align-1234"])
    assert found.dimensions == ["PDI", "IDV"]
    assert found.wordings == ["tuned_pooled", "held_out_pooled", "tuned", "tuned_2", "held_out_1"]
    assert found.remarks[0] == "model: a control."
    assert found.remarks[1].startswith("joint run of 2 regions")


def test_workspace_and_report_name_what_runs_log(runs, whole_run, capsys):
    pytest.importorskip("wandb_workspaces")
    dashboard.main([str(runs), "--entity", "me", "--dry-run"])
    made = json.loads(capsys.readouterr().out)
    summary = summary_of(load_result(whole_run / "result.json"), "expected")
    record = {"search": "aligned", "index": 0, "generation": 0, "loss": 1.0, "l1": 1.0, "seconds": 1.0}
    record |= {"objective": "us", "valid_mass": 0.5, "dimensions": {"PDI": 1.0, "IDV": 2.0}}
    header = read_header(whole_run / "evaluations.jsonl")
    course = RegionHistory("us", yaml.safe_load((whole_run / "config.yaml").read_text()), header)
    _, row = Rows(course, 1, 1).row(record)
    logged = {f"summary_metrics.{key}" for key in summary} | set(row)
    logged |= {key.replace("held_out_1", "tuned_2") for key in logged}
    logged |= {key.replace("aligned", "random_search") for key in row}
    for board in made.values():
        charts = list(charts_of(board))
        named = [name for chart in charts for name in chart.get("metrics", [])]
        assert {f"summary_metrics.loss/{wording}/{m}" for wording in ("tuned", "held_out_1") for m in LOSSES} <= set(
            named
        )
        assert {"summary_metrics.target/IDV", "aligned_generation/miss/PDI", "random_search/best_l1"} <= set(named)
        assert set(named) <= logged
        assert {chart["xAxis"] for chart in charts if "xAxis" in chart} <= set(AXES.values())
        assert {chart["groupBy"] for chart in charts if "groupBy" in chart} == {"goal.value.region"}
        text = json.dumps(board)
        assert "always picks the middle option" in text
        assert "model: a control" in text
        assert "config:optimizer.value.f1" in text
        assert "summary:loss/tuned/aligned" in text
        assert "align-1234" in text


def charts_of(node):
    """The configs of all panels in a spec."""
    if isinstance(node, dict):
        if "chartTitle" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from charts_of(child)


def test_bad_input_is_one_line(runs, capsys):
    first = next(runs.rglob("config.yaml"))
    config = yaml.safe_load(first.read_text())
    config["tracker"]["project"] = "other"
    for change, arguments, message in (
        (
            None,
            [str(runs), "--dry-run"],
            "error: whose project it is is not known, as tracker.entity is null; give --entity NAME\n",
        ),
        (
            None,
            [str(runs / "none")],
            f"error: no finished run (no result.json) in {runs / 'none'}; give a folder above finished runs\n",
        ),
        (
            config,
            [str(runs), "--entity", "me"],
            "are in several projects (me/mine, me/other); give a folder with one of them\n",
        ),
    ):
        if change:
            first.write_text(yaml.safe_dump(change))
        with pytest.raises(SystemExit) as leaving:
            dashboard.main(arguments)
        assert leaving.value.code == 2
        err = capsys.readouterr().err
        assert err.endswith(message)
        assert err.count("\n") == 1
