import numpy as np
import pytest
from scipy.stats import foldnorm

from cultural_sp.lm.readout import sampler
from cultural_sp.survey.instrument import load_survey
from cultural_sp.survey.sampling_error import answer_moments, sampled_loss, sampling_floor, standard_errors
from cultural_sp.survey.scoring import Scoring, dimension_scores

TOY_CODES = np.array([[1.0, 2.0, 3.0], [0.0, 10.0, np.nan]])
TOY = np.array([[0.25, 0.5, 0.25], [0.5, 0.5, 0.0]])
"""Means 2 and 5, variances 0.5 and 25."""
TOY_SCORING = Scoring("index", np.array([[20.0, 0.0], [10.0, -3.0]]), np.array([50.0, 0.0]))


def test_moments_by_hand():
    means, variances = answer_moments(TOY, TOY_CODES)
    assert means.tolist() == [2.0, 5.0]
    assert variances.tolist() == [0.5, 25.0]  # 0.25 * 1 + 0.25 * 1, and 25 for a coin between 0 and 10


def test_cells_without_an_option_may_hold_anything_and_a_missing_item_stays_missing():
    padded = np.where(np.isnan(TOY_CODES), np.nan, TOY)
    assert np.array_equal(answer_moments(padded, TOY_CODES), answer_moments(TOY, TOY_CODES))
    padded[0] = np.nan
    means, variances = answer_moments(padded, TOY_CODES)
    assert means == pytest.approx([np.nan, 5.0], nan_ok=True)
    assert variances == pytest.approx([np.nan, 25.0], nan_ok=True)


def test_wordings_that_disagree_add_variance():
    wordings = np.zeros((2, 2, 3))
    wordings[0, 0, 0] = wordings[1, 0, 2] = 1.0  # always 1 under one wording, always 3 under the other
    wordings[:, 1] = TOY[1]
    means, variances = answer_moments(wordings, TOY_CODES)
    assert means.tolist() == [2.0, 5.0]
    assert variances.tolist() == [1.0, 25.0]  # item 1: nothing within a wording, 1 between them


def test_standard_errors_by_hand():
    variances = np.array([0.5, 25.0])
    # sqrt(400 * 0.5 / 2) = 10, sqrt((100 * 0.5 + 9 * 25) / 2) = sqrt(137.5)
    assert standard_errors(TOY_SCORING, variances, 2) == pytest.approx([10.0, 137.5**0.5])
    missing = standard_errors(TOY_SCORING, np.array([0.5, np.nan]), 2)
    assert missing == pytest.approx([10.0, np.nan], nan_ok=True)  # only the second dimension uses item 2


def test_the_loss_is_the_mean_of_folded_normals():
    scores, errors, target = np.array([60.0, 40.0, 1.0]), np.array([10.0, 5.0, 1.0]), np.array([50.0, 41.0, np.nan])
    # |N(10, 10)| and |N(-1, 5)|, by scipy's distribution; the third dimension has no target
    by_scipy = (foldnorm(1.0, scale=10).mean() + foldnorm(0.2, scale=5).mean()) / 2
    assert sampled_loss(scores, errors, target) == pytest.approx(by_scipy)
    assert sampled_loss(scores, np.zeros(3), target) == pytest.approx((10 + 1) / 2)
    assert sampled_loss(target, np.zeros(3), target) == 0
    assert np.isnan(sampled_loss(np.array([np.nan, 40.0, 1.0]), errors, target))


def test_the_floor_is_the_mean_standard_error_times_the_root_of_two_over_pi():
    assert sampling_floor(np.array([10.0, 5.0, 9.0]), np.array([3.0, 70.0, np.nan])) == pytest.approx(
        7.5 * 0.7978845608
    )


@pytest.fixture(scope="module")
def sampled():
    """Item distributions of a VSM population, and scores [4000, 6] of 4,000 samples of 20 that the readout drew."""
    vsm = load_survey("vsm13")
    log_probs = np.random.default_rng(0).normal(size=(24, 5))
    probabilities = np.exp(log_probs) / np.exp(log_probs).sum(axis=1, keepdims=True)
    means = np.stack([sampler(20, seed)(log_probs, vsm.codes()) for seed in range(4000)])
    return vsm, probabilities, dimension_scores(vsm.scoring, means)


def test_standard_errors_are_those_of_the_sample_readout(sampled):
    vsm, probabilities, scores = sampled
    means, variances = answer_moments(probabilities, vsm.codes())
    errors = standard_errors(vsm.scoring, variances, 20)
    relative = 4 / np.sqrt(2 * len(scores))  # four standard errors of a standard deviation
    assert scores.std(axis=0, ddof=1) == pytest.approx(errors, rel=relative)
    expected = dimension_scores(vsm.scoring, means)
    assert (np.abs(scores.mean(axis=0) - expected) < 4 * errors / np.sqrt(len(scores))).all()


@pytest.mark.parametrize("shift", [0.0, 10.0])
def test_expected_losses_are_those_of_the_sample_readout(sampled, shift):
    vsm, probabilities, scores = sampled
    means, variances = answer_moments(probabilities, vsm.codes())
    errors, expected = standard_errors(vsm.scoring, variances, 20), dimension_scores(vsm.scoring, means)
    losses = np.abs(scores - (expected + shift)).mean(axis=1)
    tolerance = 4 * losses.std() / np.sqrt(len(losses))
    assert sampled_loss(expected, errors, expected + shift) == pytest.approx(losses.mean(), abs=tolerance)
    if not shift:
        assert sampling_floor(errors, expected) == pytest.approx(losses.mean(), abs=tolerance)


def test_samples_over_wordings_are_draws_from_the_mixture():
    rng = np.random.default_rng(1)
    wordings = rng.dirichlet([0.5, 0.5, 0.5], size=(3, 2))
    codes = np.array([[1.0, 2.0, 3.0], [0.0, 5.0, 10.0]])
    errors = standard_errors(TOY_SCORING, answer_moments(wordings, codes)[1], 10)
    shape = (4000, 10, 2)  # samples, respondents, items
    asked, items = rng.integers(3, size=shape), np.arange(2)
    chosen = (rng.random(shape)[..., None] >= wordings.cumsum(axis=-1)[asked, items]).sum(axis=-1).clip(max=2)
    scores = dimension_scores(TOY_SCORING, codes[items, chosen].mean(axis=1))
    assert scores.std(axis=0, ddof=1) == pytest.approx(errors, rel=4 / np.sqrt(2 * 4000))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: answer_moments(TOY[:1], TOY_CODES), r"\(1, 3\) don't fit codes of shape \(2, 3\); give \[Q, O\] or"),
        (lambda: answer_moments(TOY * 0.5, TOY_CODES), "option probabilities of 2 items don't add up to 1"),
        (lambda: standard_errors(TOY_SCORING, np.ones(2), 0), "n_respondents=0 has no standard error; give at least 1"),
        (lambda: standard_errors(TOY_SCORING, np.ones(3)), r"2 items, got variances of shape \(3,\)"),
        (lambda: sampling_floor(np.ones(2), np.full(2, np.nan)), "no known dimension"),
        (lambda: sampled_loss(np.ones(2), np.ones(3), np.ones(2)), r"need one shape \[K\]"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
