import itertools

import numpy as np
import pytest

from cultural_sp.survey import floors
from cultural_sp.survey.floors import argmax_floor, rounding_floor, skill
from cultural_sp.survey.instrument import load_survey
from cultural_sp.survey.regions import load_region
from cultural_sp.survey.scoring import Scoring, dimension_scores

CODES = np.tile([1.0, 2.0, 3.0], (3, 1))


def toy(*weights):
    return Scoring("index", np.array(weights, dtype=float), np.full(len(weights), 50.0))


def test_one_dimension_by_hand():
    found = argmax_floor(toy([10, -10, 0]), CODES, np.array([57.0]))  # can be 30, 40, 50, 60 or 70
    assert found.loss == pytest.approx(3.0)
    assert found.answers[0] - found.answers[1] == 1
    assert np.isnan(found.answers[2])  # no dimension uses it
    assert found.proved


def test_dimensions_that_share_an_item_must_agree_on_it():
    # alone, 70 is item 1 at 2 and 113 is items 1 and 2 at 3: (2, 3) misses by 0 and 20, (3, 3) by 10 and 0
    found = argmax_floor(toy([10, 0, 0], [20, 1, 0]), CODES, np.array([70.0, 113.0]))
    assert found.loss == pytest.approx((10 + 0) / 2)
    assert found.answers[:2].tolist() == [3.0, 3.0]


def test_dimensions_without_a_target_do_not_count():
    scoring = toy([10, 0, 0], [10, 1, 0])
    assert argmax_floor(scoring, CODES, np.array([np.nan, 83.0])).loss == pytest.approx(0.0)
    assert argmax_floor(scoring, CODES, np.array([74.0, np.nan])).loss == pytest.approx(4.0)


def test_codes_with_unequal_steps_and_fewer_options():
    codes = np.array([[0.0, 1.0, 10.0], [0.0, 3.0, np.nan]])
    scoring = Scoring("index", np.array([[1.0, 1.0]]), np.zeros(1))  # sums 0, 1, 3, 4, 10, 13
    targets = np.array([-1.0, 0.4, 2.2, 3.6, 6.0, 8.0, 12.0])
    found = [argmax_floor(scoring, codes, np.array([t])) for t in targets]
    assert [x.loss for x in found] == pytest.approx([1.0, 0.4, 0.8, 0.4, 2.0, 2.0, 1.0])
    assert found[-1].answers.tolist() == [10.0, 3.0]


@pytest.mark.parametrize("code", ["US", "SA", "CN", "DE"])
def test_indices_of_the_vsm_are_those_of_all_combinations_of_their_items(survey, code):
    region = load_region(survey, code)
    target = np.asarray(region.target)
    nearest = []
    for weights, aim in zip(survey.scoring.weights, target - 50, strict=True):
        own = weights[weights != 0]
        sums = np.array(list(itertools.product(range(1, 6), repeat=4))) @ own
        nearest.append(np.abs(sums - aim).min())
    found = argmax_floor(survey.scoring, survey.codes(), target)
    assert found.loss == pytest.approx(np.mean(nearest))
    assert np.abs(dimension_scores(survey.scoring, found.answers) - target).mean() == pytest.approx(found.loss)
    assert found.proved


@pytest.mark.parametrize("code", ["US", "RO"])
def test_axes_of_the_map_are_those_of_all_combinations_of_the_indicators(code):
    world = load_survey("inglehart_welzel")
    target = np.asarray(load_region(world, code).target)
    combinations = np.array(list(itertools.product(*(item.scale.codes for item in world.items))))
    assert len(combinations) == 540_000
    nearest = np.abs(dimension_scores(world.scoring, combinations) - target).mean(axis=1).min()
    found = argmax_floor(world.scoring, world.codes(), target)
    assert found.loss == pytest.approx(nearest, abs=1e-6)
    assert found.proved


def test_a_solver_out_of_time_says_so(monkeypatch):
    weights = np.random.default_rng(0).normal(size=(2, 24)) * 20  # 5^24 combinations that nothing tells apart
    scoring, codes, target = (
        Scoring("factor", weights, np.full(2, 50.0)),
        np.tile(np.arange(1.0, 6), (24, 1)),
        np.ones(2),
    )
    monkeypatch.setattr(floors, "SECONDS", 0.5)
    found = argmax_floor(scoring, codes, target)
    assert not found.proved
    assert np.abs(dimension_scores(scoring, found.answers) - target).mean() == pytest.approx(found.loss)
    monkeypatch.setattr(floors, "SECONDS", 0.0)
    with pytest.raises(RuntimeError, match="floor of the argmax readout was not found"):
        argmax_floor(scoring, codes, target)


def test_rounding_errors_are_uniform():
    # one item, weight 12, steps of 1: sd 12 / sqrt(12), and sqrt(2 / pi) of it
    assert rounding_floor(toy([12, 0, 0]), CODES, np.array([50.0])) == pytest.approx(12**0.5 * 0.7978845608)
    # steps of 1 and 3: a true mean falls into the second with probability 3/4, so (1 * 1/4 + 9 * 3/4) / 12 = 7/12
    codes = np.array([[1.0, 2.0, 5.0], [1.0, 2.0, np.nan]])
    scoring = Scoring("index", np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2))
    both = [(7 / 12) ** 0.5, (1 / 12) ** 0.5]
    assert rounding_floor(scoring, codes, np.zeros(2)) == pytest.approx(np.mean(both) * 0.7978845608)


def test_rounding_errors_of_the_vsm_are_those_of_rounded_means(survey):
    rng = np.random.default_rng(0)
    means = rng.uniform(1, 5, size=(20_000, 24))
    moved = dimension_scores(survey.scoring, np.round(means)) - dimension_scores(survey.scoring, means)
    simulated = np.abs(moved).mean()
    found = rounding_floor(survey.scoring, survey.codes(), np.full(6, 50.0))
    assert found == pytest.approx(simulated, rel=0.02)  # the normal approximation is up to 1.3 % too low
    assert found < simulated


def test_skill_is_the_share_of_the_midpoint_loss_that_is_gone():
    assert skill(0.0, 20.0) == 100
    assert skill(15.0, 20.0) == 25
    assert skill(20.0, 20.0) == 0
    assert skill(30.0, 20.0) == -50
    assert np.isnan(skill(1.0, 0.0))
    assert np.isnan(skill(np.nan, 20.0))


@pytest.mark.parametrize(
    ("codes", "target", "message"),
    [
        (CODES[:2], [50.0], r"weights \[K, Q\] \(1, 3\), got 1 targets and codes of 2 items"),
        (CODES, [50.0, 50.0], "got 2 targets and codes of 3 items"),
        (CODES, [np.nan], "no known dimension"),
    ],
)
def test_what_does_not_fit_is_refused(codes, target, message):
    with pytest.raises(ValueError, match=message):
        argmax_floor(toy([1, 1, 1]), codes, np.array(target))
