from dataclasses import replace

import numpy as np
import pytest

from cultural_sp.evaluation.index_validity import index_validities
from cultural_sp.survey.regions import target_range

WORDINGS = ("held_out_1", "held_out_2", "held_out_3")


def answers(survey, step, noise=0.0, seed=0):
    """Plain model at 3 everywhere; each persona moves the items of its own index by ``step`` codes; noise on every answer."""
    rng = np.random.default_rng(seed)

    def draw(base):
        return base + noise * rng.standard_normal(24)

    plain = {w: draw(np.full(24, 3.0)) for w in WORDINGS}
    poles = {}
    for w in WORDINGS:
        poles[w] = {}
        for name, weights in zip(survey.dimensions, survey.measures(), strict=True):
            poles[w][name, "high"] = draw(3 + step * np.sign(weights) / 2)
            poles[w][name, "low"] = draw(3 - step * np.sign(weights) / 2)
    return plain, poles


def test_the_effect_by_hand(survey):
    found = index_validities(survey, *answers(survey, 0.5))
    # half a code on each of PDI's items: 0.5 * (35 + 35 + 25 + 25)
    assert found["PDI"].effect == pytest.approx(60)
    assert found["PDI"].steerable_range == pytest.approx(60 / target_range(survey)[0])
    assert found["PDI"].entanglement == pytest.approx(0)
    assert found["PDI"].reliability == pytest.approx(1)
    assert found["PDI"].wordings_needed == 1
    assert all(index.trusted for index in found.values())


def test_the_interval_crosses_items_and_wordings(survey):
    found = index_validities(survey, *answers(survey, 0.5, noise=0.3))
    for name, index in found.items():
        assert index.low < index.effect < index.high, name
    wide = index_validities(survey, *answers(survey, 0.5, noise=0.9))
    assert wide["IVR"].high - wide["IVR"].low > found["IVR"].high - found["IVR"].low


def test_a_small_move_a_wrong_move_and_noise_are_not_trusted(survey):
    assert not index_validities(survey, *answers(survey, 0.1))["PDI"].trusted, "12 points, an eighth of the range"
    assert not index_validities(survey, *answers(survey, -0.5))["PDI"].trusted
    noisy = index_validities(survey, *answers(survey, 0.5, noise=2.0))
    assert not any(index.trusted for index in noisy.values())
    assert min(index.reliability for index in noisy.values()) < 0.8


def test_reliability_by_hand(survey):
    """Of a survey of one item: objects 1, 2 and 3 points apart, and a wording that moves one of them."""
    one = replace(survey, dimensions={"PDI": survey.dimensions["PDI"]}, scoring=one_index(survey))
    plain = {"held_out_1": at(1), "held_out_2": at(3)}
    poles = {
        "held_out_1": {("PDI", "high"): at(4), ("PDI", "low"): at(7)},
        "held_out_2": {("PDI", "high"): at(4), ("PDI", "low"): at(5)},
    }
    index = index_validities(one, plain, poles)["PDI"]
    assert index.reliability == pytest.approx(0.75)  # [[1, 3], [4, 4], [7, 5]]: variances 3 and 2, so 3 / (3 + 2 / 2)
    assert index.wordings_needed == 3


def one_index(survey):
    scoring = survey.scoring
    return replace(scoring, weights=scoring.weights[:1], constants=scoring.constants[:1])


def at(level):
    """Item means of which only m07, with weight 35, differs."""
    means = np.full(24, 3.0)
    means[6] = level
    return means


def test_another_index_that_moves_more_is_entangled(survey):
    plain, poles = answers(survey, 0.5)
    for means in poles.values():
        for other in ("IDV", "MAS", "UAI", "LTO", "IVR"):
            means["PDI", "high"] += means[other, "high"] - 3
            means["PDI", "low"] += means[other, "low"] - 3
    found = index_validities(survey, plain, poles)
    assert found["PDI"].entanglement == pytest.approx(
        np.mean([found[d].steerable_range for d in ("IDV", "MAS", "UAI", "LTO", "IVR")]) / found["PDI"].steerable_range
    )
    assert found["IDV"].entanglement == pytest.approx(0)


def test_one_wording_has_no_reliability(survey):
    plain, poles = answers(survey, 0.5)
    first = WORDINGS[0]
    found = index_validities(survey, {first: plain[first]}, {first: poles[first]})
    assert found["PDI"].reliability is None
    assert not found["PDI"].trusted
