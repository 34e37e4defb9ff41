import numpy as np
import pytest

from cultural_sp.search.space import Full, Subspace, basis_directions, random_directions

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


def projection(initial, step, dim, seed):
    return Subspace(initial, step, random_directions(dim, initial.size, seed))


def basis(count, seed=0, shape=(3, 4)):
    """Prompts of different lengths around a common mean, as embedded texts are."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((count, *shape)) * rng.uniform(0.1, 3, (count, 1, 1)) + 5).astype(np.float32)


@pytest.mark.parametrize(
    "space",
    [Full(INITIAL, 0.3), projection(INITIAL, 0.3, 5, 0), Subspace(INITIAL, 0.3, basis_directions(basis(5)))],
    ids=["full", "projection", "basis"],
)
def test_zero_is_the_initial_prompt(space):
    np.testing.assert_array_equal(space.decode(np.zeros((1, space.dim)))[0], INITIAL)


@pytest.mark.parametrize("dim", [4, 64])
@pytest.mark.parametrize(
    "make", [random_directions, lambda dim, size, seed: basis_directions(basis(dim, seed, (size,)))]
)
def test_a_standard_normal_moves_coordinates_by_the_step_whatever_the_dimension(dim, make):
    space = Subspace(np.zeros((20, 100), np.float32), 0.25, make(dim, 2000, 1))
    assert space.dim == dim
    moves = space.decode(np.random.default_rng(0).standard_normal((200, dim)))
    assert np.sqrt(np.square(moves).mean()) == pytest.approx(0.25, rel=0.1)


def test_projection_is_linear_and_repeatable_by_seed():
    z = np.random.default_rng(0).standard_normal((1, 5))
    moves = [projection(INITIAL, 1.0, 5, seed).decode(z) - INITIAL for seed in (3, 3, 4)]
    np.testing.assert_array_equal(moves[0], moves[1])
    assert not np.allclose(moves[0], moves[2])
    twice = projection(INITIAL, 1.0, 5, 3).decode(2 * z) - INITIAL
    np.testing.assert_allclose(twice, 2 * moves[0], rtol=1e-5)


def test_directions_lead_from_the_mean_to_each_basis_prompt_and_are_equally_long():
    prompts = np.array([[[4.0, 0.0]], [[0.0, 2.0]], [[-4.0, -2.0]]], dtype=np.float32)  # their mean is 0
    directions = basis_directions(prompts)
    lengths = np.sqrt([8, 2, 10])  # root mean squares
    np.testing.assert_allclose(directions, prompts[:, 0] / lengths[:, None] / np.sqrt(3), rtol=1e-6)
    np.testing.assert_allclose(np.square(directions).mean(axis=1), 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(basis_directions(prompts + 7), directions, rtol=1e-5)


@pytest.mark.parametrize("prompts", [basis(1), np.repeat(basis(1), 3, axis=0), np.array([[[1.0]], [[3.0]], [[2.0]]])])
def test_a_basis_prompt_that_is_the_mean_has_no_direction(prompts):
    with pytest.raises(ValueError, match="at least two and differ from their mean"):
        basis_directions(prompts.astype(np.float32))


def test_a_candidate_is_the_same_to_the_last_digit_whatever_it_is_decoded_with():
    initial = np.random.default_rng(1).standard_normal((10, 576)).astype(np.float32)
    space = Subspace(initial, 16.0, random_directions(36, initial.size, 0))
    z = np.random.default_rng(0).standard_normal((20, 36))
    together = space.decode(z)
    for cut in (1, 4, 7):
        apart = np.concatenate([space.decode(z[i : i + cut]) for i in range(0, 20, cut)])
        np.testing.assert_array_equal(apart, together)
    assert space.decode(z[:0]).shape == (0, 10, 576)
