"""Rules for every optimizer; a new option in conf/optimizer is tested without a change here."""

import random
import warnings

import numpy as np
import pytest
from helpers.options import OPTIMIZERS as OPTIONS
from helpers.options import optimizer_config
from nevergrad.optimization.differentialevolution import Crossover

from cultural_sp.config.registries import OPTIMIZERS
from cultural_sp.search.nevergrad import _variablewise
from cultural_sp.search.optimizers import make_optimizer
from cultural_sp.search.random_search import RandomSearch

pytestmark = pytest.mark.usefixtures("few_rounds")
every = pytest.mark.parametrize("kind", OPTIONS)
learning = pytest.mark.parametrize("kind", [kind for kind in OPTIONS if kind != "random"])
wide = pytest.mark.parametrize("kind", [kind for kind in OPTIONS if kind != "de_surrogate"])
BUDGETS = {"de_surrogate": 160}  # it is slow, and makes more of an evaluation


def sphere(z):
    return ((z - 0.5) ** 2).sum(axis=1)


def holes(z):
    return np.where(z[:, 0] > 0.5, np.nan, sphere(z))


def make(kind, dim=6, **changes):
    return make_optimizer(optimizer_config(kind, **changes), dim)


def spend(search, budget, loss=sphere):
    """Candidates [budget, d] and losses [budget] of a search in generations, the last one cut short if need be."""
    asked, losses = [], []
    for done in range(0, budget, search.generation_size):
        asked.append(search.ask(min(search.generation_size, budget - done)))
        losses.append(loss(asked[-1]))
        search.tell(losses[-1])
    return np.concatenate(asked), np.concatenate(losses)


def test_every_kind_has_a_factory_a_label_and_an_option():
    assert sorted(OPTIMIZERS) == OPTIONS


@every
def test_the_first_candidate_is_the_initial_prompt(kind):
    z = make(kind, population=8).ask(8)
    assert z.shape == (8, 6)
    np.testing.assert_array_equal(z[0], 0)
    assert (np.abs(z[1:]).max(axis=1) > 0).all()


@every
def test_the_first_step_is_a_standard_normal(kind):
    z = make(kind, dim=500).ask(20)[1:]
    assert z.std() == pytest.approx(1, abs=0.03)
    assert z.mean() == pytest.approx(0, abs=0.03)
    assert len(np.unique(z, axis=0)) == 19


