import json
from types import SimpleNamespace

import pandas as pd
import pytest
from helpers.results import single_spaced
from helpers.runs import call as start

from cultural_sp.studies.search_study.tables import arm_table, method_table, savings, verdicts


@pytest.fixture
def call(monkeypatch, capsys, tmp_path, short_run):
    common = [*short_run, "optimizer.budget=8", "validity=false"]
    overrides = [
        "models=[smollm2_135m]",
        "regions=[us,cn]",
        "seeds=[0,1]",
        "~arms",
        "+arms={a:['optimizer=de'],b:['optimizer=random']}",
        "chosen=a",
        f"common={common}",
        "gradient_steps=3",
        "joint=['optimizer.budget=10']",
        "warm_budget=4",
        f"output_dir={tmp_path}",
    ]

    def run(*more):
        return start(monkeypatch, capsys, *overrides, *more, entry="study")

    return run


@pytest.mark.slow
def test_a_study_runs_every_arm_and_goes_on_where_it_was(call, tmp_path, no_figures):
    code, out, err = call()
    assert code == 0, err
    assert out.count("\nrun ") == 8 + 2 + 4  # two joint runs, four warm starts
    folder = tmp_path / "study"
    assert {f.name for f in folder.iterdir()} == {"study.md", "scores.csv", "curves.csv", "curves.png"}
    text = (folder / "study.md").read_text()
    for part in (
        "smollm2_135m: arm a",
        "gradient_reference",
        "random search in the space of b",
        "in the median of",
        "one joint run of 2 regions",
    ):
        assert part in text
    reference = tmp_path / "study-a" / "us" / "tiny" / "seed-0" / "gradient_reference.json"
    assert len(json.loads(reference.read_text())["losses"]) == 3
    code, out, _ = call()
    assert code == 0
    assert "\nrun " not in out
    assert (folder / "study.md").read_text() == text


def test_what_is_no_study_is_one_line(call):
    for override, message in {
        "chosen=z": "error: chosen=z is no arm; choose one of: a, b",
        "regions=[]": "error: regions is empty; give at least one",
        "regions=[us]": "regions=['us'] is one region; joint runs and warm starts need two",
        "gradient_steps=-1": "gradient_steps=-1 is out of range",
    }.items():
        code, _, err = call(override)
        assert code == 2
        assert message in err


def scores(**losses):
    """Two regions, two seeds: aligned and naive losses tuned 10 and 30, held out 20 and 30, unless said otherwise."""
    tuned, held_out = "tuned_pooled", "held_out_pooled"
    all_losses = {("aligned", tuned): 10.0, ("aligned", held_out): 20.0, ("random_search", tuned): 12.0} | {
        (method, wording): 30.0 for method in ("naive", "persona") for wording in (tuned, held_out)
    }
    rows = [
        ("m", "a", region, seed, method, wording, readout, loss)
        for region in ("us", "cn")
        for seed in (0, 1)
        for (method, wording), loss in all_losses.items()
        for readout in ("expected", "argmax")
    ]
    table = pd.DataFrame(rows, columns=["model", "arm", "region", "seed", "method", "wording", "readout", "loss"])
    for name, (row, loss) in losses.items():
        chosen = (table.method == name) & (table.wording == "tuned_pooled") & (table.region == row)
        table.loc[chosen, "loss"] = loss
    return table


def test_verdicts_count_what_the_tables_hold():
    text = verdicts(scores())
    assert "over median naive loss: 0.33" in text
    assert "below random search in 4 of 4 runs; below persona in the median of 2 of 2 regions" in text
    assert "20.0 on tuned wordings, 10.0 on held-out wordings (50% of it)" in text
    assert "tuned argmax: median improvement 20.0, better in 4 of 4 runs" in text
    worse = verdicts(scores(aligned=("us", 40.0)))
    assert "below random search in 2 of 4 runs; below persona in the median of 1 of 2 regions" in worse
    assert "better in 2 of 4 runs" in worse


def test_tables_hold_medians():
    table = method_table(scores(aligned=("us", 40.0)))
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    heads = lines[0]
    cells = {line[0]: dict(zip(heads[1:], line[1:], strict=True)) for line in lines[2:]}
    assert cells["us (tuned expected)"]["aligned"] == "40.0"
    assert cells["**all, tuned expected**"]["aligned"] == "25.0"
    assert cells["**all, held out expected**"]["random_search"] == "-"
    curves = pd.DataFrame(
        [("m", "a", r, 0, "aligned", n, 50.0 - n - (r == "us")) for r in ("us", "cn") for n in range(1, 9)],
        columns=["model", "arm", "region", "seed", "search", "evaluations", "loss"],
    )
    assert "| a | 47.5 | 45.5 | 41.5 | 41.2-41.8 | 2 |" in single_spaced(arm_table(curves))


def test_savings_are_counted_against_the_chosen_arms_last_loss():
    def rows(arm, losses):
        return [("m", arm, r, 0, "aligned", n, loss) for r in ("us", "cn") for n, loss in enumerate(losses, 1)]

    columns = ["model", "arm", "region", "seed", "search", "evaluations", "loss"]
    config = SimpleNamespace(chosen="a", regions=["us", "cn"])
    curves = rows("a", [9, 8, 7, 5]) + rows("joint", [9, 6, 6, 5, 4]) + rows("warm", [8, 6])
    text = savings(pd.DataFrame(curves, columns=columns), config)
    assert (
        "one joint run of 2 regions: the median loss of 5.0 that takes 8 evaluations alone is reached after 4" in text
    )
    assert (
        "from the journal of another region: the median loss of 5.0 that takes 4 evaluations alone is reached not after 2"
        in text
    )
