import math

import numpy as np
import pytest

from cultural_sp.stats.factor.reliability import alpha
from cultural_sp.stats.generalizability import VarianceComponents, g_coefficient, variance_components, wordings_needed

SCORES = [[1, 3], [4, 4], [7, 5]]
"""Objects 2, 4, 6 and wordings 4, 4: MS_o = 16 / 2 = 8, MS_w = 0, MS_ow = 4 / 2 = 2."""


def test_components_by_hand():
    found = variance_components(SCORES)
    assert found.residual == pytest.approx(2.0)
    assert found.objects == pytest.approx((8 - 2) / 2)
    assert found.wordings == pytest.approx((0 - 2) / 3)  # negative, as an estimate can be


def test_a_wording_that_shifts_all_objects_alike_costs_no_generalizability():
    shifted = variance_components(np.add(SCORES, [0, 10]))
    assert (shifted.objects, shifted.residual) == pytest.approx((3.0, 2.0))
    assert shifted.wordings == pytest.approx((3 * 50 - 2) / 3)  # MS_w = 3 objects * variance 50 of the wordings' means


def test_coefficients_and_numbers_of_wordings_by_hand():
    components = variance_components(SCORES)
    assert g_coefficient(components, 1) == pytest.approx(3 / 5)
    assert g_coefficient(components, 2) == pytest.approx(3 / 4)
    assert wordings_needed(components) == 3  # 4 * 2 / 3 = 2.67
    assert g_coefficient(components, 3) == pytest.approx(9 / 11)
    assert wordings_needed(components, 0.75) == 2
    assert wordings_needed(VarianceComponents(1.0, 0.0, 1.0)) == 4  # not 5 for a rounding error
    assert wordings_needed(VarianceComponents(1.0, 0.0, 0.0)) == 1


def test_objects_that_do_not_differ_have_no_reliability():
    components = variance_components([[1, 3], [3, 1]])  # means 2 and 2, so MS_o = 0 and MS_ow = 4
    assert components == VarianceComponents(-2.0, -2.0, 4.0)
    assert g_coefficient(components, 100) == 0
    assert wordings_needed(components) == math.inf
    assert math.isnan(g_coefficient(variance_components(np.ones((3, 2))), 2))


def test_more_wordings_follow_spearman_and_brown():
    scores = np.random.default_rng(0).normal(size=(9, 4)) + np.arange(9)[:, None]
    components = variance_components(scores)
    one = g_coefficient(components, 1)
    for n in (2, 4, 8):  # Spearman 1910, Brown 1910: a test n times as long
        assert g_coefficient(components, n) == pytest.approx(n * one / (1 + (n - 1) * one))


def test_the_coefficient_of_the_wordings_at_hand_is_cronbachs_alpha():
    scores = np.random.default_rng(1).normal(size=(7, 5)) + np.arange(7)[:, None]
    assert g_coefficient(variance_components(scores), 5) == pytest.approx(alpha(scores, np.ones(5)))


def test_components_of_a_large_table_are_those_it_was_drawn_from():
    rng = np.random.default_rng(2)
    objects, wordings = 3 * rng.normal(size=(400, 1)), 2 * rng.normal(size=(1, 400))
    found = variance_components(objects + wordings + rng.normal(size=(400, 400)))
    relative = 4 * math.sqrt(2 / 399)  # four standard errors of a variance of 400 levels
    assert found.objects == pytest.approx(9, rel=relative)
    assert found.wordings == pytest.approx(4, rel=relative)
    assert found.residual == pytest.approx(1, rel=4 * math.sqrt(2 / 399**2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: variance_components([[1, 2, 3]]), r"shape \(1, 3\) have no variance components; give two or more"),
        (lambda: variance_components([[1, 2], [3, np.nan]]), "1 of 4 scores are missing or not finite"),
        (lambda: g_coefficient(VarianceComponents(1, 1, 1), 0), "n_wordings=0 is out of range; give at least 1"),
        (lambda: wordings_needed(VarianceComponents(1, 1, 1), 1.0), "coefficient=1.0 is out of range"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
