"""A search with several objectives: what its optimizers are told and offered, and its results."""

import numpy as np
import pytest
from helpers.journals import read_journal
from helpers.searches import of_batches

from cultural_sp.search.journal import Journal
from cultural_sp.search.loop import Evaluation, Search
from cultural_sp.search.schedule import whole_survey
from cultural_sp.search.warm_start import WarmStart

TARGETS = {"low": 0.0, "high": 10.0, "far": 100.0}
WARM_START = WarmStart(np.array([[9.5], [50.0]]), np.array([[9.5], [np.nan]]), np.array([0.5, 0.5]), ["", ""], {})


class RecordingOptimizer:
    """Proposes the next whole numbers and records all calls."""

    def __init__(self, first):
        self.generation_size, self.next, self.calls = 2, float(first), []

    def ask(self, n):
        self.calls.append("ask")
        self.next += n
        return np.arange(self.next - n, self.next)[:, None]

    def tell(self, losses, scores):
        self.calls.append(("tell", losses.tolist()))

    def offer(self, z, losses, scores):
        self.calls.append(("offer", z[:, 0].tolist(), losses.tolist()))


def evaluate(z):
    return Evaluation(z.copy(), z.copy(), np.full(len(z), 0.5))


def objective(target):
    return lambda dimensions, valid_mass: (np.abs(dimensions[:, 0] - target), np.abs(dimensions[:, 0] - target) / 2)


def search(path, n_optimizers, budget, warm_start=None, evaluate=evaluate, max_failed_share=1.0):
    optimizers = [RecordingOptimizer(10 * i) for i in range(n_optimizers)]
    results = Search(
        "aligned",
        {name: objective(target) for name, target in TARGETS.items()},
        of_batches(evaluate),
        whole_survey(budget, 2),
        ("PDI",),
        Journal(path, {}, lambda: {"batch_size": 2}),
        max_failed_share,
    ).run(optimizers, warm_start)
    return results, [optimizer.calls for optimizer in optimizers]


@pytest.mark.parametrize("recorded", [None, 1, 3, 4, 5])
def test_one_optimizer_is_told_and_those_that_had_a_turn_are_offered_under_their_own_objective(tmp_path, recorded):
    path = tmp_path / "evaluations.jsonl"
    if recorded is not None:  # the same from any part of a journal
        search(path, 3, 7)
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[: 1 + recorded]))
    results, (low, high, far) = search(path, 3, 7)
    assert low == [
        "ask",
        ("tell", [0.0, 1.0]),
        ("offer", [10.0, 11.0], [10.0, 11.0]),
        ("offer", [20.0, 21.0], [20.0, 21.0]),
        "ask",
        ("tell", [2.0]),
    ]
    assert high == [
        "ask",
        ("tell", [0.0, 1.0]),
        ("offer", [20.0, 21.0], [10.0, 11.0]),
        ("offer", [2.0], [8.0]),
    ]
    assert far[0] == "ask"
    assert {objective: (float(r.z[0]), r.loss) for objective, r in results.items()} == {
        "low": (0.0, 0.0),
        "high": (10.0, 0.0),
        "far": (21.0, 79.0),
    }
    assert results["far"].losses.tolist() == [100.0, 99.0, 90.0, 89.0, 80.0, 79.0, 98.0]
    assert results["far"].l1.tolist() == (results["far"].losses / 2).tolist()
    records = read_journal(path)
    assert [r["objective"] for r in records] == ["low"] * 2 + ["high"] * 2 + ["far"] * 2 + ["low"]
    assert [r["loss"] for r in records] == [0.0, 1.0, 0.0, 1.0, 80.0, 79.0, 2.0]
    assert [r["best_loss"] for r in records] == [0.0, 0.0, 0.0, 0.0, 80.0, 79.0, 0.0]


def test_one_optimizer_serves_all_objectives(tmp_path):
    results, (calls,) = search(tmp_path / "evaluations.jsonl", 1, 4)
    assert calls == ["ask", ("tell", [0.0, 1.0]), "ask", ("tell", [2.0, 3.0])]
    assert {objective: result.loss for objective, result in results.items()} == {"low": 0.0, "high": 7.0, "far": 97.0}


def test_a_warm_start_is_offered_to_all_first_and_counts_as_no_evaluation(tmp_path):
    results, (low, high) = search(tmp_path / "evaluations.jsonl", 2, 2, WARM_START)
    for calls, loss in ((low, 9.5), (high, 0.5)):
        kind, z, losses = calls[0]
        assert (kind, z, losses[0]) == ("offer", [9.5, 50.0], loss)
        assert np.isnan(losses[1])
    assert {objective: (float(r.z[0]), r.offered, len(r.losses)) for objective, r in results.items()} == {
        "low": (0.0, 1, 2),
        "high": (9.5, 1, 2),
        "far": (9.5, 1, 2),
    }


def test_failures_count_for_the_objective_with_most(tmp_path):
    def holes(z):
        return Evaluation(np.where(z > 0, np.nan, z), z, np.full(len(z), 0.5))

    with pytest.raises(ValueError, match="1 of 2 evaluations of aligned have no loss"):
        search(tmp_path / "evaluations.jsonl", 3, 7, evaluate=holes, max_failed_share=0.4)
