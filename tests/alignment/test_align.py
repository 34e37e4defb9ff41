import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.journals import read_journal
from helpers.runs import Run, call, folder_of

from cultural_sp.config.registries import OPTIMIZERS
from cultural_sp.reporting.figures import save_figures
from cultural_sp.runs.methods import METHODS, icl_keys
from cultural_sp.runs.result import load_result

pytestmark = pytest.mark.usefixtures("no_figures")


SMALL = [
    "optimizer.budget=10",
    "optimizer.population=5",
    "soft_prompt.n_tokens=3",
    "soft_prompt.dim=4",
    "validity=false",
    "readout.report_generate=false",
    "open_ended_questions=false",
]


@pytest.fixture
def tiny_run(tiny_folder, toy_survey_file, tmp_path):
    """Overrides of a quick run on the tiny random model and the toy survey."""
    return [
        f"model.name_or_path={tiny_folder}",
        f"survey.instrument={toy_survey_file}",
        f"output_dir={tmp_path / 'outputs'}",
        *SMALL,
    ]


@pytest.fixture(scope="module")
def plain(tiny_folder, toy_survey_file, tmp_path_factory):
    """Folder of such a run; only to be read."""
    output = tmp_path_factory.mktemp("plain")
    mine = [*SMALL, f"model.name_or_path={tiny_folder}", f"survey.instrument={toy_survey_file}", f"output_dir={output}"]
    code, _, errors = Run(mine, output / "log").end()
    assert code == 0, errors
    return folder_of(output)


FULL = ["survey.instrument=vsm13", "validity=true", "readout.report_generate=true", "open_ended_questions=true"]


def test_a_run_leaves_everything_a_reader_needs(monkeypatch, capsys, tiny_run, tmp_path):
    monkeypatch.setattr("cultural_sp.alignment.outputs.save_figures", save_figures)
    code, out, _ = call(monkeypatch, capsys, *tiny_run, *FULL, "region=jp", "seed=3")
    assert code == 0
    folder = tmp_path / "outputs" / "align" / "jp" / "tiny" / "seed-3"
    assert out.splitlines()[-1] == f"run folder: {folder}"
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert {
        "config.yaml",
        "evaluations.jsonl",
        "nearest_tokens.csv",
        "report/report.html",
        "report/report.md",
        "result.json",
        "soft_prompt/adapter_model.safetensors",
        "soft_prompt/adapter_config.json",
        "soft_prompt/README.md",
        "figures/convergence.png",
        "figures/dimensions.png",
    } <= names

    result = load_result(folder / "result.json")
    assert result.region.country == "Japan"
    assert [set(answer.answers) for answer in result.open_answers] == [{"naive", "aligned"}] * 4
    page = (folder / "report" / "report.html").read_text()
    assert all(answer.question in page for answer in result.open_answers)
    assert {r.method for r in result.scores} == set(METHODS)
    selected, held_out = [f"selected_{i}" for i in range(8, 12)], [f"held_out_{i}" for i in range(12, 20)]
    pools = {"tuned_pooled", "selected_pooled", "held_out_pooled"}
    assert {r.wording for r in result.scores} == {"tuned", *selected, *held_out, *pools}
    # 8 methods x (13 wordings and 3 pools) x 2 readouts without a list, and 8 generated ones in both orders and averaged, which
    # are the tuned wording and its pool
    assert len(result.scores) == 8 * 16 * 2 + 8 * 3 * 2
    for method in ("naive", "aligned"):
        for readout in ("expected", "argmax"):
            single = [result.score(method, wording, readout).dimensions for wording in held_out]
            mean = {name: np.mean([scores[name] for scores in single]) for name in single[0]}
            assert result.score(method, "held_out_pooled", readout).dimensions == pytest.approx(mean, abs=1e-6)
    strongest = min(("persona", "persona_demonstrations", "persona_native"), key=lambda m: result.score(m).loss)
    assert result.icl() == strongest
    assert out.count(" (ICL)") == 3  # in the tables of losses, limits and scores
    assert len({json.dumps(result.score(m).item_means) for m in ("naive", *icl_keys())}) == 4
    assert result.score("midpoint").dimensions == dict.fromkeys(["PDI", "IDV", "MAS", "UAI", "LTO", "IVR"], 50.0)
    assert result.validity is not None
    assert result.provenance["weights_hash_before"] == result.provenance["weights_hash_after"]

    for record in result.scores:
        assert (record.option_probabilities is None) == (record.readout != "expected" or record.method == "midpoint")
        for item, chances in (record.option_probabilities or {}).items():
            assert sum(chances) == pytest.approx(1, abs=1e-5)
            assert np.dot(chances, range(1, 6)) == pytest.approx(record.item_means[item], abs=1e-4)

    journal = read_journal(folder / "evaluations.jsonl")
    assert [r["search"] for r in journal] == ["random_search"] * 10 + ["aligned"] * 10
    best = min(r["loss"] for r in journal if r["search"] == "aligned")
    assert result.score("aligned").loss == pytest.approx(best, abs=1e-3)
    assert result.score("aligned").loss <= result.score("start").loss + 1e-3
    assert journal[0]["loss"] == pytest.approx(result.score("start").loss, abs=1e-3)


