"""Surrogate-assisted evolution, beyond the rules for every optimizer."""

import numpy as np
import pytest
from helpers.options import optimizer_config

from cultural_sp.search.history import Scores, SearchHistory
from cultural_sp.search.optimizers import make_optimizer

pytestmark = pytest.mark.usefixtures("few_rounds")
LOADS = np.random.default_rng(0).standard_normal((12, 6))
TARGET = 2 * np.random.default_rng(1).standard_normal(6)


def make(kind="de_surrogate", dim=12, **changes):
    return make_optimizer(optimizer_config(kind, **changes), dim)


def survey(z):
    """Scores [n, 6] that bend with z."""
    return z @ LOADS + np.sin(z[:, :6])


def loss_of(scores):
    return np.abs(scores - TARGET).mean(axis=1)


def spend(search, generations, with_scores=True, n=20, missing=None):
    """Losses [generations * n] of a search that is told the scores too, or only the losses."""
    losses = []
    for _ in range(generations):
        z = search.ask(n)
        values = survey(z) if missing is None else np.where(missing(z)[:, None], np.nan, survey(z))
        losses.append(loss_of(values))
        search.tell(losses[-1], Scores(values, loss_of) if with_scores else None)
    return np.concatenate(losses)


def test_scores_teach_more_than_losses_and_both_more_than_evolution_alone():
    scores, losses, alone = (
        spend(make("de_surrogate"), 5).min(),
        spend(make("de_surrogate"), 5, with_scores=False).min(),
        spend(make("de"), 5).min(),
    )
    assert scores < 0.5 * losses
    assert losses < 0.9 * alone
    assert scores < spend(make("de"), 20).min()


def test_the_evaluations_of_another_objective_are_enough():
    z = np.random.default_rng(5).standard_normal((200, 12))
    search = make()
    search.offer(z, loss_of(survey(z)), Scores(survey(z), loss_of))
    first = search.ask(20)
    np.testing.assert_array_equal(first[0], 0)
    assert np.median(loss_of(survey(first[1:]))) < 0.5 * loss_of(survey(z)).min()


def test_it_stays_where_evaluations_are():
    search = make(population=8)
    for _ in range(3):
        z = search.ask(8)
        search.tell(-z.sum(axis=1))  # falls without end
    assert 2 < np.abs(search.ask(8)).max() <= 3


@pytest.mark.parametrize("with_scores", [True, False])
def test_failed_candidates_keep_it_away(with_scores):
    losses = spend(make(), 6, with_scores, missing=lambda z: z[:, 0] > 0.3)
    assert np.isnan(losses[:20]).mean() > 0.2
    assert np.isnan(losses[-40:]).mean() < 0.1


def test_bad_offers_teach_too():
    asked = []
    for offered in (False, True):
        search = make(population=8)
        spend(search, 2, n=8)
        if offered:
            z = np.full((1, 12), 2.0)
            search.offer(z, loss_of(survey(z)), Scores(survey(z), loss_of))
        asked.append(search.ask(8))
    assert not np.isclose(*asked).all()


def test_more_evaluations_than_a_model_is_fitted_to_are_no_problem():
    search, z = make(), np.random.default_rng(5).standard_normal((3000, 12))
    search.offer(z, loss_of(survey(z)), Scores(survey(z), loss_of))
    assert np.median(loss_of(survey(search.ask(4)[1:]))) < loss_of(survey(z)).min()


def test_too_many_coordinates_are_refused():
    make(dim=1024)
    with pytest.raises(
        ValueError, match=r"^optimizer=de_surrogate searches 1024 .* has 1025; choose optimizer=de, or [^\n]+$"
    ):
        make(dim=1025)


def test_the_scores_of_a_history_give_its_losses():
    def objective(dimensions, valid_mass):
        return dimensions.sum(axis=1) + valid_mass, dimensions[:, 0]

    dimensions, mass = np.arange(6.0).reshape(3, 2), np.array([0.5, 0.25, np.nan])
    scores = SearchHistory(objective).scores(dimensions, mass)
    assert scores.values.shape == (3, 3)
    np.testing.assert_array_equal(scores.loss_of(scores.values), [1.5, 5.25, np.nan])
