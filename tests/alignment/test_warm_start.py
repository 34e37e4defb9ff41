"""Searches that start from what earlier runs evaluated."""

import json
import shutil

import numpy as np
import pytest
from helpers.journals import read_journal
from helpers.runs import call, folder_of, refused

from cultural_sp.evaluation.fitness import Fitness
from cultural_sp.reporting.tables import summary
from cultural_sp.runs.result import load_result
from cultural_sp.search.history import SearchHistory
from cultural_sp.search.journal import SCHEMA_VERSION
from cultural_sp.search.warm_start import find_journals, read_warm_start
from cultural_sp.utils.json_lines import CHECKSUM, encode_line
from cultural_sp.utils.serialize import fingerprint

pytestmark = [pytest.mark.usefixtures("no_figures"), pytest.mark.slow]  # each test makes several runs
QUICK = ["validity=false", "region=jp"]


def new_folder(output, region="jp"):
    return output / "align" / region / "tiny" / "seed-0"


def losses(records, result):
    target = np.array(list(result.region.target.values()), dtype=float)
    return [np.abs(np.array(list(r["dimensions"].values())) - target).mean() for r in records]


def edited(whole_run, output, **header):
    """A copy of the run whose journal has other entries in its header, and correct checksums."""
    shutil.copytree(whole_run, output / "earlier")
    path = output / "earlier" / "evaluations.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    first = {**json.loads(lines[0]), **header}
    del first[CHECKSUM]
    path.write_bytes(encode_line({k: v for k, v in first.items() if v != "gone"}) + b"".join(lines[1:]))
    return output / "earlier"


def test_a_search_starts_from_what_another_region_evaluated(monkeypatch, capsys, tmp_path, short_run, whole_run):
    cold, warm = tmp_path / "cold", tmp_path / "warm"
    assert call(monkeypatch, capsys, *short_run, *QUICK, f"output_dir={cold}")[0] == 0
    fitness, sizes = Fitness.__call__, []
    monkeypatch.setattr(Fitness, "__call__", lambda self, p, *w: (sizes.append(len(p)), fitness(self, p, *w))[1])
    mine = [*short_run, *QUICK, f"output_dir={warm}", f"optimizer.warm_start={whole_run}"]
    code, out, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    assert sum(sizes) == 24  # the archive costs no evaluation

    result = load_result(new_folder(warm) / "result.json")
    warm_start = read_journal(whole_run / "evaluations.jsonl")
    different = {r["fingerprint"] for r in warm_start}
    assert result.warm_start == {"sources": {str(whole_run / "evaluations.jsonl"): 24}, "offered": len(different)}
    said = f"warm start from {len(different)} candidates of 1 earlier run; random search had none"
    assert said in summary(result)
    assert said in out
    before, after = (read_journal(new_folder(x) / "evaluations.jsonl") for x in (cold, warm))
    assert [r["fingerprint"] for r in after[:12]] == [r["fingerprint"] for r in before[:12]]  # random search as it was
    assert after[12]["z"] == [0.0] * 4
    asked_before = {r["fingerprint"] for r in (*warm_start, *before)}
    assert sum(r["fingerprint"] in asked_before for r in after[13:]) <= 1  # DE may ask for a parent again

    best = min(losses([*warm_start, *after[12:]], result))
    assert result.score("aligned").loss == pytest.approx(best, abs=1e-3)
    assert result.score("random_search").loss == pytest.approx(min(losses(after[:12], result)), abs=1e-3)
    first = min(losses(warm_start, result))
    assert after[12]["best_loss"] == pytest.approx(min(first, after[12]["loss"]))


