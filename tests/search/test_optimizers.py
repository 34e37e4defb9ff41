import numpy as np
import pytest

from cultural_sp.config import OptimizerConfig
from cultural_sp.search.optimizers import DifferentialEvolution, RandomSearch

SEARCHES = [DifferentialEvolution, RandomSearch]


def sphere(z):
    return ((z - 0.5) ** 2).sum(axis=1)


def spend(search, generations, loss=sphere):
    asked, best = [], []
    for _ in range(generations):
        z = search.ask(search.generation_size)
        losses = loss(z)
        search.tell(losses)
        asked.append(z)
        best.append(losses.min())
    return np.concatenate(asked), best


@pytest.mark.parametrize("make", SEARCHES)
@pytest.mark.parametrize("crossover", ["0.5", "twopoints"])
def test_first_candidate_is_the_initial_prompt(make, crossover):
    search = make(OptimizerConfig(population=8, crossover=crossover), 6)
    z = search.ask(8)
    assert z.shape == (8, 6)
    np.testing.assert_array_equal(z[0], 0)
    assert (np.abs(z[1:]).max(axis=1) > 0).all()


@pytest.mark.parametrize("make", SEARCHES)
def test_same_seed_and_losses_give_the_same_candidates(make):
    first, _ = spend(make(OptimizerConfig(population=8, seed=5), 6), 6)
    again, _ = spend(make(OptimizerConfig(population=8, seed=5), 6), 6)
    other, _ = spend(make(OptimizerConfig(population=8, seed=6), 6), 6)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first[1:], other[1:])


@pytest.mark.parametrize("make", SEARCHES)
def test_the_global_generator_has_no_say(make):
    np.random.seed(0)  # noqa: NPY002
    first, _ = spend(make(OptimizerConfig(population=8), 6), 4)
    np.random.seed(1)  # noqa: NPY002
    again, _ = spend(make(OptimizerConfig(population=8), 6), 4)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("make", SEARCHES)
@pytest.mark.parametrize("crossover", ["0.5", "twopoints"])
def test_a_fresh_optimizer_told_the_same_losses_takes_over_at_any_generation(make, crossover):
    def holes(z):
        return np.where(z[:, 0] > 0.5, np.nan, sphere(z))

    config = OptimizerConfig(population=8, seed=5, budget=44, crossover=crossover)
    sizes = [8, 8, 8, 8, 8, 4]
    first = make(config, 6)
    asked, told = [], []
    for n in sizes:
        asked.append(first.ask(n))
        told.append(holes(asked[-1]))
        first.tell(told[-1])
    assert np.isnan(np.concatenate(told)).any()
    for taken_over in range(len(sizes)):
        second = make(config, 6)
        for i, n in enumerate(sizes):
            z = second.ask(n)
            np.testing.assert_array_equal(z, asked[i])
            second.tell(told[i] if i < taken_over else holes(z))


def test_de_goes_downhill_and_random_search_does_not():
    _, best = spend(DifferentialEvolution(OptimizerConfig(population=20), 10), 30)
    assert best[-1] < 0.3 * best[0]
    _, best = spend(RandomSearch(OptimizerConfig(population=20), 10), 30)
    assert np.mean(best[-5:]) == pytest.approx(np.mean(best[:5]), rel=0.5)


def test_de_lives_with_failed_evaluations():
    def sometimes(z):
        losses = sphere(z)
        losses[::3] = np.nan
        return losses

    search = DifferentialEvolution(OptimizerConfig(population=9), 4)
    candidates, _ = spend(search, 10, sometimes)
    assert np.isfinite(candidates).all()


def test_a_last_generation_may_be_cut_short():
    search = DifferentialEvolution(OptimizerConfig(population=9), 4)
    spend(search, 2)
    z = search.ask(3)
    search.tell(sphere(z))
    assert z.shape == (3, 4)
