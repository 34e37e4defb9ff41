"""Search spaces: maps from search vectors z to soft prompts. Numpy only."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cultural_sp.types import Candidates, SoftPrompt, SoftPrompts


class Space(Protocol):
    """A map from search vectors z [N, d] to soft prompts [N, P, H]; z = 0 gives the initial prompt."""

    dim: int
    """Number of search coordinates d."""
    initial: SoftPrompt
    """[P, H]"""

    def decode(self, z: Candidates) -> SoftPrompts:
        """Return the soft prompts [N, P, H] of search vectors [N, d]."""
        ...


class Full:
    """All coordinates of all virtual tokens: prompt = initial + step * z."""

    def __init__(self, initial: SoftPrompt, step: float) -> None:
        """Space around ``initial`` [P, H]; one unit of z moves a coordinate by ``step``."""
        self.initial, self.step = initial, step
        self.dim = initial.size

    def decode(self, z: Candidates) -> SoftPrompts:
        """Return the soft prompts [N, P, H] of search vectors [N, P*H]."""
        prompts = self.initial + self.step * z.reshape(-1, *self.initial.shape)
        return prompts.astype(np.float32)


class Subspace:
    """The span of d directions A [d, P*H]: prompt = initial + step * (z A).

    If the mean square of A is 1/d, a standard normal z moves the coordinates by ``step`` (root mean square) for every d.
    :func:`random_directions` and :func:`basis_directions` return such directions.
    """

    def __init__(self, initial: SoftPrompt, step: float, directions: NDArray[np.float32]) -> None:
        """Space of ``directions`` [d, P*H] around ``initial`` [P, H]."""
        self.initial, self.step, self.directions = initial, step, directions
        self.dim = len(directions)

    def decode(self, z: Candidates) -> SoftPrompts:
        """Return the soft prompts [N, P, H] of search vectors [N, d]. Each row depends on its own z alone, to the last digit.

        A matrix product would round differently for other N and other numbers of threads. In half precision such a difference
        can change the loss by several points.
        """
        rows = [np.einsum("d,dk->k", row, self.directions) for row in z.astype(np.float32)]
        moves = np.array(rows, dtype=np.float32).reshape(-1, *self.initial.shape)
        prompts: SoftPrompts = (self.initial + np.float32(self.step) * moves).astype(np.float32)
        return prompts


def random_directions(dim: int, size: int, seed: int) -> NDArray[np.float32]:
    """Return directions [d, size] with normal entries of variance 1/d (Black-Box Tuning, Sun et al. 2022, arXiv 2201.03514)."""
    directions = np.random.default_rng(seed).standard_normal((dim, size))
    scaled: NDArray[np.float32] = (directions / np.sqrt(dim)).astype(np.float32)
    return scaled


def basis_directions(basis: SoftPrompts) -> NDArray[np.float32]:
    """Return directions [d, P*H] from the mean of basis prompts [d, P, H] to each of them.

    All directions have the same length, with a mean square of 1/d, so equal weights mean equal moves.

    Raises:
        ValueError: if there are fewer than two basis prompts, or if one of them is the mean of all.
    """
    rows = basis.reshape(len(basis), -1).astype(np.float64)
    centred = rows - rows.mean(axis=0)
    lengths = np.sqrt(np.square(centred).mean(axis=1, keepdims=True))
    if len(basis) < 2 or not (lengths > 1e-6 * np.sqrt(np.square(rows).mean())).all():
        raise ValueError("basis prompts must be at least two and differ from their mean")
    directions: NDArray[np.float32] = (centred / lengths / np.sqrt(len(basis))).astype(np.float32)
    return directions
