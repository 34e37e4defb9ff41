from dataclasses import replace

import numpy as np
import pytest
from helpers.journals import read_journal
from helpers.options import OPTIMIZERS, optimizer_config
from helpers.searches import of_batches

from cultural_sp.search.history import SearchHistory
from cultural_sp.search.journal import Journal
from cultural_sp.search.loop import Evaluation, Search
from cultural_sp.search.optimizers import make_optimizer
from cultural_sp.search.schedule import whole_survey
from cultural_sp.utils.serialize import jsonable


def evaluate(z):
    loss = (z**2).sum(axis=1) + 1
    return Evaluation(np.stack([loss, -loss], axis=1), np.tile([1.0, 2.0, np.nan], (len(z), 1)), np.full(len(z), 0.5))


def first_dimension(dimensions, valid_mass):
    return dimensions[:, 0], dimensions[:, 0] / 2


def search(tmp_path, evaluate=evaluate, budget=22, batch_size=4, kind="de", max_failed_share=0.5):
    optimizer = make_optimizer(optimizer_config(kind, population=8, budget=budget), 3)
    journal = Journal(tmp_path / "evaluations.jsonl", {}, lambda: {"batch_size": batch_size})
    objectives = {"us": first_dimension}
    generations = whole_survey(budget, optimizer.generation_size)
    search = Search("aligned", objectives, of_batches(evaluate), generations, ("PDI", "IDV"), journal, max_failed_share)
    return search.run([optimizer])["us"]


def test_spends_exactly_the_budget_and_journals_every_evaluation(tmp_path):
    result = search(tmp_path)
    records = read_journal(tmp_path / "evaluations.jsonl")
    assert [r["index"] for r in records] == list(range(22))
    assert [r["generation"] for r in records] == [0] * 8 + [1] * 8 + [2] * 6
    assert [r["loss"] for r in records] == result.losses.tolist()
    assert [r["l1"] for r in records] == result.l1.tolist() == (result.losses / 2).tolist()
    assert records[3]["dimensions"] == {"PDI": result.losses[3], "IDV": -result.losses[3]}
    assert records[0]["item_means"] == [1.0, 2.0, None]
    assert records[0]["z"] == [0.0, 0.0, 0.0]


def test_returns_the_earliest_best_candidate(tmp_path):
    result = search(tmp_path)  # z = 0 comes first and can't be beaten
    assert result.loss == 1.0
    np.testing.assert_array_equal(result.z, 0)
    assert [r["best_loss"] for r in read_journal(tmp_path / "evaluations.jsonl")] == [1.0] * 22


def test_the_reported_l1_belongs_to_the_candidate_with_the_lowest_loss():
    nan = np.nan
    losses, l1 = np.array([nan, 5.0, 7.0, 3.0, 3.0, nan]), np.array([nan, 2.0, 1.0, 4.0, 0.0, 0.5])
    history = SearchHistory(lambda dimensions, valid_mass: (dimensions[:, 0], dimensions[:, 1]))
    history.add(np.arange(6.0)[:, None], [""] * 6, np.stack([losses, l1], axis=1), np.ones(6))
    np.testing.assert_array_equal(history.result().l1_of_best, [nan, 2.0, 2.0, 4.0, 4.0, 4.0])


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_batch_size_changes_nothing(tmp_path, kind):
    losses = []
    for size in (1, 3, 8):
        (tmp_path / str(size)).mkdir()
        losses.append(search(tmp_path / str(size), batch_size=size, kind=kind).losses)
    np.testing.assert_array_equal(losses[0], losses[1])
    np.testing.assert_array_equal(losses[0], losses[2])


def failing(share, value=np.nan):
    """An evaluation in which the first ``share`` of every batch of four has no finite loss."""

    def evaluate_some(z):
        scored = evaluate(z)
        failed = np.arange(len(z)) < share * 4
        return replace(scored, dimensions=np.where(failed[:, None], value, scored.dimensions))

    return evaluate_some


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_failed_evaluations_never_win_and_are_counted(tmp_path, capsys, value):
    result = search(tmp_path, failing(0.25, value))
    assert np.isfinite(result.loss)
    assert [r["loss"] for r in read_journal(tmp_path / "evaluations.jsonl")][:2] == [None, result.losses[1]]
    assert "aligned: 6 of 22 evaluations failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("share", "allowed", "message"),
    [
        (0.75, 0.5, "6 of 8 evaluations of aligned have no loss"),
        (0.75, 0.74, "6 of 8 evaluations of aligned have no loss"),
        (1.0, 0.5, "8 of 8 evaluations of aligned have no loss"),
        (1.0, 1.0, "22 of 22 evaluations of aligned have no loss"),
    ],
)
def test_too_many_failed_evaluations_end_the_search(tmp_path, share, allowed, message):
    with pytest.raises(ValueError, match=message):
        search(tmp_path, failing(share), max_failed_share=allowed)


def test_the_allowed_share_of_failed_evaluations_is_accepted(tmp_path):
    assert np.isnan(search(tmp_path, failing(0.5), budget=16).losses).sum() == 8


def test_progress_is_readable_lines_without_a_terminal(tmp_path, capsys):
    search(tmp_path)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("aligned: ") and "\r" not in line for line in lines)
    assert "22/22" in lines[-1]
    assert "best loss 1.00" in lines[-1]


def test_jsonable_turns_what_is_not_finite_into_null():
    raw = {"a": np.array([1.5, np.nan]), "b": (np.int64(3), float("inf"), "x"), 4: None}
    assert jsonable(raw) == {"a": [1.5, None], "b": [3, None, "x"], "4": None}
