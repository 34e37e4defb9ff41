"""The reproduction from plan to artefacts: the path of the paper's profile with a tiny random Llama in the model's place."""

import csv
import re
import shutil

import pandas as pd
import pytest
from helpers.runs import call

from cultural_sp.cli.study_jobs import write_artefact

EASY = ["data_idx", "question_idx", "prompt_question", "prompt_option_a", "prompt_option_b", "prompt_option_c"]
EASY += ["prompt_option_d", "answer", "country"]
HARD = ["data_idx", "question_idx", "prompt_question", "prompt_option", "answer", "country"]
FILES = {f"table_1.{ending}" for ending in ("csv", "md", "tex")} | {"claims.md", "profile.yaml"}
FILES |= {
    f"figure_{name}.{ending}"
    for name in ("convergence", "dimensions", "readouts", "wordings")
    for ending in ("png", "pdf")
}


@pytest.fixture
def bench(tmp_path):
    """Invented questions in the schema of CulturalBench."""
    countries = ("Saudi Arabia", "United States", "China", "India")
    easy = [[i, i, "Which toy?", *"abcd", "B", country] for i, country in enumerate(countries)]
    hard = [[i, i, "Which toy?", o, o == "b", c] for i, c in enumerate(countries) for o in "abcd"]
    folder = tmp_path / "bench"
    folder.mkdir()
    for task, rows in (("Easy", [EASY, *easy]), ("Hard", [HARD, *hard])):
        with (folder / f"CulturalBench-{task}.csv").open("w", newline="") as handle:
            csv.writer(handle).writerows(rows)
    return folder


@pytest.fixture
def overrides(tiny_folder, bench, tmp_path):
    settings = [
        f"model.name_or_path={tiny_folder}",
        "model.dtype=float32",
        "optimizer.budget=6",
        "optimizer.population=4",
        "model.batch_size=2",
        f"knowledge.source={bench}",
        "validity=false",
        "readout.report_generate=false",
        "open_ended_questions=false",
    ]
    return [
        "profile=paper",
        f"overrides={settings}",
        "regions=[us,in]",
        "seeds=[0,1]",
        f"output_dir={tmp_path / 'out'}",
    ]


@pytest.mark.slow
def test_the_paper_profile_runs_through_and_goes_on(monkeypatch, capsys, overrides, no_figures, tmp_path):
    def start(*more, entry="reproduce", arguments=overrides):
        return call(monkeypatch, capsys, *arguments, *more, entry=entry)

    code, out, err = start()
    assert code == 0, err
    assert "left: 36 evaluations" in out  # two searches and one random search for both, for each of two seeds
    assert re.search(r"time: about \d+ min, at [\d,]+ tokens a second as measured now", out)
    assert [line for line in out.splitlines() if line.startswith("run ")] == [
        f"run {i} of 4: {name}" for i, name in enumerate(("US seed 0", "IN seed 0", "US seed 1", "IN seed 1"), 1)
    ]
    folder = tmp_path / "out" / "paper"
    assert {file.name for file in folder.iterdir() if file.is_file()} == FILES
    table = pd.read_csv(folder / "table_1.csv")
    assert set(table.condition) == {"tuned", "held_out", "single", "easy", "hard"}
    mean = table[(table.condition == "tuned") & (table.method == "aligned")].set_index("region").estimate
    assert mean["mean"] == pytest.approx((mean["us"] + mean["in"]) / 2)
    text = (folder / "claims.md").read_text()
    assert "| no weight of the model changes " in text
    assert "the same in 4 of 4 runs" in text
    before = (folder / "table_1.md").read_bytes()

    shutil.rmtree(folder / "in" / "tiny" / "seed-1")
    code, out, err = start()
    assert code == 0, err
    assert "left: 12 evaluations" in out
    assert out.count("\nrun ") == 1
    assert (folder / "table_1.md").read_bytes() == before
    (folder / "claims.md").unlink()
    code, out, err = start(entry=lambda: write_artefact("claims"), arguments=[str(folder)])
    assert code == 0, err
    assert (folder / "claims.md").read_text() == text


@pytest.mark.slow
def test_the_plan_of_a_machine_without_the_weights(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    overrides = ["profile=paper", "dry_run=true", f"output_dir={tmp_path}"]
    code, out, err = call(monkeypatch, capsys, *overrides, entry="reproduce")
    assert code == 0, err
    assert "8,030 million weights" in out
    assert "runs: 20 (SA, US, CN, IN; seeds 0, 1, 2, 3, 4), 0 of them finished" in out
    assert "memory: 15.0 GiB of weights" in out  # 2 bytes each
    assert "not a measurement, as the weights aren't here" in out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seeds=[0,0]", "seeds=[0, 0] is not allowed; give one or more, each once"),
        ("regions=[]", "regions=[] is not allowed"),
        ("regions=[atlantis]", "atlantis"),
        ("overrides=['optimizer.budget=0']", "optimizer.budget=0 is out of range"),
        ("overrides=['survey=inglehart_welzel']", "survey.instrument=inglehart_welzel has other items than vsm13"),
        ("profile=embeded", "profile=embeded is unknown; choose one of: embedded, paper, smoke"),
        ("name=../x", "name='../x' is not allowed"),
    ],
)
def test_what_is_no_reproduction_is_one_line(monkeypatch, capsys, tmp_path, override, message):
    code, _, err = call(monkeypatch, capsys, "dry_run=true", f"output_dir={tmp_path}", override, entry="reproduce")
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_folder_without_runs_is_one_line(monkeypatch, capsys, tmp_path):
    code, _, err = call(monkeypatch, capsys, str(tmp_path), entry=lambda: write_artefact("table_1"))
    assert code == 2
    assert "holds no finished reproduction" in err