def test_the_same_command_gives_the_same_numbers(monkeypatch, capsys, tiny_run, plain, tmp_path):
    code, _, err = call(monkeypatch, capsys, *tiny_run)
    assert code == 0, err
    assert (
        load_result(folder_of(tmp_path / "outputs") / "result.json").scores == load_result(plain / "result.json").scores
    )


def test_a_saved_prompt_scores_the_same_when_loaded_as_the_start(monkeypatch, capsys, tiny_run, plain, tmp_path):
    first = plain / "result.json"
    again = [*tiny_run, "name=second", "soft_prompt.init=file", f"soft_prompt.path={first.parent / 'soft_prompt'}"]
    assert call(monkeypatch, capsys, *again)[0] == 0
    second = load_result(next((tmp_path / "outputs" / "second").rglob("result.json")))
    for wording in ("tuned", "held_out_1"):
        expected = load_result(first).score("aligned", wording)
        assert second.score("start", wording).loss == pytest.approx(expected.loss, abs=1e-6)
        assert second.score("start", wording).item_means == pytest.approx(expected.item_means, abs=1e-6)


@pytest.mark.parametrize("readout", ["argmax", "sample", "generate"])
def test_every_readout_can_be_searched_on(monkeypatch, capsys, tiny_run, readout):
    code, _, err = call(monkeypatch, capsys, *tiny_run, f"readout={readout}", "optimizer.budget=5")
    if readout == "generate":  # random weights write no answers: every loss is missing, and that is said
        assert code == 2
        assert "5 of 5 evaluations of random_search have no loss" in err
    else:
        assert code == 0


@pytest.mark.parametrize("order", ["ascending", "descending", "both"])
def test_numbered_options_in_every_order(monkeypatch, capsys, tiny_run, tmp_path, order):
    overrides = ["survey.scoring=number", f"survey.option_order={order}", "soft_prompt.placement=user"]
    assert call(monkeypatch, capsys, *tiny_run, *overrides)[0] == 0
    file = next((tmp_path / "outputs").rglob("result.json"))
    orders = {r.option_order for r in load_result(file).scores}
    assert orders == ({"ascending", "descending", "both"} if order == "both" else {order})
    assert not (file.parent / "soft_prompt" / "adapter_config.json").exists()


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        pytest.param(*item, marks=[pytest.mark.slow] * (item[0] not in ("de", "de_surrogate")))
        for item in ((kind, entry.label) for kind, entry in OPTIMIZERS.items())
    ],
)
def test_every_optimizer_runs_goes_on_and_is_named(monkeypatch, capsys, tiny_run, tmp_path, kind, label):
    code, out, err = call(monkeypatch, capsys, *tiny_run, f"optimizer={kind}", "model.batch_size=5")
    assert code == 0, err
    assert f"aligned ({label})" in out
    file = next((tmp_path / "outputs").rglob("result.json"))
    result, journal = load_result(file), file.parent / "evaluations.jsonl"
    assert result.optimizer == kind
    assert result.score("aligned").loss <= result.score("start").loss + 1e-3
    file.unlink()
    whole = journal.read_bytes()
    journal.write_bytes(b"".join(whole.splitlines(keepends=True)[:16]))  # the second generation is gone
    code, out, _ = call(monkeypatch, capsys, *tiny_run, f"optimizer={kind}", "model.batch_size=5")
    assert code == 0
    assert "going on: 15 of 20" in out
    assert [r["loss"] for r in read_journal(journal)] == [json.loads(line)["loss"] for line in whole.splitlines()[1:]]


def test_weights_of_statements_can_be_read(monkeypatch, capsys, tiny_run, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "PDI: {high: [Obey.], low: [All are equal.]}\nIDV: {high: [I come first.], low: [We come first.]}\n"
    )
    overrides = ["soft_prompt=statements", f"soft_prompt.statements={mine}", "optimizer.budget=40"]
    code, out, err = call(monkeypatch, capsys, *tiny_run, *overrides)
    assert code == 0, err
    assert "statements that weigh most, of 4 (statements.csv):" in out
    folder = next((tmp_path / "outputs").rglob("result.json")).parent
    records = [r for r in read_journal(folder / "evaluations.jsonl") if r["search"] == "aligned"]
    best = min(records, key=lambda r: r["loss"])
    rows = list(csv.DictReader((folder / "statements.csv").open()))
    assert sorted(float(row["weight"]) for row in rows) == sorted(best["z"])
    assert {row["statement"] for row in rows} == {"Obey.", "All are equal.", "I come first.", "We come first."}
    assert [row["statement"] for row in rows if float(row["weight"]) == best["z"][2]] == ["I come first."]
    (folder / "result.json").unlink()
    mine.write_text(mine.read_text().replace("Obey", "Never obey"))
    code, _, err = call(monkeypatch, capsys, *tiny_run, *overrides)
    assert code == 2
    assert "statements_hash=" in err


