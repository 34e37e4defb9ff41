"""What figures show, whichever renderer draws them."""

import numpy as np
import pytest
from helpers.results import RECORD, result

from cultural_sp.reporting.figure_data import (
    Level,
    highest_loss,
    line_ends,
    loss_level,
    n_evaluations,
    row_offsets,
    score_marks,
    score_range,
    search_curve,
    summary_curve,
)

NAN = np.nan
SEARCH = search_curve("aligned", "aligned", np.array([40.0, NAN, 10.0, 20.0]), np.array([40.0, 40.0, 10.0, 10.0]))


def test_several_searches_are_their_median_with_a_band():
    best = np.array([[9.0, 3.0], [np.inf, 1.0], [5.0, 2.0]])
    curve = summary_curve("DE", "black", best)
    assert (curve.best.tolist(), curve.low.tolist(), curve.high.tolist()) == ([7.0, 2.0], [5.0, 1.0], [9.0, 3.0])
    quartiles = summary_curve("DE", "black", best, (0.25, 0.75))
    assert (quartiles.low.tolist(), quartiles.high.tolist()) == ([6.0, 1.5], [8.0, 2.5])
    assert summary_curve("DE", "black", best, None).low is None


def test_the_axis_of_losses_ends_above_lines_but_not_above_single_evaluations():
    assert highest_loss([SEARCH], []) == pytest.approx(1.06 * 36.0)  # 90 % quantile of 10, 20 and 40
    assert highest_loss([SEARCH], [Level("naive", "black", 50.0)]) == pytest.approx(1.06 * 50.0)
    assert highest_loss([summary_curve("DE", "black", np.array([[9.0, 3.0], [NAN, 1.0]]))], []) == pytest.approx(9.54)
    assert highest_loss([], []) == pytest.approx(1.06)
    assert n_evaluations([SEARCH]) == 4


def test_searches_of_one_method_share_a_label_at_their_mean():
    other = search_curve("aligned", "aligned", np.array([30.0]), np.array([30.0]))
    failed = search_curve("aligned", "aligned", np.array([NAN]), np.array([NAN]))
    ends = line_ends([SEARCH, other, failed], [loss_level("naive", "plain", 25.0)])
    assert [(end.key, end.label, end.loss) for end in ends] == [("naive", "plain", 25.0), ("aligned", "aligned", 20.0)]


def test_marks_hold_a_row_per_run_and_wording():
    marks = score_marks([result(), result()], "naive", "plain", "expected", (["tuned"], []))
    assert (marks.key, marks.label, marks.marker) == ("naive", "plain", "o")
    np.testing.assert_equal(marks.tuned, [[40.0, NAN], [40.0, NAN]])
    np.testing.assert_equal(marks.mean_tuned, [40.0, NAN])
    assert marks.held_out.shape == (0, 2)
    np.testing.assert_equal(marks.mean_held_out, [NAN, NAN])
    assert RECORD.dimensions == {"PDI": 40.0, "IDV": None}


def test_the_axis_of_scores_holds_the_published_range_and_all_scores():
    assert score_range([np.array([NAN, -12.0]), np.zeros((0, 2))], (0.0, 100.0)) == (-12.0, 100.0)
    assert score_range([np.array([[130.0]])], (0.0, 100.0)) == (0.0, 130.0)


def test_methods_of_a_row_lie_around_its_middle():
    np.testing.assert_allclose(row_offsets(3), [-0.16, 0.0, 0.16])
    assert row_offsets(1) == [0.0]
