"""Search spaces: from a search vector z to soft prompt coordinates. Numpy only."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cultural_sp.types import SoftPrompt


class Space(Protocol):
    """A map from z [N, d] to soft prompts [N, P, H] in which z = 0 is the initial prompt."""

    dim: int
    initial: SoftPrompt
    """[P, H]"""

    def decode(self, z: NDArray[np.float64]) -> SoftPrompt:
        """Soft prompts [N, P, H] of search vectors [N, d]."""
        ...


class Full:
    """Every coordinate of every virtual token: prompt = initial + step * z."""

    def __init__(self, initial: SoftPrompt, step: float) -> None:
        """Space around ``initial`` [P, H] in which one unit of z moves a coordinate by ``step``."""
        self.initial, self.step = initial, step
        self.dim = initial.size

    def decode(self, z: NDArray[np.float64]) -> SoftPrompt:
        """Soft prompts [N, P, H] of search vectors [N, P*H]."""
        moved = self.initial + self.step * z.reshape(-1, *self.initial.shape)
        return moved.astype(np.float32)


class Subspace:
    """The space that some directions span: prompt = initial + step * (z A).

    Where the directions A [d, P*H] have a mean square of 1/d, as those of the functions below, a standard normal z moves
    coordinates by ``step`` (root mean square), whatever d is.
    """

    def __init__(self, initial: SoftPrompt, step: float, directions: NDArray[np.float32]) -> None:
        """Space of ``directions`` [d, P*H] around ``initial`` [P, H]."""
        self.initial, self.step, self.directions = initial, step, directions
        self.dim = len(directions)

    def decode(self, z: NDArray[np.float64]) -> SoftPrompt:
        """Soft prompts [N, P, H] of search vectors [N, d]; each is the same to the last digit whatever it is decoded with.

        A matrix product rounds differently for other N and other numbers of threads, and half precision can make several
        points of loss of that.
        """
        rows = [np.einsum("d,dk->k", row, self.directions) for row in z.astype(np.float32)]
        moves = np.array(rows, dtype=np.float32).reshape(-1, *self.initial.shape)
        prompts: SoftPrompt = (self.initial + np.float32(self.step) * moves).astype(np.float32)
        return prompts


def random_directions(dim: int, size: int, seed: int) -> NDArray[np.float32]:
    """Directions [d, size] with normal entries of variance 1/d (random embeddings as in Sun et al. 2022, Black-Box Tuning)."""
    directions = np.random.default_rng(seed).standard_normal((dim, size))
    scaled: NDArray[np.float32] = (directions / np.sqrt(dim)).astype(np.float32)
    return scaled


def basis_directions(basis: SoftPrompt) -> NDArray[np.float32]:
    """Directions [d, P*H] from the mean of basis prompts [d, P, H] to each of them.

    All get the same length, so that equal weights mean equal moves; with d of them their mean square is 1/d each.

    Raises:
        ValueError: if there are fewer than two basis prompts, or if one of them is the mean of all.
    """
    rows = basis.reshape(len(basis), -1).astype(np.float64)
    away = rows - rows.mean(axis=0)
    lengths = np.sqrt(np.square(away).mean(axis=1, keepdims=True))
    if len(basis) < 2 or not (lengths > 1e-6 * np.sqrt(np.square(rows).mean())).all():
        raise ValueError("basis prompts must be at least two and differ from their mean")
    directions: NDArray[np.float32] = (away / lengths / np.sqrt(len(basis))).astype(np.float32)
    return directions