def test_what_must_be_said_about_a_model_is_said(monkeypatch, capsys, tiny_run, tmp_path):
    code, out, err = call(monkeypatch, capsys, *tiny_run, "model.note='a phantom, no culture'")
    assert code == 0, err
    assert out.count("model: a phantom, no culture") == 2  # before the run and below its table
    assert load_result(next((tmp_path / "outputs").rglob("result.json"))).note == "a phantom, no culture"
    code, out, _ = call(monkeypatch, capsys, *tiny_run, "model.note='said otherwise'")
    assert code == 0
    assert "already finished" in out  # the words shape no number


def test_the_journal_holds_what_is_searched_and_what_is_reported(monkeypatch, capsys, tiny_run, tmp_path):
    overrides = ["objective=squared", "objective.valid_mass_weight=100", "soft_prompt.scale=4"]
    code, _, err = call(monkeypatch, capsys, *tiny_run, *overrides)
    assert code == 0, err
    file = next((tmp_path / "outputs").rglob("result.json"))
    result, journal = load_result(file), read_journal(file.parent / "evaluations.jsonl")
    start = journal[0]["valid_mass"]
    assert any(r["valid_mass"] < 0.9 * start for r in journal)
    assert any(r["valid_mass"] > start for r in journal)
    for r in journal:
        apart = np.array([r["dimensions"][d] - t for d, t in result.region.target.items()])
        assert r["l1"] == pytest.approx(np.abs(apart).mean())
        penalty = 100 * max(0.0, np.log10(start / r["valid_mass"]))
        assert r["loss"] == pytest.approx(np.square(apart).mean() + penalty, rel=1e-5)
    best = min((r for r in journal if r["search"] == "aligned"), key=lambda r: r["loss"])
    assert result.score("aligned").loss == pytest.approx(best["l1"], abs=1e-3)


SA = ["region=sa", "region.vintage=matrix_2015", "optimizer.budget=5"]


def test_without_a_soft_prompt_the_placement_does_not_show(monkeypatch, capsys, tiny_run, plain, tmp_path):
    naive = [load_result(plain / "result.json").score("naive")]
    for placement in ("system", "user"):
        assert call(monkeypatch, capsys, *tiny_run, f"name={placement}", f"soft_prompt.placement={placement}")[0] == 0
        naive.append(load_result(next((tmp_path / "outputs" / placement).rglob("result.json"))).score("naive"))
    assert naive[0] == naive[1] == naive[2]


def test_missing_targets_are_left_out_and_said(monkeypatch, capsys, tiny_run, tmp_path):
    code, out, _ = call(monkeypatch, capsys, *tiny_run, "survey.instrument=vsm13", *SA)
    assert code == 0
    assert "no target for PDI, IDV, MAS, UAI in matrix_2015: left out of the loss of every method" in out
    result = load_result(next((tmp_path / "outputs").rglob("result.json")))
    assert result.region.target == {"PDI": None, "IDV": None, "MAS": None, "UAI": None, "LTO": 36.0, "IVR": 52.0}
    assert result.score("midpoint").loss == pytest.approx((14 + 2) / 2)


def test_a_finished_run_is_skipped_and_another_refused(monkeypatch, capsys, tiny_run, plain, tmp_path):
    file = Path(shutil.copytree(plain, folder_of(tmp_path / "outputs"))) / "result.json"
    before = file.read_bytes()
    page = file.parent / "report" / "report.html"
    page.write_text("kept")
    code, out, _ = call(monkeypatch, capsys, *tiny_run)
    assert code == 0
    assert "already finished" in out
    assert page.read_text() == "kept"
    page.unlink()
    assert call(monkeypatch, capsys, *tiny_run)[0] == 0
    assert page.is_file()
    assert out.splitlines()[-1] == f"run folder: {file.parent}"
    code, _, err = call(monkeypatch, capsys, *tiny_run, "optimizer.budget=11")
    assert code == 2
    assert "holds a run with another config: optimizer.budget=10 there, 11 here; choose another name=" in err
    assert err.count("\n") == 1
    assert file.read_bytes() == before
    assert call(monkeypatch, capsys, *tiny_run, "optimizer.budget=11", "overwrite=true")[0] == 0
    assert load_result(file).evaluations == 11


