import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.runs import call, without_bars
from semopy.examples import holzinger39

from cultural_sp.config.studies import RespondentsConfig
from cultural_sp.reporting.html_report.build import write_report
from cultural_sp.studies.factor_analysis.respondents import draw_respondents
from cultural_sp.studies.factor_analysis.sources import read_answers
from cultural_sp.survey.instrument import load_survey
from cultural_sp.survey.scoring import dimension_scores

CONF = Path(__file__).parents[2] / "conf" / "respondents"
FACTORS = """
name: wide
title: Two factors
targets: {made: {us: {country: United States, one: 0, two: 1}}}
default_vintage: made
scales:
  five: {lead: "I say", labels: [first, second, third, fourth, fifth]}
items:
  - {id: a, scale: five, wordings: ["Do you like apples?", "Are apples good?"]}
  - {id: b, scale: five, wordings: ["Do you like bread?", "Is bread good?"]}
  - {id: c, scale: five, wordings: ["Do you like cheese?", "Is cheese good?"]}
  - {id: d, scale: five, wordings: ["Do you like dates?", "Are dates good?"]}
dimensions:
  one: {a: 10, b: -10}
  two: {c: 20, d: 5}
"""


def options(name):
    raw = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    return RespondentsConfig(**{k: v for k, v in raw.items() if k != "defaults"})


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    path = tmp_path_factory.mktemp("wide") / "wide.yaml"
    path.write_text(FACTORS)
    return path


def test_the_grid_gives_64_different_respondents_and_the_draw_is_repeatable():
    drawn = draw_respondents(options("grid"))
    assert len({r.persona for r in drawn}) == len({r.seed for r in drawn}) == 64
    assert drawn == draw_respondents(options("grid"))
    other = draw_respondents(RespondentsConfig(**{**vars(options("grid")), "seed": 1}))
    assert [r.persona for r in other] != [r.persona for r in drawn]
    for trait, levels in options("grid").traits.items():
        assert {r.traits[trait] for r in drawn} == set(levels)
    assert drawn[0].persona.startswith("You are a woman 2")
    assert "{" not in drawn[0].persona


def test_the_option_few_has_all_combinations():
    assert len(draw_respondents(options("few"))) == 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": "You are {gender}."}, "respondents.prompt names the traits gender, but respondents.traits has age"),
        ({"prompt": "You are {age"}, "is no template"),
        ({"traits": {"age": []}}, "respondents.traits: age needs at least one level"),
        ({"readout": "argmax"}, "respondents.readout='argmax' is not allowed"),
        ({"number": 3}, "respondents.number=3 is more than the 2 combinations"),
        ({"number": 0}, "respondents.number=0 is out of range"),
    ],
)
def test_impossible_respondents_are_refused(change, message):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        draw_respondents(
            RespondentsConfig(**{"prompt": "You are {age}.", "traits": {"age": ["20", "30"]}, "number": None, **change})
        )
    assert message in str(error.value)


def run(monkeypatch, capsys, *overrides):
    code, out, errors = call(monkeypatch, capsys, *overrides, entry="factor-analysis")
    return code, out, [line for line in without_bars(errors) if not line.startswith("respondents: ")]


@pytest.mark.slow
def test_a_model_before_and_after_alignment(whole_run, monkeypatch, capsys, tmp_path):
    """The analysis is in the run folder and in the run's report. Six respondents suffice for four items, not for good numbers."""
    folder = shutil.copytree(whole_run, tmp_path / "run")
    overrides = [f"run={folder}", "respondents=few", "respondents.number=6"]
    code, out, errors = run(monkeypatch, capsys, *overrides)
    assert (code, errors) == (0, [])
    page = write_report([folder], tmp_path / "page")
    assert "before, 6 respondents" in page.read_text()
    folder /= "factor_analysis"
    before, after = (pd.read_csv(folder / f"answers_{group}.csv") for group in ("before", "after"))
    assert list(before.columns) == ["gender", "age", "education", "occupation", "a", "b", "c", "d"]
    assert before.shape == after.shape == (6, 8)
    items = ["a", "b", "c", "d"]
    assert before[items].to_numpy().std(axis=0).min() > 0  # the description of a respondent shapes the answers
    assert not np.allclose(before[items], after[items])  # and so does the soft prompt
    assert ((before[items] >= 1) & (before[items] <= [5, 5, 3, 5])).all(axis=None)
    assert (folder / "figures" / "correlations.png").stat().st_size > 1000
    results = json.loads((folder / "factor_analysis.json").read_text())
    assert [a["group"] for a in results["analyses"]] == ["before", "after"]
    assert "## before: 6 respondents" in out

    # answers are cached: the same command asks nobody, another one is refused
    cached = (folder / "answers.jsonl").read_bytes()
    assert cached.count(b"\n") == 13
    again = "cultural_sp.studies.factor_analysis.simulation.survey_answers"
    monkeypatch.setattr(again, lambda *_: pytest.fail("a respondent was asked again"))
    assert run(monkeypatch, capsys, *overrides)[0] == 0
    assert (folder / "answers.jsonl").read_bytes() == cached
    code, _, (error,) = run(monkeypatch, capsys, *overrides, "respondents.readout=sample")
    assert code == 2
    assert "holds the answers of another analysis: respondents.readout=expected there, sample here" in error


