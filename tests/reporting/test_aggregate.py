"""The tidy table of runs, by hand."""

from dataclasses import replace

import pytest
from helpers.results import RECORD, result
from scipy import stats

from cultural_sp.reporting.aggregate import (
    dimension_table,
    estimate,
    losses_by_method,
    run_table,
    with_icl,
)
from cultural_sp.runs.result import RegionTarget


def records(losses, **changes):
    """A record for each method with this loss."""
    return [replace(RECORD, method=method, loss=loss, **changes) for method, loss in losses.items()]


def in_region(code, seed, scores):
    region = RegionTarget(code, code.upper(), "x", False, {"PDI": 40.0, "IDV": None})
    return result(region=region, seed=seed, scores=scores)


def test_a_row_has_the_averaged_order_or_the_only_one():
    both = [
        replace(RECORD, option_order=order, loss=loss)
        for order, loss in (("ascending", 1), ("descending", 3), ("both", 2))
    ]
    single = [replace(RECORD, method="aligned", option_order="descending", loss=None)]
    table = run_table([result(scores=both + single)])
    assert table[["run", "region", "seed", "method", "wording", "readout"]].values.tolist() == [
        [0, "us", 0, method, wording, "expected"]
        for wording in ("tuned_pooled", "tuned")
        for method in ("naive", "aligned")
    ]
    assert table.loss.tolist() == pytest.approx(2 * [2.0, float("nan")], nan_ok=True)
    assert run_table([]).empty


def test_losses_may_be_those_of_another_scoring():
    table = run_table([result()], lambda run, record: run.seed + record.item_means["m01"])
    assert table.loss.tolist() == [3.0, 3.0]  # the pool and its wording


def test_dimension_scores_stand_beside_their_targets():
    table = dimension_table([result()]).iloc[2:]  # after those of the pool
    assert table.dimension.tolist() == ["PDI", "IDV"]
    assert table.score.tolist() == pytest.approx([40.0, float("nan")], nan_ok=True)
    assert table.target.tolist() == pytest.approx([40.0, float("nan")], nan_ok=True)


def test_the_strongest_in_context_baseline_is_chosen_for_each_run_on_its_tuned_wording():
    first = records({"persona": 20.0, "persona_native": 10.0}) + records(
        {"persona": 1.0, "persona_native": 30.0}, wording="held_out_1"
    )
    runs = [
        result(scores=first),
        result(scores=records({"persona": 5.0, "persona_demonstrations": 5.0})),
        result(scores=records({"persona": None, "persona_native": 50.0})),
        result(scores=records({"persona": None, "persona_demonstrations": None})),
        result(),
    ]
    table = with_icl(run_table(runs), "expected")
    icl = table[table.method == "icl"]
    assert icl[icl.wording == "tuned"].set_index("run").loss.to_dict() == pytest.approx(
        {0: 10.0, 1: 5.0, 2: 50.0, 3: float("nan")}, nan_ok=True
    )
    assert icl[icl.wording == "held_out_1"].loss.tolist() == [30.0]
    assert [run.icl() for run in runs[:4]] == ["persona_native", "persona", "persona_native", "persona"]


def test_losses_are_those_of_pools_and_regions_are_crossed_with_seeds():
    def scores(loss):
        tuned, second = records({"naive": loss}), records({"naive": loss + 2}, wording="tuned_2")
        return [*tuned, *second, *records({"naive": 99.0}, wording="held_out_1")]

    runs = [in_region("us", 0, scores(1.0)), in_region("us", 1, scores(5.0)), in_region("cn", 0, scores(3.0))]
    wide = losses_by_method(run_table(runs), "tuned", "expected")
    assert wide.naive.to_dict() == pytest.approx(
        {("cn", 0): 4.0, ("cn", 1): float("nan"), ("us", 0): 2.0, ("us", 1): 6.0}, nan_ok=True
    )
    assert losses_by_method(run_table(runs), "held_out", "expected").naive["us", 0] == 99.0
    assert losses_by_method(run_table(runs), "tuned", "argmax").empty
    assert losses_by_method(run_table(runs), "tuned", "expected", by=["run"]).naive.tolist() == [2.0, 6.0, 4.0]


def test_an_estimate_has_a_t_interval_from_three_seeds_on_and_a_range_with_two():
    values = [10.0, 12.0, 17.0]
    found = estimate([*values, float("nan")])
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 2, 13, stats.sem(values)))
    assert (found.seeds, found.of, found.complete, found.interval) == (3, 4, False, "95 % t over seeds")
    assert str(estimate([10.0, 12.0])) == "11.0 [10.0, 12.0]"
    assert estimate([10.0, 12.0]).interval == "range over seeds"
    assert str(estimate([10.0], digits=2)) == "10.00"
    assert estimate([None, float("nan")]) is None
