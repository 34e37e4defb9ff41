"""Search spaces: from a search vector z to soft prompt coordinates. Numpy only."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Space(Protocol):
    """A map from z [N, d] to soft prompts [N, P, H] in which z = 0 is the initial prompt."""

    dim: int

    def decode(self, z: NDArray[np.float64]) -> NDArray[np.float32]:
        """Soft prompts [N, P, H] of search vectors [N, d]."""
        ...


class Full:
    """Every coordinate of every virtual token: prompt = initial + step * z."""

    def __init__(self, initial: NDArray[np.float32], step: float) -> None:
        """Space around ``initial`` [P, H] in which one unit of z moves a coordinate by ``step``."""
        self.initial, self.step = initial, step
        self.dim = initial.size

    def decode(self, z: NDArray[np.float64]) -> NDArray[np.float32]:
        """Soft prompts [N, P, H] of search vectors [N, P*H]."""
        moved = self.initial + self.step * z.reshape(-1, *self.initial.shape)
        return moved.astype(np.float32)


class Projection:
    """A fixed random subspace: prompt = initial + step * (z A), A [d, P*H] with entries of variance 1/d.

    A standard normal z moves every coordinate by ``step`` on average, whatever d is (random embeddings as in Sun et al. 2022,
    Black-Box Tuning, with A drawn from a normal).
    """

    def __init__(self, initial: NDArray[np.float32], step: float, dim: int, seed: int) -> None:
        """Subspace of ``dim`` directions, drawn from ``seed``, around ``initial`` [P, H]."""
        self.initial, self.step, self.dim = initial, step, dim
        directions = np.random.default_rng(seed).standard_normal((dim, initial.size))
        self.directions = (directions / np.sqrt(dim)).astype(np.float32)

    def decode(self, z: NDArray[np.float64]) -> NDArray[np.float32]:
        """Soft prompts [N, P, H] of search vectors [N, d]."""
        moves = (z.astype(np.float32) @ self.directions).reshape(-1, *self.initial.shape)
        prompts: NDArray[np.float32] = (self.initial + np.float32(self.step) * moves).astype(np.float32)
        return prompts


def make_space(kind: str, initial: NDArray[np.float32], step: float, dim: int, seed: int) -> Space:
    """Space by name: ``full`` or ``projection``."""
    return Full(initial, step) if kind == "full" else Projection(initial, step, dim, seed)
