"""Searches that ask each candidate one wording, their checks, and the selection among the best."""

import json

import numpy as np
import pytest
from helpers.journals import read_journal
from helpers.options import OPTIMIZERS, optimizer_config
from helpers.searches import of_wordings

from cultural_sp.search.answer_model import AnswerModel
from cultural_sp.search.journal import POOLED, WORDING, Journal
from cultural_sp.search.loop import Search
from cultural_sp.search.optimizers import make_optimizer
from cultural_sp.search.schedule import Generation, one_wording_each, whole_survey
from cultural_sp.search.selection import Selection, selection_name
from cultural_sp.utils.json_lines import CHECKSUM, encode_line

pytestmark = pytest.mark.usefixtures("few_rounds")
WORDINGS = ("tuned", "tuned_2", "tuned_3", "tuned_4")
LOADS = np.random.default_rng(0).standard_normal((6, 3))
TARGET = np.array([1.5, -1.0, 0.5])
EFFECTS = {w: 2 * np.random.default_rng(i).standard_normal(3) for i, w in enumerate((*WORDINGS, "selected"), 1)}


def scores(z, wording):
    """Scores [n, 3] that bend with z and that a wording shifts."""
    shift = EFFECTS[wording] if wording else np.mean([EFFECTS[w] for w in WORDINGS], axis=0)
    return np.tanh(z @ LOADS) + 0.5 * z @ LOADS + shift


def objective(dimensions, valid_mass):
    loss = np.abs(dimensions - TARGET).mean(axis=1)
    return loss, loss


def run(path, budget=60, kind="de_surrogate", seed=0, generations=None, n_finalists=3, judge=scores):
    journal = Journal(path, {}, lambda: {"batch_size": 2})
    generations = one_wording_each(budget, 8, WORDINGS, seed) if generations is None else generations
    calls = []

    def evaluate(batches):
        calls.extend(batches)
        return of_wordings(judge)(batches)

    names = ("A", "B", "C")
    search = Search("aligned", {"us": objective}, evaluate, generations, names, journal, n_finalists=n_finalists)
    found = search.run([make_optimizer(optimizer_config(kind, population=8, budget=budget, seed=seed), 6)])
    chosen = Selection(selection_name("aligned"), {"us": objective}, "selected", 0.2, evaluate, names, journal).run(
        found
    )
    journal.end()
    return found["us"], chosen["us"], calls


def test_every_generation_asks_all_wordings_equally_often_and_ends_with_a_check():
    generations = one_wording_each(60, 8, WORDINGS, 0)
    assert sum(map(len, generations)) == 60
    assert [len(g.wordings) for g in generations] == [8, 8, 8, 8, 8]
    for generation in generations:
        assert {w: generation.wordings.count(w) for w in WORDINGS} == dict.fromkeys(WORDINGS, 2)
        assert generation.check == WORDINGS
    assert [len(g) for g in one_wording_each(23, 8, WORDINGS, 0)] == [23]
    asked = [w for g in one_wording_each(200, 6, WORDINGS, 0) for w in g.wordings]
    assert np.ptp([asked.count(w) for w in WORDINGS]) <= 1
    with pytest.raises(ValueError, match=r"^optimizer.budget=4 has no room [^\n]+ at least 5, or set [^\n]+=all$"):
        one_wording_each(4, 8, WORDINGS, 0)


def test_a_batch_has_one_wording():
    assert Generation(("a", "a", "a", "b"), ("a", "b")).batch_ends(2) == [2, 3, 4, 6]
    assert [len(g) for g in whole_survey(22, 8)] == [8, 8, 6]
    assert Generation(("",) * 6).batch_ends(4) == [4, 6]


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_best_is_a_candidate_that_took_all_wordings(tmp_path, kind):
    found, _, calls = run(tmp_path / "evaluations.jsonl", kind=kind)
    np.testing.assert_allclose(found.loss, objective(scores(found.z[None], ""), None)[0][0])
    records = [r for r in read_journal(tmp_path / "evaluations.jsonl") if r["search"] == "aligned"]
    assert len(records) == 60
    assert all(WORDING in record for record in records)
    pooled = [record[POOLED]["loss"] for record in records if POOLED in record]
    assert len(pooled) == 5
    assert found.loss == min(pooled) == found.l1_of_best[-1]
    assert np.isnan(found.l1_of_best[:11]).all()
    assert [len(call.z) for call in calls][:4] == [2, 2, 2, 2]
    assert records[-1]["best_loss"] == found.loss


