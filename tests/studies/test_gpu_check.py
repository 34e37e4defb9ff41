import json

import pytest
from helpers.runs import call

from cultural_sp.studies.benchmark.gpu_check import exactness
from cultural_sp.studies.benchmark.gpu_check.run import PARTS

FAST = [name for name in PARTS if name not in ("restarts", "methods", "complete_run")]
SIZES = ["evaluations=8", "population=4", "rounds=1", "batch_sizes=[1,2]", "kinds=[llama]", "max_new_tokens=1"]


@pytest.fixture
def check(monkeypatch, capsys, tiny_folder, tmp_path):
    """Run the check on this CPU and return its exit code, its parts and its error lines."""

    def run(*overrides):
        small = [f"model.name_or_path={tiny_folder}", "geometry=tiny", "model.device=cpu", "model.dtype=float32"]
        words = [*small, "model.compile=false", *SIZES, f"output_dir={tmp_path}", *overrides]
        code, _, err = call(monkeypatch, capsys, *words, entry="gpu-check")
        written = tmp_path / "gpu_check" / "gpu_check.json"
        parts = json.loads(written.read_text())["parts"] if written.exists() else {}
        return code, parts, err

    return run


def test_every_part_has_its_result_and_one_that_fails_does_not_lose_the_others(check, tmp_path, monkeypatch):
    monkeypatch.setattr(exactness, "PLACEMENTS", ("system",))
    code, parts, _ = check(f"parts=[{','.join(FAST)}]")
    assert code == 0
    assert list(parts) == FAST
    assert {name for name, part in parts.items() if "result" not in part} == {"out_of_memory"}
    assert "needs a GPU" in parts["out_of_memory"]["error"]
    assert [row["candidates"] for row in parts["batch_sizes"]["result"]] == [1, 2]
    assert all(row["float32"] < 1e-4 for row in parts["exactness"]["result"])
    assert [row["rendering"] for row in parts["exactness"]["result"]] == [
        "list first",
        "question first",
        "words",
        "words from a list",
    ]
    assert all(max(row.values()) < 1e-3 for row in parts["agreement"]["result"].values())
    seconds = parts["sustained"]["result"]["seconds"]
    assert parts["sustained"]["result"]["share_of_bound"]["tree"] == pytest.approx(seconds["bound"] / seconds["tree"])
    page = (tmp_path / "gpu_check" / "gpu_check.md").read_text()
    assert page.count("\n## ") == len(FAST)
    assert "Failed: ValueError: needs a GPU" in page


def test_no_part_starts_after_the_time_is_up(check):
    code, parts, _ = check("parts=[attention,kernels]", "minutes=1e-6")
    assert code == 0
    assert {part["skipped"] for part in parts.values()} == {"no time left"}


def test_an_unknown_part_is_one_line(check):
    code, parts, err = check("parts=[speed]")
    assert (code, parts) == (2, {})
    assert "parts=speed is unknown; choose some of: sustained, batch_sizes" in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_the_complete_run_and_the_usual_methods(check):
    _, parts, _ = check("parts=[complete_run,methods]")
    assert {"validity", "search", "scores"} <= set(parts["complete_run"]["result"]["seconds"])
    assert parts["methods"]["result"]["max_abs_diff"] < 1e-4


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_run_that_was_killed_or_started_by_a_launcher_is_the_same_run(check):
    _, parts, _ = check("parts=[restarts]")
    ways = parts["restarts"]["result"]
    assert ways.pop("in one go")["evaluations"] == 128
    assert {way: row.get("largest_difference") for way, row in ways.items()} == dict.fromkeys(ways, 0.0)
    assert 24 <= ways["killed and resumed"]["evaluations_at_kill"] < 128