def test_the_result_may_be_an_earlier_candidate(monkeypatch, capsys, tmp_path, short_run, whole_run):
    """The same region again, one new generation: what the first run found stays."""
    mine = [*short_run, "validity=false", f"output_dir={tmp_path}", "optimizer.budget=1"]
    code, _, err = call(monkeypatch, capsys, *mine, f"optimizer.warm_start=[{whole_run}]")
    assert code == 0, err
    found, first = (load_result(x / "result.json") for x in (folder_of(tmp_path), whole_run))
    best = min(read_journal(whole_run / "evaluations.jsonl"), key=lambda r: r["loss"])
    assert best["loss"] < read_journal(folder_of(tmp_path) / "evaluations.jsonl")[1]["loss"]
    assert found.score("aligned").loss == pytest.approx(best["loss"], abs=1e-3)
    assert found.score("aligned").loss <= first.score("aligned").loss + 1e-3
    assert found.evaluations == 1


def test_a_warm_search_goes_on_and_another_archive_is_refused(monkeypatch, capsys, tmp_path, short_run, whole_run):
    earlier = tmp_path / "earlier"
    shutil.copytree(whole_run, earlier / "one")
    mine = [*short_run, *QUICK, f"output_dir={tmp_path / 'out'}", f"optimizer.warm_start={earlier}"]
    code, _, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    journal = new_folder(tmp_path / "out") / "evaluations.jsonl"
    whole, result = read_journal(journal), load_result(journal.with_name("result.json"))
    lines = journal.read_bytes().splitlines(keepends=True)

    def cut():
        journal.with_name("result.json").unlink(missing_ok=True)
        journal.write_bytes(b"".join(lines[:20]))

    cut()
    (earlier / "one").rename(earlier / "other name")  # where it lies plays no part
    assert call(monkeypatch, capsys, *mine)[0] == 0
    timeless = [[{**r, "seconds": 0, "crc32": 0} for r in records] for records in (read_journal(journal), whole)]
    assert timeless[0] == timeless[1]
    assert load_result(journal.with_name("result.json")).scores == result.scores
    cut()
    source = earlier / "other name" / "evaluations.jsonl"
    source.write_bytes(b"".join(source.read_bytes().splitlines(keepends=True)[:-1]))
    err = refused(monkeypatch, capsys, journal.parent, *mine)
    assert f"{journal} belongs to another run: warm_start=" in err
    assert " there, " in err
    shutil.rmtree(earlier)
    err = refused(monkeypatch, capsys, journal.parent, *mine)
    assert f"optimizer.warm_start={earlier} is no folder; give run folders of earlier runs, or a folder above" in err


def test_a_joint_run_takes_and_gives_a_warm_start(monkeypatch, capsys, tmp_path, short_run, whole_run):
    quick = [*short_run, "validity=false", f"output_dir={tmp_path}", "optimizer.budget=10"]
    joint = [*quick, "region=joint", "region.codes=[sa,in]", f"optimizer.warm_start={whole_run}"]
    code, _, err = call(monkeypatch, capsys, *joint)
    assert code == 0, err
    folder = new_folder(tmp_path, "joint")
    journal = [*read_journal(whole_run / "evaluations.jsonl"), *read_journal(folder / "evaluations.jsonl")[10:]]
    for code in ("sa", "in"):
        result = load_result(folder / code / "result.json")
        assert result.score("aligned").loss == pytest.approx(min(losses(journal, result)), abs=1e-3)
    mine = [*quick, "region=jp", f"optimizer.warm_start=[{folder},{whole_run}]"]  # the same candidates twice count once
    code, _, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    result = load_result(new_folder(tmp_path) / "result.json")
    different = {r["fingerprint"] for r in journal}
    assert result.warm_start["offered"] >= len(different)
    assert sum(result.warm_start["sources"].values()) == 24 + 20


def test_a_folder_above_holds_all_journals_but_the_runs_own(tmp_path, whole_run):
    for name in ("a", "b/c", "own"):
        shutil.copytree(whole_run, tmp_path / name)
    found = find_journals([str(tmp_path), str(tmp_path / "a")], tmp_path / "own")
    assert sorted(path.parent.name for path in found) == ["a", "c"]
    with pytest.raises(ValueError, match="own holds no evaluations.jsonl of an earlier run; give run folders"):
        find_journals([str(tmp_path / "own")], tmp_path / "own")


