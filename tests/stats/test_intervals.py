import numpy as np
import pytest
from scipy import stats as reference

from cultural_sp.stats.intervals import (
    bootstrap,
    holm,
    paired_test,
    rank_agreement,
    t_interval,
    wilson,
)

rng = np.random.default_rng(0)


def test_wilson_by_hand():
    found = wilson(7, 10)
    z = 1.959963984540054  # centre and half width of Wilson's formula
    centre = (0.7 + z**2 / 20) / (1 + z**2 / 10)
    half = z / (1 + z**2 / 10) * np.sqrt(0.7 * 0.3 / 10 + z**2 / 400)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.7, centre - half, centre + half))
    none = wilson(0, 12)
    assert none.low == pytest.approx(0.0)
    assert none.high == pytest.approx(z**2 / (12 + z**2))
    assert wilson(7, 10, 0.5).high < found.high


def test_bootstrap_over_one_axis_is_the_t_interval_of_its_means():
    values = rng.standard_normal((7, 4)) + rng.standard_normal((7, 1))
    expected = reference.ttest_1samp(values.mean(axis=1), 0).confidence_interval(0.95)
    found = bootstrap(values, (0,), resamples=20000)
    assert found.estimate == pytest.approx(values.mean())
    half = (expected.high - expected.low) / 2
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.02)  # standard error of an SD of 20,000 is 0.5 %
    assert bootstrap(values, (0,)) == bootstrap(values, (0,))


def test_levels_are_drawn_whole_and_other_axes_stay():
    seen = []
    values = np.arange(12.0).reshape(3, 4)
    bootstrap(values, (0,), statistic=lambda drawn: seen.append(drawn.copy()) or drawn.mean(), resamples=20)
    rows = {tuple(row) for drawn in seen for row in drawn}
    assert rows == {tuple(row) for row in values}
    seen.clear()
    bootstrap(values, (0, 1), statistic=lambda drawn: seen.append(drawn.copy()) or drawn.mean(), resamples=20)
    for drawn in seen[:-1]:  # rows and columns are chosen apart: every row holds the same columns
        assert len({tuple(row % 4) for row in drawn}) == 1


def covered(truth, intervals):
    return np.mean([interval.low <= truth <= interval.high for interval in intervals])


SIMULATIONS = 400
TOLERANCE = 3 * np.sqrt(0.95 * 0.05 / SIMULATIONS)  # three standard errors of a coverage of 95 %: 0.033


def test_intervals_cover_what_they_promise():
    """Five seeds with three wordings each, wordings fixed: the seeds' own spread is three times that of single cells."""
    draw = np.random.default_rng(1)
    tables = [3 * draw.standard_normal((5, 1)) + draw.standard_normal((5, 3)) for _ in range(SIMULATIONS)]
    right = covered(0.0, [bootstrap(t, (0,), resamples=200, seed=i) for i, t in enumerate(tables)])
    assert abs(right - 0.95) < TOLERANCE
    independent = [reference.ttest_1samp(t.ravel(), 0).confidence_interval(0.95) for t in tables]
    assert covered(0.0, independent) < 0.85  # what ignoring the clusters costs


def test_crossed_intervals_cover_at_least_what_they_promise():
    """Six seeds and four wordings, both random: an interval over seeds alone doesn't speak about new wordings."""
    draw = np.random.default_rng(2)
    tables = [
        draw.standard_normal((6, 1)) + draw.standard_normal((1, 4)) + draw.standard_normal((6, 4))
        for _ in range(SIMULATIONS)
    ]
    both = covered(0.0, [bootstrap(t, (0, 1), resamples=200, seed=i) for i, t in enumerate(tables)])
    assert both > 0.95 - TOLERANCE
    assert covered(0.0, [bootstrap(t, (0,), resamples=50, seed=i) for i, t in enumerate(tables)]) < 0.9


def test_wilson_covers_on_average():
    draw = np.random.default_rng(3)
    shares = draw.uniform(size=SIMULATIONS)
    inside = [
        interval.low <= share <= interval.high
        for share in shares
        for interval in [wilson(int(draw.binomial(12, share)), 12)]
    ]
    assert abs(np.mean(inside) - 0.95) < TOLERANCE


