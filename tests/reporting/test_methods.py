"""The table of methods: an in-context baseline from outside is scored and appears in tables, figures and the report."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from helpers.runs import call, folder_of

from cultural_sp.reporting.figures import convergence, dimensions
from cultural_sp.reporting.html_report.build import write_report
from cultural_sp.runs.methods import METHODS, SUMMARY
from cultural_sp.runs.result import load_result
from cultural_sp.search.history import SearchResult

LOSSES = np.array([2.0, 1.0])


def polite(survey, region):
    """A persona."""
    return f"You are a polite person from {region.country}."


@pytest.fixture
def baseline(monkeypatch):
    monkeypatch.setitem(
        METHODS, "polite", replace(METHODS["persona"], key="polite", label="polite persona", persona=polite)
    )


@pytest.mark.usefixtures("baseline", "no_figures")
def test_a_baseline_from_outside_is_one_line_of_the_table(monkeypatch, capsys, tmp_path, short_run):
    code, out, err = call(monkeypatch, capsys, *short_run, "validity=false", f"output_dir={tmp_path}")
    assert code == 0, err
    result = load_result(folder_of(tmp_path) / "result.json")
    is_strongest = result.icl() == "polite"
    assert sum(line.startswith("polite persona") for line in out.splitlines()) == 2 + is_strongest  # limits show one
    assert "polite" in result.methods
    assert result.score("polite").loss is not None

    strongest = [replace(record, loss=0.0) if record.method == "polite" else record for record in result.scores]
    result = replace(result, scores=strongest)
    assert result.icl() == "polite"
    search = SearchResult(z=None, loss=1.0, losses=LOSSES, l1=LOSSES, l1_of_best=LOSSES, finalists=[])
    for figure in (convergence(result, [search, search], "expected"), dimensions(result, "expected")):
        (axes,) = figure.axes
        assert "polite persona (ICL)" in axes.get_legend_handles_labels()[1]

    result.save(folder_of(tmp_path) / "result.json")
    write_report([tmp_path], tmp_path / "report")
    losses = pd.read_csv(tmp_path / "report" / "losses.csv")
    assert set(losses[losses.method == "persona"].loss) == {0.0}  # the strongest in-context baseline


def test_methods_of_one_figure_differ_in_colour_and_mark():
    shown = [METHODS[key] for key in SUMMARY]
    for first, second in product(shown, shown):
        assert first is second or (first.colour != second.colour and first.marker != second.marker)