@every
def test_same_seed_and_losses_give_the_same_candidates(kind):
    first, again, other = (spend(make(kind, seed=seed, population=8), 48)[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first[1:8], other[1:8]).any()


@every
def test_the_budget_does_not_matter(kind):
    short, long = (spend(make(kind, budget=budget), 60)[0] for budget in (60, 5000))
    np.testing.assert_array_equal(short, long)


@every
def test_global_generators_are_neither_used_nor_changed(kind):
    asked = []
    for seed in (0, 1):
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        before = (np.random.get_state()[1].tolist(), np.random.get_state()[2:], random.getstate())  # noqa: NPY002
        asked.append(spend(make(kind, population=8), 48)[0])
        after = (np.random.get_state()[1].tolist(), np.random.get_state()[2:], random.getstate())  # noqa: NPY002
        assert before == after
    np.testing.assert_array_equal(*asked)


@every
def test_a_fresh_optimizer_told_the_same_losses_takes_over_at_any_generation(kind):
    asked, recorded = spend(make(kind, seed=5, population=8), 44, holes)
    assert np.isnan(recorded).any()
    for taken_over in range(0, 44, 8):
        second = make(kind, seed=5, population=8)
        for first in range(0, 44, 8):
            z = second.ask(min(8, 44 - first))
            np.testing.assert_array_equal(z, asked[first : first + 8])
            second.tell(recorded[first : first + 8] if first < taken_over else holes(z))


@every
def test_changing_a_candidate_that_was_asked_changes_nothing(kind):
    def spoil(z):
        losses = sphere(z)
        z += 100
        return losses

    spoiled, _ = spend(make(kind), 80, spoil)
    np.testing.assert_array_equal(spoiled - 100, spend(make(kind), 80)[0] + 100 - 100)


@every
@pytest.mark.parametrize("failing", [0.3, 1.0])
def test_failed_evaluations_raise_no_warning_and_leave_candidates_finite(kind, failing):
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        z, losses = spend(make(kind), 200, lambda z: np.where(rng.random(len(z)) < failing, np.nan, sphere(z)))
    assert np.isfinite(z).all()
    assert np.abs(z).max() < 100
    if failing < 1 and kind != "random":
        assert np.nanmean(losses[-40:]) < np.nanmean(losses[1:20])


@every
def test_a_plateau_does_not_end_the_search(kind):
    z, _ = spend(make(kind), 200, lambda z: np.full(len(z), 7.0))
    assert np.isfinite(z).all()
    assert 0.1 < z[-20:].std() < 30


@every
def test_even_the_first_generation_may_be_cut_short(kind):
    z, _ = spend(make(kind), 7)
    assert z.shape == (7, 6)


@every
def test_it_beats_its_own_start_on_a_shifted_sphere(kind):
    _, losses = spend(make(kind, dim=20), BUDGETS.get(kind, 400), lambda z: ((z - target(20)) ** 2).sum(axis=1))
    assert losses.min() < losses[0]


@learning
def test_it_beats_random_search_on_a_shifted_sphere(kind):
    def best(search):
        return spend(search, BUDGETS.get(kind, 400), lambda z: ((z - target(20)) ** 2).sum(axis=1))[1].min()

    losses = [best(make(kind, dim=20, seed=seed)) for seed in range(5)]
    by_chance = [best(RandomSearch(optimizer_config(kind, seed=seed), 20)) for seed in range(5)]
    assert np.median(losses) < np.median(by_chance)


def target(dim):
    """As far from the start as the candidates of the first generation are."""
    return np.random.default_rng(99).standard_normal(dim)


@wide
def test_a_whole_soft_prompt_is_not_too_many_dimensions(kind):
    z, _ = spend(make(kind, dim=40_960, population=4), 8 if kind == "de" else 12)
    assert np.isfinite(z).all()


def test_random_search_as_an_optimizer_draws_other_candidates_than_the_baseline():
    baseline = RandomSearch(optimizer_config("random", population=8), 6).ask(8)
    assert not np.isclose(make("random", population=8).ask(8)[1:], baseline[1:]).any()
    z, _ = spend(make("random", dim=200), 400)
    assert z[1:].std() == pytest.approx(1, abs=0.02)


def test_cma_learns_the_scale_of_every_coordinate():
    scale = np.array([1.0, 30.0] * 3)
    z, losses = spend(make("cma"), 2000, lambda z: ((scale * (z - 0.5)) ** 2).sum(axis=1))
    assert losses.min() < 1e-6
    spread = z[600:640].std(axis=0).reshape(3, 2).mean(axis=0)
    assert spread[0] > 5 * spread[1]


def test_the_step_of_one_plus_lambda_follows_its_success():
    search = make("one_plus_lambda", population=5)
    search.ask(5)
    search.tell(np.array([1.0, np.nan, 2.0, 1.0, 0.5]))
    # one of five is better; two are equal, the parent itself being one of them, and count as a fifth: 1.4 / 5 - 0.2 = 0.08
    assert search._step == pytest.approx(np.exp(1.5 * 0.08))
    z = search.ask(5)
    search.tell(np.array([0.6, 0.7, 0.5, np.nan, 9.0]))
    assert search._step == pytest.approx(np.exp(1.5 * (0.08 + 0.2 / 5 - 0.2)))
    np.testing.assert_array_equal(
        search._parent, z[2]
    )  # of two that are equal the new one: a search drifts over plateaus


def test_the_crossover_in_one_draw_is_nevergrads_own():
    donors, numbers = [], []
    for apply in (Crossover.variablewise, _variablewise):
        random = np.random.RandomState(3)
        crossover = Crossover(random, 0.3)
        donor = np.arange(50.0)
        apply(crossover, donor, -np.arange(50.0))
        donors.append(donor)
        numbers.append(random.uniform())
    np.testing.assert_array_equal(*donors)
    assert 0 < (donors[0] < 0).sum() < 49
    assert numbers[0] == numbers[1]