def test_sign_flips_by_hand():
    found = paired_test([1.0, 2, 3], [2.0, 4, 6], "less")  # -1, -2, -3: of 8 patterns only this one is as low
    assert (found.n, found.p, found.smallest_p) == (3, 1 / 8, 1 / 8)
    assert paired_test([1.0, 2, 3], [2.0, 4, 6]).p == 2 / 8
    assert paired_test([1.0, 2, 3], [2.0, 4, 6], "greater").p == 1.0
    assert paired_test([1.0, 2, 9], [2.0, 4, 6], "less").p == 5 / 8  # -1, -2, +3: sums of -6, -4, -2, 0 (twice)
    interval = reference.ttest_rel([1.0, 2, 9], [2.0, 4, 6]).confidence_interval(0.95)
    difference = paired_test([1.0, 2, 9], [2.0, 4, 6]).difference
    assert (difference.low, difference.high) == pytest.approx((interval.low, interval.high))


def test_sign_flips_hold_their_level_and_many_pairs_are_sampled():
    draw = np.random.default_rng(4)
    p = [paired_test(x, np.zeros(6), "less").p for x in draw.standard_normal((SIMULATIONS, 6))]
    assert np.mean(np.array(p) <= 0.05) < 0.05 + TOLERANCE
    many = draw.standard_normal(40) + 0.4
    assert paired_test(many, np.zeros(40)).p == pytest.approx(reference.ttest_1samp(many, 0).pvalue, abs=0.01)


@pytest.mark.parametrize(("alternative", "p"), [("less", 0.5), ("greater", 1.0), ("two-sided", 1.0)])
def test_one_pair_tells_nothing(alternative, p):
    found = paired_test([1.0], [2.0], alternative)
    assert (found.p, found.difference.low, found.difference.high) == (p, -np.inf, np.inf)
    assert paired_test([2.0, 2.0], [2.0, 2.0], alternative).p == 1.0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([0.2]) == pytest.approx([0.2])


def test_rank_agreement_is_scipys_and_leaves_out_what_is_missing():
    scores = np.array([[1, 5, 3, np.nan], [2, 5, 1, 1], [3, 5, 3, 2], [4, 5, 2, 3]], dtype=float)
    targets = np.array([[10, 1, 1, 9], [20, 2, 2, 5], [30, 3, 2, 7], [40, 4, 4, np.nan]], dtype=float)
    perfect, constant, ties, short = rank_agreement(scores, targets)
    assert (perfect.n, perfect.tau_b, perfect.p) == (4, 1.0, pytest.approx(2 / 24))
    assert (constant.tau_b, constant.p) == (None, None)
    # by hand: of 6 pairs 1 is concordant and 3 are discordant, one is tied in the scores, another one in the targets
    assert ties.tau_b == pytest.approx((1 - 3) / np.sqrt(5 * 5))
    assert (short.n, short.tau_b) == (2, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(3, 2), "3 of 2 is no share"),
        (lambda: wilson(0, 0), "at least one answer"),
        (lambda: wilson(1, 2, 95), "confidence=95 is out of range"),
        (lambda: bootstrap([1.0, np.nan], (0,)), "1 of 2 values are missing or not finite"),
        (lambda: bootstrap([[1.0, 2.0]], (0,)), "axis 0 of a table of shape"),
        (lambda: bootstrap([1.0, 2.0], (1,)), "are no axes of a table of shape"),
        (lambda: bootstrap([1.0, 2.0], ()), "give one or more from 0"),
        (lambda: bootstrap([1.0, 2.0], (0,), resamples=1), "resamples=1 gives no standard error"),
        (lambda: paired_test([1.0], [1.0, 2.0]), "two lists of the same length"),
        (lambda: paired_test([1.0], [1.0], "smaller"), "choose one of: less, greater, two-sided"),
        (lambda: holm([0.5, 1.5]), "from 0 to 1"),
        (lambda: rank_agreement([[1.0]], [[1.0, 2.0]]), "same shape"),
    ],
)
def test_what_breaks_a_contract_is_refused(call, message):
    with pytest.raises(ValueError, match="^[^\n]+$") as error:
        call()
    assert message in str(error.value)


def test_a_t_interval_is_scipys_and_needs_two_values():
    values = [10.0, 12.0, 17.0]
    interval = t_interval(values, confidence=0.9)
    assert (interval.low, interval.high) == pytest.approx(reference.t.interval(0.9, 2, 13, reference.sem(values)))
    assert interval.estimate == 13
    with pytest.raises(ValueError, match="two or more"):
        t_interval([1.0])
