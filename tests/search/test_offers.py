"""Rules for every optimizer on candidates that another search evaluated."""

import warnings

import numpy as np
import pytest
from helpers.options import OPTIMIZERS as OPTIONS
from helpers.options import optimizer_config

from cultural_sp.search.optimizers import make_optimizer

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.usefixtures("few_rounds")]
every = pytest.mark.parametrize("kind", OPTIONS)
learning = pytest.mark.parametrize("kind", [kind for kind in OPTIONS if kind != "random"])
choosy = pytest.mark.parametrize("kind", [kind for kind in OPTIONS if kind != "de_surrogate"])
evolution = pytest.mark.parametrize("kind", ["de", "de_twopoints"])


def sphere(z):
    return ((z - 0.5) ** 2).sum(axis=1)


def others(n, seed=0, dim=6, around=0.0, spread=1.0):
    return around + spread * np.random.default_rng(seed).standard_normal((n, dim))


def make(kind, dim=6, **changes):
    return make_optimizer(optimizer_config(kind, **changes), dim)


def spend(search, generations, loss=sphere, between=None, n=8):
    """Candidates [generations * n, d] of a search that is offered ``between(generation)`` after every generation."""
    asked = []
    for generation in range(generations):
        asked.append(search.ask(n))
        search.tell(loss(asked[-1]))
        if between is not None:
            z = between(generation)
            search.offer(z, loss(z))
    return np.concatenate(asked)


@every
def test_offers_keep_seeded_searches_the_same(kind):
    def run(seed):
        search = make(kind, seed=seed, population=8)
        search.offer(others(30), sphere(others(30)))
        return spend(search, 6, between=lambda generation: others(24, seed=generation))

    first, again, other = run(5), run(5), run(6)
    np.testing.assert_array_equal(first, again)
    assert first.shape == (48, 6)
    assert not np.isclose(first[1:8], other[1:8]).all(axis=1).any()


@every
@pytest.mark.parametrize("offered", [1, 7, 8, 100])
def test_the_initial_prompt_is_asked_first_whatever_was_offered(kind, offered):
    search = make(kind, population=8)
    search.offer(others(offered), sphere(others(offered)))
    z = search.ask(8)
    np.testing.assert_array_equal(z[0], 0)
    assert len(np.unique(z, axis=0)) == 8
    assert not (z[:, None] == others(offered)).all(axis=2).any()  # nothing is evaluated twice


@every
def test_candidates_without_a_loss_are_ignored(kind):
    def run(losses):
        search = make(kind, population=8)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(3):
                z = others(5)
                search.offer(z[: len(losses)], losses)
                spend(search, 1)
        return search.ask(8)

    alone = run(np.zeros(0))
    for losses in (np.full(5, np.nan), np.array([np.nan, np.inf, -np.inf])):
        np.testing.assert_array_equal(run(losses), alone)


@every
def test_changing_an_offer_afterwards_changes_nothing(kind):
    asked = []
    for spoil in (False, True):
        search = make(kind, population=8)
        for generation in range(3):
            z = others(8, spread=0.5**generation)
            losses = sphere(z)
            search.offer(z, losses)
            if spoil:
                z += 100
                losses += 100
            spend(search, 1)
        asked.append(search.ask(8))
    np.testing.assert_array_equal(*asked)


@learning
def test_a_better_offer_changes_what_is_asked_before_and_between_generations(kind):
    good = np.full((1, 6), 0.5)
    for before in (True, False):
        asked = []
        for offered in (False, True):
            search = make(kind, population=8)
            if not before:
                spend(search, 2)
            if offered:
                search.offer(good, sphere(good))
            asked.append(spend(search, 2))  # the first generation of a population that isn't full is drawn in any case
        assert not np.isclose(asked[0], asked[1]).all()


@choosy
def test_a_worse_offer_changes_nothing_after_the_first_generation(kind):
    bad = others(5, around=50.0)
    asked = []
    for offered in (False, True):
        search = make(kind, population=8)
        spend(search, 3)
        if offered:
            search.offer(bad, sphere(bad))
        asked.append(spend(search, 2))
    np.testing.assert_array_equal(*asked)


@learning
def test_a_good_neighbourhood_saves_evaluations(kind):
    objective = np.random.default_rng(99).standard_normal(20)
    alone, helped = [], []
    for seed in range(3):
        near = others(20, seed=seed, dim=20, around=objective, spread=0.3)
        for best, offers in ((alone, False), (helped, True)):
            search = make(kind, dim=20, seed=seed)
            if offers:
                search.offer(near, ((near - objective) ** 2).sum(axis=1))
            z = spend(search, 5, lambda z: ((z - objective) ** 2).sum(axis=1), n=20)
            best.append(((z - objective) ** 2).sum(axis=1).min())
    assert np.median(helped) < 0.7 * np.median(alone)


