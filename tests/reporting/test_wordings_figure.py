"""The figure of the loss against the number of wordings."""

from dataclasses import replace

import pandas as pd
import pytest
from helpers.results import RECORD, result
from helpers.runs import call

from cultural_sp.cli.command import main
from cultural_sp.reporting.wordings_figure import loss_table, pooled_losses
from cultural_sp.runs.result import RegionTarget


def run_of(code, tuned, held_out):
    """A run with so many tuned wordings, whose PDI on the held-out ones is given; the target is 40."""
    region = RegionTarget(code, code, "x", False, {"PDI": 40.0, "IDV": None})
    names = ["tuned", *(f"tuned_{i}" for i in range(2, tuned + 1))]
    wordings = dict.fromkeys(names, 40.0) | {f"held_out_{i}": score for i, score in enumerate(held_out)}
    scores = [
        replace(RECORD, method=method, wording=name, dimensions={"PDI": score, "IDV": None}, loss=abs(score - 40))
        for method in ("aligned", "midpoint")
        for name, score in wordings.items()
    ]
    return result(region=region, scores=scores)


def test_pooling_cancels_what_single_wordings_miss():
    # Singly 10, 10 and 4 off; two at a time 0, 3 and 7 off, in any order; all three together 4/3.
    assert pooled_losses(run_of("us", 1, [50.0, 30.0, 44.0])) == pytest.approx([8.0, 10 / 3, 4 / 3])


def test_rows_are_means_over_the_same_regions():
    runs = [run_of("us", 1, [50.0, 50.0]), run_of("us", 2, [44.0, 44.0]), run_of("in", 1, [60.0, 60.0])]
    table = loss_table(runs)
    assert table.loc[1].tolist() == [10.0, 10.0]  # without India, which has no run with two
    assert table.loc[2].tolist() == [4.0, 4.0]
    with pytest.raises(ValueError, match="^no run with held-out wordings; "):
        loss_table([run_of("us", 1, [])])


def test_the_program_writes_figure_and_numbers(monkeypatch, capsys, tmp_path):
    for name, run in (("a", run_of("us", 1, [50.0, 30.0])), ("b", run_of("us", 8, [41.0, 41.0]))):
        (tmp_path / name).mkdir()
        run.save(tmp_path / name / "result.json")
    code, out, err = call(
        monkeypatch, capsys, "wordings", str(tmp_path), "--output", str(tmp_path / "figures"), entry=main
    )
    assert code == 0, err
    assert out.splitlines()[-1].split() == ["8", "1.0", "1.0"]
    table = pd.read_csv(tmp_path / "figures" / "wordings.csv", index_col="tuned")
    assert table.loc[1].tolist() == [10.0, 0.0]
    assert (tmp_path / "figures" / "wordings.png").stat().st_size > 5000