def write_journal(path, records, **header):
    path.parent.mkdir(parents=True)
    path.write_bytes(b"".join(map(encode_line, [{"schema_version": SCHEMA_VERSION, **header}, *records])))
    return path


def record(z, score, mass=0.5):
    return {"fingerprint": fingerprint(np.array(z)), "z": z, "dimensions": {"PDI": score}, "valid_mass": mass}


def test_an_archive_is_the_same_wherever_its_parts_lie(tmp_path):
    one = [record([0.0, 1.0], 3.0), record([2.0, 1.0], None, None)]
    two = [record([5.0, 1.0], 4.0), record([0.0, 1.0], 3.5)]
    archives = []
    for names in ("ab", "ba"):
        paths = [
            write_journal(tmp_path / names / name / "evaluations.jsonl", records)
            for name, records in zip(names, (one, two), strict=True)
        ]
        archives.append(read_warm_start(sorted(paths), {}, 2, ("PDI",)))
    assert archives[0].fingerprint() == archives[1].fingerprint()
    assert sorted(archives[0].z.tolist()) == [[0.0, 1.0], [2.0, 1.0], [5.0, 1.0]]
    scores = dict(zip(map(tuple, archives[0].z.tolist()), archives[0].dimensions[:, 0].tolist(), strict=True))
    assert scores[0.0, 1.0] == 3.0
    assert np.isnan(scores[2.0, 1.0])
    ledger = SearchHistory(lambda dimensions, mass: (dimensions[:, 0] - 3.9, dimensions[:, 0]))
    ledger.add_prior(archives[0])
    ledger.add(np.array([[7.0, 7.0]]), [""], np.array([[9.0]]), np.array([0.5]))
    result = ledger.result()
    assert (result.z.tolist(), result.offered, result.losses.tolist()) == ([0.0, 1.0], 2, pytest.approx([5.1]))


def test_a_line_that_is_being_written_is_passed_over_and_stays(tmp_path):
    path = write_journal(tmp_path / "a" / "evaluations.jsonl", [record([0.0], 1.0), record([1.0], 2.0)])
    path.write_bytes(path.read_bytes()[:-9])
    before = path.read_bytes()
    assert read_warm_start([path], {}, 1, ("PDI",)).z.tolist() == [[0.0]]
    assert path.read_bytes() == before


def only(**changes):
    """A journal with one evaluation."""
    return lambda _: b"".join(map(encode_line, [{"schema_version": SCHEMA_VERSION}, {**record([0.0], 1.0), **changes}]))


DAMAGE = {
    "a wrong digit": (lambda text: text.replace(b"2.0", b"2.5", 1), "line 3 is damaged (its checksum is wrong); restore"),
    "another candidate": (only(z=[1.0]), "line 2 is damaged (its candidate is not the one of its fingerprint)"),
    "too long": (only(**record([0.0, 0.0], 1.0)), "line 2 is damaged (its candidate is not"),
    "no list": (only(z=3), "line 2 is damaged ("),
    "no score": (only(dimensions={}), "line 2 is damaged (its PDI is 'absent')"),
    "nothing": (lambda _: b"", "no evaluation in "),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_source_is_one_line_that_names_it(tmp_path, case):
    damage, message = DAMAGE[case]
    path = write_journal(
        tmp_path / "a" / "evaluations.jsonl", [record([0.0], 1.0), record([1.0], 2.0), record([2.0], 3.0)]
    )
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"^optimizer\.warm_start: [^\n]+$") as caught:
        read_warm_start([path], {}, 1, ("PDI",))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "leave" in str(caught.value)


HEADERS = {
    "weights": ({"weights_hash": "x"}, "weights_hash=x there, "),
    "survey": ({"survey_hash": "x"}, "survey_hash=x there, "),
    "statements": ({"statements_hash": "x"}, "statements_hash=x there, None here"),
    "initial prompt": ({"initial_prompt_hash": "x"}, "initial_prompt_hash=x there, "),
    "chat template": ({"chat_template_hash": "x"}, "chat_template_hash=x there, "),
    "an earlier version": ({"schema_version": 2}, f": schema_version=2 there, {SCHEMA_VERSION} here; leave"),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADERS)