def test_sampled_answers_are_options_and_people_stand_beside_them(tiny_folder, wide, monkeypatch, capsys, tmp_path):
    overrides = ["model=smollm2_135m", f"model.name_or_path={tiny_folder}", "survey=vsm13", f"survey.instrument={wide}"]
    overrides += ["respondents=few", "respondents.readout=sample", f"output_dir={tmp_path}"]
    people = pd.DataFrame(np.random.default_rng(0).integers(1, 6, (40, 4)), columns=list("abcd"))
    people.to_csv(tmp_path / "people.csv", index=False)
    code, out, errors = run(monkeypatch, capsys, *overrides, f"answers={tmp_path / 'people.csv'}")
    assert (code, errors) == (0, [])
    assert "## people: 40 respondents" in out
    results = json.loads((tmp_path / "factor_analysis" / "factor_analysis.json").read_text())
    assert [a["group"] for a in results["analyses"]] == ["model", "people"]
    answers = pd.read_csv(tmp_path / "factor_analysis" / "answers_model.csv")[["a", "b", "c", "d"]]
    assert answers.isin([1, 2, 3, 4, 5]).all(axis=None)
    assert answers.shape == (16, 4)
    assert "## model: 16 respondents" in out


def test_human_answers_give_a_measurement_model_that_scores_the_survey(wide, monkeypatch, capsys, tmp_path):
    rng = np.random.default_rng(0)
    factors = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], 500)
    loadings = np.array([[0.8, 0], [-0.7, 0], [0, 0.6], [0, 0.8]])
    answers = pd.DataFrame(factors @ loadings.T + rng.normal(0, 0.6, (500, 4)) + 3, columns=list("abcd")).clip(1, 5)
    answers.iloc[3, 1] = np.nan
    answers.to_csv(tmp_path / "people.csv", index=False)
    code, out, errors = run(
        monkeypatch,
        capsys,
        f"answers={tmp_path / 'people.csv'}",
        "survey=vsm13",
        f"survey.instrument={wide}",
        f"output_dir={tmp_path}",
    )
    assert (code, errors) == (0, [])
    assert "- 1 of 500 respondents have missing answers and are left out (most often missing: b (1))" in out
    assert "the estimation converged to a proper solution" in out
    folder = tmp_path / "factor_analysis"
    assert (folder / "figures" / "loadings.png").stat().st_size > 1000
    assert "no measurement model was written" not in (folder / "report.md").read_text()
    scoring = yaml.safe_load((folder / "measurement_model.yaml").read_text())["scoring"]
    own = tmp_path / "own.yaml"
    raw = yaml.safe_load(FACTORS)
    own.write_text(yaml.safe_dump({**raw, "scoring": scoring}))
    survey = load_survey(str(own))
    complete = answers.dropna()
    scores = dimension_scores(survey.scoring, complete.to_numpy())
    assert scores.mean(axis=0) == pytest.approx([0, 0], abs=1e-5)
    for k in range(2):
        assert np.corrcoef(scores[:, k], factors[complete.index, k])[0, 1] > 0.7


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "whose answers? nothing given; give one of run=FOLDER"),
        (
            ["answers=beyond.csv", "survey=vsm13"],
            "answers=beyond.csv, line 3: item m01 has the answer -1, but its codes run from 1 to 5",
        ),
        (["model=smollm2_135m", "run=x"], "whose answers? run and model given"),
        (["model=smollm2_135m"], "model= needs survey=OPTION too"),
        (["run=x", "survey=vsm13"], "run= takes the survey of the run"),
        (["run=nowhere"], "run=nowhere holds no soft_prompt folder"),
        (["answers=nowhere.csv", "survey=vsm13"], "answers=nowhere.csv can't be read (No such file"),
    ],
)
def test_bad_input_is_one_line(monkeypatch, capsys, tmp_path, overrides, message):
    monkeypatch.chdir(tmp_path)
    Path("beyond.csv").write_text("m01\n3\n-1\n\n9\n")
    code, _, errors = run(monkeypatch, capsys, *overrides, f"output_dir={tmp_path / 'out'}")
    assert code == 2
    (error,) = errors
    assert message in error
    assert not (tmp_path / "out").exists()


