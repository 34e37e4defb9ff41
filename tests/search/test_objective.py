import numpy as np
import pytest

from cultural_sp.search.objective import LOSSES, l1_loss, mass_penalty, squared_loss
from cultural_sp.survey.regions import load_region

NAN = float("nan")


def test_the_loss_is_the_mean_absolute_difference():
    scores = np.array([[50.0, 40.0, 10.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(l1_loss(scores, np.array([40.0, 46.0, 24.0])), [10.0, 110 / 3])


def test_the_squared_loss_is_the_mean_squared_difference():
    scores = np.array([[50.0, 40.0, 10.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(squared_loss(scores, np.array([40.0, 46.0, 24.0])), [332 / 3, (1600 + 2116 + 576) / 3])


@pytest.mark.parametrize(("kind", "expected"), [("l1", 10.0), ("squared", 100.0)])
def test_dimensions_without_target_are_left_out(kind, expected):
    assert LOSSES[kind](np.array([50.0, 999.0]), np.array([40.0, NAN])) == expected
    assert LOSSES[kind](np.array([50.0, NAN]), np.array([40.0, NAN])) == expected


@pytest.mark.parametrize("loss", LOSSES.values())
def test_a_missing_score_is_never_skipped(loss):
    assert np.isnan(loss(np.array([40.0, NAN]), np.array([40.0, 50.0])))


@pytest.mark.parametrize("loss", LOSSES.values())
def test_impossible_comparisons_are_refused(loss):
    with pytest.raises(ValueError, match="no known dimension"):
        loss(np.zeros(2), np.array([NAN, NAN]))
    with pytest.raises(ValueError, match="differ in the number of dimensions"):
        loss(np.zeros(3), np.zeros(2))


def test_lost_valid_mass_counts_by_orders_of_magnitude():
    penalties = mass_penalty(np.array([0.2, 0.02, 0.1, 0.9, 0.0, NAN]), 0.2)
    np.testing.assert_allclose(penalties, [0, 1, np.log10(2), 0, np.inf, NAN], atol=1e-12)


@pytest.mark.parametrize(
    ("code", "vintage", "loss"),
    [
        ("sa", "insights_2021", 126 / 6),  # 45 + 25 + 10 + 30 + 14 + 2
        ("sa", "insights_2022", 104 / 6),  # 22 + 2 + 7 + 14 + 23 + 36
        ("us", "insights_2021", 109 / 6),  # 10 + 41 + 12 + 4 + 24 + 18
        ("cn", "insights_2021", 159 / 6),  # 30 + 30 + 16 + 20 + 37 + 26
        ("in", "insights_2021", 70 / 6),  # 27 + 2 + 6 + 10 + 1 + 24
    ],
)
def test_the_midpoint_respondent_is_hard_to_beat(survey, code, vintage, loss):
    assert l1_loss(np.full(6, 50.0), load_region(survey, code, vintage).target) == pytest.approx(loss)