def test_for_the_price_of_one_wording_it_finds_what_holds_on_all(tmp_path):
    def loss(name, generations=None, judge=scores):
        found = [
            run(tmp_path / f"{name}-{seed}", 120, seed=seed, generations=generations, judge=judge)[0].z
            for seed in range(2)
        ]
        return np.mean([objective(scores(z[None], ""), None)[0] for z in found])

    alone = loss("alone", whole_survey(120, 8), lambda z, wording: scores(z, WORDINGS[0]))
    assert loss("single") < 0.5 * alone


def test_the_last_check_is_a_mean_of_candidates(tmp_path):
    run(tmp_path / "evaluations.jsonl")
    records = [r for r in read_journal(tmp_path / "evaluations.jsonl") if r["search"] == "aligned"]
    checked = [(i, r["fingerprint"]) for i, r in enumerate(records) if POOLED in r]
    earlier = [sum(r["fingerprint"] == name for r in records[: i - 3]) for i, name in checked]
    assert earlier[:-1] == [1] * 4  # a candidate that was asked one wording before
    assert earlier[-1] == 0


def test_the_chosen_one_is_best_over_tuned_and_selected_wordings(tmp_path):
    found, chosen, _ = run(tmp_path / "evaluations.jsonl")
    assert len(found.finalists) == 3
    assert [f.loss for f in found.finalists] == sorted(f.loss for f in found.finalists)
    over_all = [
        objective(0.8 * scores(f.z[None], "") + 0.2 * scores(f.z[None], "selected"), None)[0][0]
        for f in found.finalists
    ]
    np.testing.assert_array_equal(chosen.z, found.finalists[int(np.argmin(over_all))].z)
    records = [r for r in read_journal(tmp_path / "evaluations.jsonl") if r["search"] == "aligned_selection"]
    np.testing.assert_allclose([r[POOLED]["loss"] for r in records], over_all)


def test_a_selection_without_finite_scores_keeps_the_best(tmp_path):
    def judge(z, wording):
        return np.where(wording == "selected", np.nan, scores(z, wording))

    found, chosen, _ = run(tmp_path / "evaluations.jsonl", judge=judge)
    np.testing.assert_array_equal(chosen.z, found.z)


def test_it_goes_on_from_every_length_of_its_journal(tmp_path):
    path = tmp_path / "whole.jsonl"
    found, chosen, _ = run(path, 40)

    def timeless(file):
        return [{k: v for k, v in r.items() if k not in ("seconds", CHECKSUM)} for r in read_journal(file)]

    lines = path.read_bytes().splitlines(keepends=True)
    for length in range(0, len(lines), 5):
        cut = tmp_path / f"{length}.jsonl"
        cut.write_bytes(b"".join(lines[:length]))
        again, chosen_again, calls = run(cut, 40)
        assert timeless(cut) == timeless(path)
        np.testing.assert_array_equal(again.z, found.z)
        np.testing.assert_array_equal(chosen_again.z, chosen.z)
        np.testing.assert_array_equal(again.l1_of_best, found.l1_of_best)
        assert (
            sum(len(call.z) for call in calls) <= len(lines) - length + 4
        )  # at most an unfinished batch or check again


def test_another_wording_in_a_journal_is_damage(tmp_path):
    path = tmp_path / "evaluations.jsonl"
    run(path, 40)
    lines = [{k: v for k, v in json.loads(line).items() if k != CHECKSUM} for line in path.read_bytes().splitlines()]
    lines[1][WORDING] = "tuned_9"
    path.write_bytes(b"".join(map(encode_line, lines)))
    with pytest.raises(ValueError, match="line 2 is damaged"):
        run(path, 40)


def test_candidates_without_an_answer_are_passed_over(tmp_path):
    def judge(z, wording):
        return np.where((z[:, 0] > 0.8)[:, None], np.nan, scores(z, wording))

    found, _, _ = run(tmp_path / "evaluations.jsonl", judge=judge)
    assert np.isnan(found.losses).any()
    assert np.isfinite(found.loss)


def test_the_model_takes_wordings_apart_from_candidates():
    """Each of 120 candidates is asked one wording; the scores over all wordings come out within a quarter of their spread."""
    rng = np.random.default_rng(3)
    z, asked = rng.standard_normal((120, 6)), np.arange(120) % 4
    values = np.concatenate([scores(z[[i]], WORDINGS[w]) for i, w in enumerate(asked)])
    model = AnswerModel(z, np.eye(4)[asked], values)
    new = rng.standard_normal((200, 6))
    error = model.pooled(new) - scores(new, "")
    assert np.sqrt((error**2).mean()) < 0.25 * scores(new, "").std()
    assert np.sqrt(((AnswerModel(z, np.ones((120, 1)), values).pooled(new) - scores(new, "")) ** 2).mean()) > 0.4
