import random
import shutil
import signal

import pytest
from helpers.runs import Run, call, folder_of, outcome, refused
from safetensors.numpy import load_file

BUDGET = 12
pytestmark = [pytest.mark.usefixtures("no_figures"), pytest.mark.slow]  # each test makes several runs


def copy_of(whole_run, output, *, lines, torn=0, scores=0, torn_scores=0, drop=()):
    """The run as a kill would have left it: so many journal lines and scored methods, and bytes of the next ones."""
    folder = folder_of(output)
    shutil.copytree(whole_run, folder)
    for name, count, more in (("evaluations.jsonl", lines, torn), ("scores.jsonl", scores, torn_scores)):
        kept = (folder / name).read_bytes().splitlines(keepends=True)
        (folder / name).write_bytes(b"".join(kept[:count]) + (kept[count][:more] if more else b""))
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace(str(whole_run.parents[3]), str(output)))
    for name in ("result.json", *drop):
        (folder / name).unlink()
    return folder


ALL = 1 + 2 * BUDGET
STATES = {
    "only the config": {"lines": 0, "drop": ("evaluations.jsonl", "validity.json", "scores.jsonl")},
    "half a header, no config": {"lines": 0, "torn": 30, "drop": ("config.yaml", "validity.json", "scores.jsonl")},
    "a header": {"lines": 1, "drop": ("validity.json",)},
    "half a batch and half a line": {"lines": 5, "torn": 100},
    "random search": {"lines": 1 + BUDGET},
    "half a batch of the search": {"lines": 1 + BUDGET + 8},
    "both searches": {"lines": ALL, "torn_scores": 50},
    "some scores": {"lines": ALL, "scores": 2, "torn_scores": 300},
    "all but the result": {"lines": ALL, "scores": 5},
}


@pytest.mark.parametrize("state", STATES)
def test_a_run_goes_on_from_every_state_and_comes_to_the_same(
    monkeypatch, capsys, tmp_path, short_run, whole_run, state
):
    folder = copy_of(whole_run, tmp_path, **STATES[state])
    code, out, err = call(monkeypatch, capsys, *short_run, f"output_dir={tmp_path}")
    assert code == 0, err
    evaluated = STATES[state]["lines"] - 1
    assert (f"going on: {evaluated} of {2 * BUDGET} evaluations are there" in out) == (evaluated > 0)
    assert outcome(folder) == outcome(whole_run)


def test_what_a_stopped_overwrite_left_of_another_run_is_not_taken_over(
    monkeypatch, capsys, tmp_path, short_run, whole_run
):
    drop = ("evaluations.jsonl", "config.yaml")
    copy_of(whole_run, tmp_path, lines=ALL, scores=5, drop=drop)
    assert call(monkeypatch, capsys, *short_run, f"output_dir={tmp_path}", "soft_prompt.scale=8")[0] == 0
    calm = tmp_path / "calm"
    assert call(monkeypatch, capsys, *short_run, f"output_dir={calm}", "soft_prompt.scale=8")[0] == 0
    assert outcome(folder_of(tmp_path)) == outcome(folder_of(calm))


def test_a_finished_run_needs_neither_model_nor_lock(monkeypatch, capsys, short_run, whole_run):
    monkeypatch.setattr("cultural_sp.alignment.run.align", None)
    monkeypatch.setattr("cultural_sp.runs.folder.FileLock", None)
    before = sorted(whole_run.rglob("*"))
    code, out, _ = call(monkeypatch, capsys, *short_run, f"output_dir={whole_run.parents[3]}")
    assert code == 0
    assert "already finished" in out
    assert sorted(whole_run.rglob("*")) == before


def test_an_unfinished_run_of_another_config_is_refused_before_the_model_loads(
    monkeypatch, capsys, tmp_path, short_run, whole_run
):
    folder = copy_of(whole_run, tmp_path, lines=5)
    monkeypatch.setattr("cultural_sp.alignment.setup.load_model", None)
    changed = ["optimizer.budget=13", "soft_prompt.scale=8", "optimizer.max_failed_share=0.7"]
    err = refused(monkeypatch, capsys, folder, *short_run, f"output_dir={tmp_path}", *changed)
    assert f"run folder {folder} holds a run with another config: " in err
    assert "optimizer.budget=12 there, 13 here" in err
    assert "soft_prompt.scale=16.0 there, 8.0 here" in err
    assert "max_failed_share" not in err  # a run may go on with another patience
    assert "choose another name=, or replace it with overwrite=true" in err


