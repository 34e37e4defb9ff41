"""Small versions of the loads in loads.py, which says how to run the large ones."""

import json
import time

import pytest
from helpers.loads import journal, memory, survey_of
from helpers.runs import call

pytestmark = pytest.mark.slow


def test_a_journal_of_ten_thousand_evaluations_is_resumed_in_seconds(tmp_path):
    started = time.process_time()
    found = journal(tmp_path, evaluations=10_000)
    assert found["megabytes"] > 10
    assert time.process_time() - started < 30  # a twentieth of 200,000, which have a minute, written and played


def test_memory_is_flat_over_a_run(tmp_path, tiny_folder, toy_survey_file):
    found = memory(tmp_path, tiny_folder, evaluations=600, overrides=[f"survey.instrument={toy_survey_file}"])
    assert len(found) == 10
    assert found[-1] - found[4] < 25  # MB; a candidate's record alone would be less than 1


def test_a_survey_of_a_hundred_items_is_taken(monkeypatch, capsys, tmp_path, short_run):
    survey = survey_of(tmp_path / "large.yaml", 100)
    mine = [
        *short_run,
        f"survey.instrument={survey}",
        f"output_dir={tmp_path}/out",
        "validity=false",
        "optimizer.budget=4",
    ]
    code, _, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    (result,) = (tmp_path / "out").rglob("result.json")
    assert len(json.loads(result.read_text())["scores"][0]["item_means"]) == 100


def test_a_population_of_two_thousand_is_asked_at_once(monkeypatch, capsys, tmp_path, short_run):
    large = ["optimizer.population=2000", "optimizer.budget=300", "model.batch_size=50", "validity=false"]
    code, _, err = call(monkeypatch, capsys, *short_run, f"output_dir={tmp_path}/out", *large)
    assert code == 0, err