def test_a_source_whose_scores_came_about_otherwise_is_refused(
    monkeypatch, capsys, tmp_path, short_run, whole_run, case
):
    changes, message = HEADERS[case]
    earlier = edited(whole_run, tmp_path, **changes)
    mine = [*short_run, *QUICK, f"output_dir={tmp_path / 'out'}", f"optimizer.warm_start={earlier}"]
    err = refused(monkeypatch, capsys, tmp_path, *mine)
    path = earlier / "evaluations.jsonl"
    assert f"optimizer.warm_start: {path} can't be a source, as the same candidate would score otherwise there" in err
    assert message in err
    assert "leave it out, or run with the same model, seed and settings" in err


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("soft_prompt.scale=8", "score_settings.soft_prompt.scale=16.0 there, 8.0 here;"),
        ("soft_prompt.dim=5", "score_settings.soft_prompt.dim=4 there, 5 here;"),
        ("survey.calibrate=false", "score_settings.survey.calibrate=True there, False here;"),
        ("readout=argmax", "score_settings.readout.kind=expected there, argmax here;"),
        ("objective.constant=40", "score_settings.constant=50.0 there, 40.0 here;"),
        ("seed=1", "score_settings.seed=0 there, 1 here;"),
    ],
)
def test_settings_that_shape_scores_must_be_the_same(
    monkeypatch, capsys, tmp_path, short_run, whole_run, override, message
):
    mine = [*short_run, *QUICK, f"output_dir={tmp_path}", f"optimizer.warm_start={whole_run}", override]
    assert message in refused(monkeypatch, capsys, tmp_path, *mine)


def test_settings_that_shape_only_the_loss_may_differ(monkeypatch, capsys, tmp_path, short_run, whole_run):
    mine = [*short_run, *QUICK, f"output_dir={tmp_path}", f"optimizer.warm_start={whole_run}", "optimizer.budget=5"]
    other = ["objective=squared", "objective.valid_mass_weight=10", "optimizer=cma", "readout.report_generate=true"]
    code, _, err = call(monkeypatch, capsys, *mine, *other)
    assert code == 0, err
    result = load_result(new_folder(tmp_path) / "result.json")
    header = json.loads((new_folder(tmp_path) / "evaluations.jsonl").read_bytes().splitlines()[0])
    new = read_journal(new_folder(tmp_path) / "evaluations.jsonl")[5:]
    known = [*read_journal(whole_run / "evaluations.jsonl"), *new]
    target = np.array(list(result.region.target.values()), dtype=float)
    squared = [((np.array(list(r["dimensions"].values())) - target) ** 2).mean() for r in known]
    lost = [max(0.0, np.log10(header["start_mass"] / r["valid_mass"])) for r in known]
    totals = np.array(squared) + 10 * np.array(lost)
    assert new[-1]["best_loss"] == pytest.approx(totals.min())


def test_a_search_with_too_many_coordinates_is_no_source(monkeypatch, capsys, tmp_path, short_run):
    full = ["soft_prompt=full", "soft_prompt.n_tokens=33", "validity=false", "optimizer.budget=4"]
    mine = [x for x in short_run if not x.startswith("soft_prompt.")] + full
    assert call(monkeypatch, capsys, *mine, f"output_dir={tmp_path / 'earlier'}")[0] == 0
    again = [*mine, "region=jp", f"output_dir={tmp_path / 'out'}", f"optimizer.warm_start={tmp_path / 'earlier'}"]
    err = refused(monkeypatch, capsys, tmp_path, *again)
    assert "evaluations.jsonl holds no candidates, as its search has more coordinates than a journal keeps" in err
    assert "leave it out, or search with soft_prompt=projection" in err
