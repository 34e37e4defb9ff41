import numpy as np
import pytest

from cultural_sp.search.space import Full, Projection, make_space

INITIAL = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_full_adds_the_step_times_z():
    space = Full(INITIAL, step=0.5)
    z = np.zeros((2, 12))
    z[1, 5] = 2.0
    prompts = space.decode(z)
    assert prompts.shape == (2, 3, 4)
    assert prompts.dtype == np.float32
    np.testing.assert_array_equal(prompts[0], INITIAL)
    assert prompts[1, 1, 1] == INITIAL[1, 1] + 1.0
    assert np.count_nonzero(prompts[1] - INITIAL) == 1


@pytest.mark.parametrize("kind", ["full", "projection"])
def test_zero_is_the_initial_prompt(kind):
    space = make_space(kind, INITIAL, 0.3, 5, seed=0)
    np.testing.assert_array_equal(space.decode(np.zeros((1, space.dim)))[0], INITIAL)


@pytest.mark.parametrize("dim", [4, 64])
def test_projection_moves_coordinates_by_the_step_whatever_the_dimension(dim):
    space = Projection(np.zeros((20, 100), np.float32), step=0.25, dim=dim, seed=1)
    moves = space.decode(np.random.default_rng(0).standard_normal((50, dim)))
    assert moves.std() == pytest.approx(0.25, rel=0.1)


def test_projection_is_linear_and_repeatable_by_seed():
    z = np.random.default_rng(0).standard_normal((1, 5))
    moves = [Projection(INITIAL, 1.0, 5, seed).decode(z) - INITIAL for seed in (3, 3, 4)]
    np.testing.assert_array_equal(moves[0], moves[1])
    assert not np.allclose(moves[0], moves[2])
    twice = Projection(INITIAL, 1.0, 5, 3).decode(2 * z) - INITIAL
    np.testing.assert_allclose(twice, 2 * moves[0], rtol=1e-5)
