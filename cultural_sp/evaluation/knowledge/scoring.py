"""Decides from answer probabilities which questions are answered right, as CulturalBench does. Pure numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cultural_sp.lm.readout import option_probabilities
from cultural_sp.types import Array

ORDERS = ("published", "averaged")
CHANCE = {"easy": 1 / 4, "hard": 1 / 16}


def choices_right(log_probs: Array, right: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Return order -> whether each question [Q] of the easy form is answered right.

    ``published`` uses the first order only, as the benchmark does. ``averaged`` uses the mean probability of each option over
    all orders, so its place has no effect. The right option must be likelier than every other one; a tie counts as wrong.

    Args:
        log_probs: [S, Q, O] in S orders; answers in the order of the set's options.
        right: [Q, O], one right option per question.
    """
    probabilities = option_probabilities(log_probs)
    right_by_order = {}
    for order, p in zip(ORDERS, (probabilities[0], probabilities.mean(axis=0)), strict=True):
        best_wrong = np.where(right, -np.inf, p).max(axis=-1)
        best_right = np.where(right, p, -np.inf).max(axis=-1)
        right_by_order[order] = best_right > best_wrong  # false where the output isn't finite
    return right_by_order


def judgements_right(log_probs: Array, right: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Return order -> whether all options of each question [Q] are judged right.

    Args:
        log_probs: log-probabilities of True and False [S, Q, O, 2] in S orders of these two words.
        right: [Q, O].
    """
    true = option_probabilities(log_probs)[..., 0]
    right_by_order = {}
    for order, p in zip(ORDERS, (true[0], true.mean(axis=0)), strict=True):
        right_by_order[order] = np.where(right, p > 0.5, p < 0.5).all(axis=-1)
    return right_by_order