ANSWERS = "id,a,b,c,d\np1,1,2,3,4\np2,5,4,3,\n"


def test_answers_are_placed_by_their_columns(toy_survey, tmp_path):
    path = tmp_path / "people.csv"
    path.write_bytes(b"\xef\xbb\xbf" + ANSWERS.encode() + b",,,,\n\n")
    table = read_answers(path, toy_survey)
    assert table["id"].tolist() == ["p1", "p2"]
    assert table[["a", "b", "c", "d"]].to_numpy().tolist()[0] == [1, 2, 3, 4]
    assert np.isnan(table["d"][1])
    path.write_text(ANSWERS.replace("3,\n", "3,NA\n"))  # as R writes it
    assert np.isnan(read_answers(path, toy_survey)["d"][1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ANSWERS.replace("id,", ""), "line 2: 4 fields expected, one per column, but it has 5"),
        (ANSWERS.replace("id,a", "a,a"), "line 1: columns 1 and 2 are both a"),
        (ANSWERS.replace("p2,5", "p2,\uff15"), "line 3, column a: '\uff15' is no plain number"),
        (ANSWERS.replace("p2,5", "p2,\u0665"), "line 3, column a: '\u0665' is no plain number"),
        (ANSWERS.replace("p2,5", "p2,5\u00a0"), "line 3, column a: '5\\xa0' is no plain number"),
        (ANSWERS.replace("p2,5", "p2,0_5"), "line 3, column a: '0_5' is no plain number"),
        (ANSWERS.replace("p2,5", "p2,nan"), "line 3, column a: 'nan' is no plain number"),
        (ANSWERS.replace("p2,5", "p2,inf"), "line 3, column a: 'inf' is no plain number"),
        (ANSWERS.replace("p2,5", "p2,n/a"), "line 3, column a: 'n/a' is no plain number"),
        (ANSWERS.replace("p2,5", "p2,99"), "line 3: item a has the answer 99, but its codes run from 1 to 5"),
        (ANSWERS.replace(",", ";"), "has its columns between semicolons"),
        (ANSWERS.replace(",", "\t"), "has its columns between tabs"),
        (ANSWERS.encode("utf-16"), "it is UTF-16 or UTF-32 text"),
        (b"$FL2@(#)", "it is an SPSS file (.sav)"),
        (b"PK\x03\x04", "it is a zipped file such as .xlsx or .ods"),
        (b"PAR1", "it is a Parquet file"),
        (ANSWERS.partition("\n")[0], "has no respondents; give one row per respondent"),
    ],
)
def test_answers_that_cannot_be_placed_are_refused(toy_survey, tmp_path, text, message):
    path = tmp_path / "people.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=r"^answers=[^\n]+$") as error:
        read_answers(path, toy_survey)
    assert f"people.csv{'' if message.startswith(('has', 'it')) else ','}" in str(error.value)
    assert message in str(error.value)


def test_answers_to_another_survey_are_refused(monkeypatch, capsys, tmp_path):
    holzinger39.get_data().to_csv(tmp_path / "people.csv", index=False)
    code, _, (error,) = run(
        monkeypatch, capsys, f"answers={tmp_path / 'people.csv'}", "survey=vsm13", f"output_dir={tmp_path}"
    )
    assert code == 2
    assert "people: no column for item m07, m02, m20, m23, m04, m01, m09, m06 and 16 more" in error
