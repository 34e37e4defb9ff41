import numpy as np
import pytest

from cultural_sp.config import OptimizerConfig
from cultural_sp.search.journal import Journal, jsonable, read_journal
from cultural_sp.search.loop import Evaluation, run_search
from cultural_sp.search.optimizers import DifferentialEvolution, RandomSearch


def evaluate(z):
    loss = (z**2).sum(axis=1) + 1
    return Evaluation(
        loss, np.stack([loss, -loss], axis=1), np.tile([1.0, 2.0, np.nan], (len(z), 1)), np.full(len(z), 0.5)
    )


def search(tmp_path, evaluate=evaluate, budget=22, batch_size=4, make=DifferentialEvolution):
    optimizer = make(OptimizerConfig(population=8, budget=budget), 3)
    journal = Journal(tmp_path / "evaluations.jsonl")
    names = ("PDI", "IDV")
    return run_search(
        "aligned", optimizer, evaluate, budget=budget, batch_size=batch_size, dimension_names=names, journal=journal
    )


def test_spends_exactly_the_budget_and_journals_every_evaluation(tmp_path):
    result = search(tmp_path)
    records = read_journal(tmp_path / "evaluations.jsonl")
    assert [r["index"] for r in records] == list(range(22))
    assert [r["generation"] for r in records] == [0] * 8 + [1] * 8 + [2] * 6
    assert [r["loss"] for r in records] == result.losses.tolist()
    assert records[3]["dimensions"] == {"PDI": result.losses[3], "IDV": -result.losses[3]}
    assert records[0]["item_means"] == [1.0, 2.0, None]
    assert records[0]["z"] == [0.0, 0.0, 0.0]


def test_returns_the_earliest_best_candidate(tmp_path):
    result = search(tmp_path)  # z = 0 comes first and can't be beaten
    assert result.loss == 1.0
    np.testing.assert_array_equal(result.z, 0)
    assert [r["best_loss"] for r in read_journal(tmp_path / "evaluations.jsonl")] == [1.0] * 22


@pytest.mark.parametrize("make", [DifferentialEvolution, RandomSearch])
def test_batch_size_changes_nothing(tmp_path, make):
    losses = []
    for size in (1, 3, 8):
        (tmp_path / str(size)).mkdir()
        losses.append(search(tmp_path / str(size), batch_size=size, make=make).losses)
    np.testing.assert_array_equal(losses[0], losses[1])
    np.testing.assert_array_equal(losses[0], losses[2])


def test_missing_losses_never_win(tmp_path):
    def first_missing(z):
        scored = evaluate(z)
        loss = np.where((z == 0).all(axis=1), np.nan, scored.loss)
        return Evaluation(loss, scored.dimensions, scored.item_means, scored.valid_mass)

    result = search(tmp_path, first_missing)
    assert np.isfinite(result.loss)
    assert read_journal(tmp_path / "evaluations.jsonl")[0]["loss"] is None


def test_a_search_without_any_loss_says_so(tmp_path):
    def nothing(z):
        scored = evaluate(z)
        return Evaluation(scored.loss * np.nan, scored.dimensions, scored.item_means, scored.valid_mass)

    with pytest.raises(ValueError, match="none of the 22 evaluations of aligned has a loss"):
        search(tmp_path, nothing)


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