@evolution
@pytest.mark.parametrize("offered", [0, 3, 7, 8, 9, 40])
def test_a_population_keeps_its_size_and_everybody_has_a_turn(kind, offered):
    """nevergrad's own book-keeping, through any mixture of asked and offered candidates."""
    search = make(kind, population=8)
    inner = search._optimizer
    search.offer(others(offered), sphere(others(offered)))
    for generation in range(12):
        spend(search, 1)
        z = others(offered, seed=generation, spread=0.7**generation)
        search.offer(z, sphere(z))
        assert len(inner.population) == 8
        assert sorted(inner._uid_queue.told) == sorted(inner.population)
        assert not inner._uid_queue.asked


@evolution
def test_the_population_is_the_best_of_all_that_was_offered(kind):
    search, z = make(kind, population=8), others(60)
    z[17] = 0  # asked first anyway
    search.offer(z[:50], sphere(z[:50]))
    search.offer(z[50:], sphere(z[50:]))
    best = z[[i for i in np.argsort(sphere(z)) if i != 17][:8]]
    members = np.stack([member.value for member in search._optimizer.population.values()])
    np.testing.assert_array_equal(np.unique(members, axis=0), np.unique(best, axis=0))


@evolution
def test_a_population_that_has_started_takes_over_one_candidate_and_only_a_better_one(kind):
    search = make(kind, population=8)
    spend(search, 2)
    before = {member.value.tobytes(): member.loss for member in search._optimizer.population.values()}
    z = np.full((3, 6), [[0.45], [0.4], [0.5]])  # all three better than the worst member
    assert (sphere(z) < max(before.values())).all()
    for _ in range(2):  # the second time it is no news
        search.offer(z, sphere(z))
        after = {member.value.tobytes() for member in search._optimizer.population.values()}
        new = after - set(before)
        assert new == ({z[2].tobytes()} if sphere(z)[2] < min(before.values()) else set())
        assert len(set(before) - after) == len(new)
    assert new


def test_an_offered_parent_keeps_the_step():
    search = make("one_plus_lambda", population=5)
    search.offer(np.full((2, 6), [[0.4], [0.5]]), np.array([0.06, 0.0]))
    z = search.ask(5)
    np.testing.assert_array_equal(search._parent, 0.5)
    search.tell(sphere(z))  # z = 0 is an offspring like the others: none of the five beats the parent
    np.testing.assert_array_equal(search._parent, 0.5)
    step = search._step
    assert step == pytest.approx(np.exp(1.5 * -0.2))
    search.offer(np.full((1, 6), 0.6), np.array([0.06]))
    np.testing.assert_array_equal(search._parent, 0.5)
    search.offer(np.full((1, 6), 0.6), np.array([-1.0]))
    np.testing.assert_array_equal(search._parent, 0.6)
    assert search._step == step


def test_cma_starts_at_the_best_offer_and_later_looks_towards_one():
    search, far = make("cma", dim=200), np.full((1, 200), 3.0)
    search.offer(np.concatenate([-far, far]), np.array([2.0, 1.0]))
    z = search.ask(20)
    assert z[1:].mean() == pytest.approx(3, abs=0.1)
    assert z[1:].std() == pytest.approx(1, abs=0.05)
    search.tell(z.mean(axis=1) + 10)
    mean = search._optimizer.es.mean
    search.offer(-far, np.array([0.5]))
    z = search.ask(20)
    away = [np.dot(x - mean, -far[0] - mean) / np.linalg.norm(x - mean) / np.linalg.norm(far[0] + mean) for x in z]
    assert max(away) == pytest.approx(1)
    assert sorted(away)[-2] < 0.5
    lengths = np.linalg.norm(z - mean, axis=1)
    assert lengths[np.argmax(away)] < 1.5 * np.median(lengths)


def test_a_swarm_takes_over_one_candidate_and_only_a_better_one():
    search = make("pso", population=8)
    spend(search, 2)
    z = np.full((3, 6), [[0.5], [0.45], [0.4]])
    search.offer(z, sphere(z))
    members = np.stack([member.value for member in search._optimizer.population.values()])
    assert (members == 0.5).all(axis=1).sum() == 1
    assert not (members == 0.45).all(axis=1).any()
    np.testing.assert_array_equal(search._optimizer._best.value, 0.5)
