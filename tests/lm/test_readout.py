import numpy as np
import pytest

from cultural_sp.lm.readout import argmax, expected, make_readout, option_probabilities, sampler

CODES = np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 3.0, np.nan, np.nan]])
# item 1 answers 2 with probability 1/4 and 4 with 3/4; item 2 has three options with 1/2, 1/4, 1/4
PROBABILITIES = np.array([[0, 0.25, 0, 0.75, 0], [0.5, 0.25, 0.25, 0, 0]])
with np.errstate(divide="ignore"):
    LOG_PROBS = np.log(PROBABILITIES)[None] - 7.0  # any constant may be missing from the mass


def test_probabilities_are_relative_to_the_options():
    np.testing.assert_allclose(option_probabilities(LOG_PROBS)[0], PROBABILITIES)


def test_expected_weighs_codes_by_probability():
    np.testing.assert_allclose(expected(LOG_PROBS, CODES), [[3.5, 1.75]])


def test_argmax_takes_the_likeliest_code_and_the_lower_one_on_a_tie():
    np.testing.assert_array_equal(argmax(LOG_PROBS, CODES), [[4, 1]])
    np.testing.assert_array_equal(argmax(np.zeros((1, 2, 5)), CODES), [[1, 1]])


def test_sampled_respondents_approach_the_expected_answer():
    means = sampler(20_000, seed=0)(LOG_PROBS, CODES)
    np.testing.assert_allclose(means, [[3.5, 1.75]], atol=0.03)


def test_one_respondent_gives_whole_valid_codes():
    answers = np.stack([sampler(1, seed)(LOG_PROBS, CODES)[0] for seed in range(50)])
    assert set(answers[:, 0]) == {2.0, 4.0}
    assert set(answers[:, 1]) == {1.0, 2.0, 3.0}


def test_sampling_depends_on_its_seed_alone():
    draws = [make_readout("sample", 20, seed)(LOG_PROBS, CODES) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_candidates_with_equal_probabilities_get_equal_samples():
    means = sampler(7, seed=3)(np.concatenate([LOG_PROBS, LOG_PROBS]), CODES)
    np.testing.assert_array_equal(means[0], means[1])


@pytest.mark.parametrize("readout", [expected, argmax, sampler(5, 0)])
def test_batches_keep_their_shape(readout):
    assert readout(np.zeros((3, 2, 5)), CODES).shape == (3, 2)


@pytest.mark.parametrize("n_options", [5, 3])
def test_a_draw_above_the_rounded_sum_of_probabilities_is_the_last_option(monkeypatch, n_options):
    """Probabilities may add up to a hair below 1; the largest uniform draw must still be a valid code."""
    highest = np.nextafter(1.0, 0.0)
    log_probs = np.full((1, 1, 5), -np.inf)
    for seed in range(1000):
        log_probs[0, 0, :n_options] = np.random.default_rng(seed).standard_normal(n_options)
        if option_probabilities(log_probs).cumsum(axis=-1)[0, 0, -1] <= highest:
            break
    else:
        pytest.fail("found no probabilities whose sum is rounded down")
    codes = np.full((1, 5), np.nan)
    codes[0, :n_options] = np.arange(1, n_options + 1)

    class Highest:
        def random(self, shape):
            return np.full(shape, highest)

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Highest())
    np.testing.assert_array_equal(sampler(2, 0)(log_probs, codes), [[n_options]])