def test_an_unfinished_run_may_go_on_with_another_report(monkeypatch, capsys, tmp_path, short_run, whole_run):
    """The search is the same; answers that were read otherwise are asked for again."""
    folder = copy_of(whole_run, tmp_path, lines=ALL, scores=3)
    other = ["readout.report_generate=true", "readout.n_respondents=3", "knowledge=own", "knowledge.countries=[China]"]
    mine = [*short_run, f"output_dir={tmp_path}", *other]
    code, out, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    assert f"going on: {2 * BUDGET} of {2 * BUDGET} evaluations are there" in out
    assert outcome(folder)["journal"] == outcome(whole_run)["journal"]
    calm = tmp_path / "calm"
    assert call(monkeypatch, capsys, *short_run, *other, f"output_dir={calm}")[0] == 0
    assert outcome(folder)["result"]["scores"] == outcome(folder_of(calm))["result"]["scores"]
    assert outcome(folder)["result"]["knowledge"] == outcome(folder_of(calm))["result"]["knowledge"]
    err = refused(monkeypatch, capsys, folder, *short_run, f"output_dir={tmp_path}")  # a finished run has one report
    assert "report_generate=true there, false here" in err.lower()


def other_weights(model, survey, monkeypatch):
    from safetensors.numpy import save_file

    tensors = load_file(model / "model.safetensors")
    tensors["model.norm.weight"] = tensors["model.norm.weight"] + 1
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})


def other_template(model, survey, monkeypatch):
    template = model / "chat_template.jinja"
    template.write_text(template.read_text() + " ")


def other_survey(model, survey, monkeypatch):
    survey.write_text(survey.read_text().replace("Do you like apples?", "Do you like pears?"))


def other_versions(model, survey, monkeypatch):
    monkeypatch.setattr("cultural_sp.alignment.journal_header.loss_determining_versions", lambda: {"torch": "1.0"})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (other_weights, "another run: weights_hash="),
        (other_template, "another run: chat_template_hash="),
        (other_survey, "another run: survey_hash="),
        (other_versions, " there, 1.0 here"),
    ],
)
def test_what_shapes_losses_must_be_the_same(
    monkeypatch, capsys, tmp_path, tiny_folder, toy_survey_file, short_run, change, named
):
    model, survey = tmp_path / "tiny", tmp_path / "toy.yaml"
    shutil.copytree(tiny_folder, model)
    shutil.copy(toy_survey_file, survey)
    mine = [*short_run, f"model.name_or_path={model}", f"survey.instrument={survey}", f"output_dir={tmp_path}"]
    assert call(monkeypatch, capsys, *mine)[0] == 0
    folder = folder_of(tmp_path)
    (folder / "result.json").unlink()
    change(model, survey, monkeypatch)
    err = refused(monkeypatch, capsys, folder, *mine)
    assert f"{folder / 'evaluations.jsonl'} belongs to another run: " in err
    assert named in err
    assert " there, " in err


@pytest.mark.parametrize("name", ["evaluations.jsonl", "scores.jsonl", "validity.json", "config.yaml"])
def test_a_damaged_file_is_named_and_overwrite_is_the_way_out(
    monkeypatch, capsys, tmp_path, short_run, whole_run, name
):
    folder = copy_of(whole_run, tmp_path, lines=ALL, scores=3)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:40] + b"\x00{" + content[42:])
    mine = [*short_run, f"output_dir={tmp_path}"]
    err = refused(monkeypatch, capsys, folder, *mine)
    assert str(folder / name) in err
    assert "overwrite=true" in err
    code, _, err = call(monkeypatch, capsys, *mine, "overwrite=true")
    assert code == 0, err
    assert outcome(folder)["prompt"] == outcome(whole_run)["prompt"]


@pytest.mark.parametrize("n_kills", [8, pytest.param(20, marks=pytest.mark.exhaustive)])
def test_a_run_that_is_killed_many_times_comes_to_the_same(tmp_path, short_run, n_kills):
    short_run = [*short_run, "optimizer.budget=60"]
    calm, output = tmp_path / "calm", tmp_path / "killed"
    calm.mkdir()
    output.mkdir()
    assert Run([*short_run, f"output_dir={calm}"], calm / "log").end()[0] == 0
    rng = random.Random(7)
    kills = 0
    for attempt in range(100):
        run = Run([*short_run, f"output_dir={output}"], output / f"log{attempt}")
        journal, scores = folder_of(output) / "evaluations.jsonl", folder_of(output) / "scores.jsonl"

        def written(journal=journal, scores=scores):
            return sum(path.stat().st_size for path in (journal, scores) if path.exists())

        if attempt % 3:
            goal = written() + rng.randrange(100_000 // n_kills)
            run.wait_for(lambda goal=goal: written() > goal)
        run.process.join(rng.random() * (0.02 if attempt % 3 else 0.6))
        run.process.kill()
        code, _, errors = run.end()
        if code == 0:
            break
        assert code == -signal.SIGKILL, errors
        kills += 1
    assert code == 0
    assert kills >= n_kills
    assert outcome(folder_of(output)) == outcome(folder_of(calm))
