"""Readouts: from option log-probabilities to answers. Pure numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cultural_sp.config.registries import READOUTS
from cultural_sp.types import Array

Readout = Callable[[Array, Array], Array]


def option_probabilities(log_probs: Array) -> Array:
    """Probabilities [..., Q, O] over the options alone; ``-inf`` marks options that an item doesn't have."""
    shifted = log_probs - log_probs.max(axis=-1, keepdims=True)
    weights = np.exp(shifted)
    probabilities: Array = weights / weights.sum(axis=-1, keepdims=True)
    return probabilities


def expected(log_probs: Array, codes: Array) -> Array:
    """Probability-weighted mean code [..., Q] of log-probabilities [..., Q, O] with codes [Q, O]."""
    means: Array = (option_probabilities(log_probs) * np.nan_to_num(codes)).sum(axis=-1)
    return means


def argmax(log_probs: Array, codes: Array) -> Array:
    """Code [..., Q] of the likeliest option, the lower code on a tie."""
    best = log_probs.argmax(axis=-1)
    return np.take_along_axis(np.broadcast_to(codes, log_probs.shape), best[..., None], axis=-1)[..., 0]


def sampler(n_respondents: int, seed: int) -> Readout:
    """Readout that draws ``n_respondents`` answers per item and averages them [..., Q].

    The draws use one fixed table of uniforms [R, Q] from ``seed``, the same for every candidate (common random numbers), so
    equal probabilities give equal answers and a search on this readout is repeatable.
    """

    def sample(log_probs: Array, codes: Array) -> Array:
        uniforms = np.random.default_rng(seed).random((n_respondents, codes.shape[0]))
        cumulative = option_probabilities(log_probs).cumsum(axis=-1)  # [..., Q, O]
        drawn = (uniforms[:, :, None] >= cumulative[..., None, :, :]).sum(axis=-1)  # [..., R, Q]
        last = (~np.isnan(codes)).sum(axis=-1) - 1  # guards against a cumulative sum just below 1
        drawn = np.minimum(drawn, last)
        answers = np.take_along_axis(np.broadcast_to(codes, (*drawn.shape, codes.shape[1])), drawn[..., None], axis=-1)
        means: Array = answers[..., 0].mean(axis=-2)
        return means

    return sample


def expected_readout(n_respondents: int, seed: int) -> Readout:
    """Return :func:`expected`, which needs neither respondents nor a seed."""
    return expected


def argmax_readout(n_respondents: int, seed: int) -> Readout:
    """Return :func:`argmax`, which needs neither respondents nor a seed."""
    return argmax


def make_readout(kind: str, n_respondents: int, seed: int) -> Readout:
    """Return the readout of this name in :data:`~cultural_sp.config.registries.READOUTS`."""
    readout: Readout = READOUTS[kind].make(n_respondents, seed)
    return readout