@pytest.mark.slow
def test_a_sweep_runs_every_combination_and_names_bad_jobs(monkeypatch, capsys, tiny_run, tmp_path):
    code, _, err = call(monkeypatch, capsys, "--multirun", *tiny_run, "region=no,in", "seed=0,1")
    assert code == 0, err
    assert len(list((tmp_path / "outputs").rglob("result.json"))) == 4
    vintage = "region.vintage=insights_2021,nonsense"
    code, _, err = call(monkeypatch, capsys, "--multirun", *tiny_run, "name=b", "region=us", vintage)
    assert code == 2
    assert "region.vintage='nonsense' is unknown" in err
    assert len(list((tmp_path / "outputs" / "b").rglob("result.json"))) == 1


BAD = {  # a few of hundreds: see bad_input
    "unknown region code": (["region.code=zz"], "region.code='zz'"),
    "typo in a key": (["regoin=us"], "unknown key regoin; allowed: model, region"),
    "missing item": (["survey.questionnaire={tmp}/short.csv"], "lacks: m24"),
    "no poles": (
        ["survey.instrument={tmp}/nopoles.yaml", "validity=true"],
        "no high and low pole persona for PDI, IDV",
    ),
    "no probabilities": (
        ["readout=generate", "objective.valid_mass_weight=1"],
        "needs probabilities, which readout=generate",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2_and_writes_nothing(
    monkeypatch, capsys, tiny_run, tmp_path, case, toy_survey_file
):
    overrides, message = BAD[case]
    (tmp_path / "nopoles.yaml").write_text(toy_survey_file.read_text().split("poles:")[0])
    rows = [f"m{i:02},Question {i}?" for i in range(1, 24)]
    (tmp_path / "short.csv").write_text("item,text\n" + "\n".join(rows))
    overrides = ["survey.instrument=vsm13", *(o.format(tmp=tmp_path) for o in overrides)]
    code, _, err = call(monkeypatch, capsys, *tiny_run, *overrides)
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert message in err
    assert not (tmp_path / "outputs").exists()


def test_a_soft_prompt_of_the_wrong_shape_is_refused(monkeypatch, capsys, tiny_run, plain, tmp_path):
    prompt = plain / "soft_prompt"
    overrides = [
        f"output_dir={tmp_path / 'more'}",
        "soft_prompt.init=file",
        f"soft_prompt.path={prompt}",
        "soft_prompt.n_tokens=4",
    ]
    code, _, err = call(monkeypatch, capsys, *tiny_run, *overrides)
    assert code == 2
    assert "holds shape (3, 32), but soft_prompt.n_tokens and the model need (4, 32)" in err
    assert not (tmp_path / "more").exists()


def test_a_licensed_questionnaire_becomes_the_tuned_wording(monkeypatch, capsys, tiny_run, plain, tmp_path):
    rows = "\n".join(f'{item},"My licensed text, number {i}?"' for i, item in enumerate("abcd"))
    (tmp_path / "mine.csv").write_text("item,text\n" + rows)
    assert call(monkeypatch, capsys, *tiny_run, f"survey.questionnaire={tmp_path / 'mine.csv'}")[0] == 0
    own, mine = (load_result(x / "result.json") for x in (plain, folder_of(tmp_path / "outputs")))
    assert own.score("naive").item_means != mine.score("naive").item_means
    held_out = (run.score("naive", "held_out_1").item_means for run in (own, mine))
    assert next(held_out) == pytest.approx(next(held_out), abs=1e-4)
    assert own.provenance["survey_hash"] != mine.provenance["survey_hash"]


def test_the_validity_command_prints_a_verdict(monkeypatch, capsys, tiny_run):
    code, out, _ = call(monkeypatch, capsys, *tiny_run, entry="validity")
    assert code == 0
    assert "agreement between option orders: does not apply" in out
    assert "opposite personas surely move" in out.splitlines()[-1]
    assert out.splitlines()[0].split()[:4] == ["index", "effect", "95", "%"]


def test_shell_completion_offers_regions():
    line = "python experiments/align.py region=n"
    done = subprocess.run(
        [sys.executable, "experiments/align.py", "-sc", "query=bash"],
        env={**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"region=ng", "region=nl", "region=no", "region=nz"} == set(done.stdout.split())


def test_result_json_holds_no_nan(plain):
    text = (plain / "result.json").read_text()

    def refuse(constant):
        raise AssertionError(constant)

    parsed = json.loads(text, parse_constant=refuse)
    missing = [r for r in parsed["scores"] if r["loss"] is None]
    assert all(r["missing"] > 0 for r in missing)
    assert np.isfinite([r["loss"] for r in parsed["scores"] if r["loss"] is not None]).all()
