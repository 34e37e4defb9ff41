"""The way to the best candidate of a search."""

from __future__ import annotations

import numpy as np

from cultural_sp.types import Array


def of_best(losses: Array, values: Array) -> Array:
    """The value [n] that belongs to the lowest of ``losses`` [n] so far; the first value while there is no loss but NaN."""
    known = np.where(np.isnan(losses), np.inf, losses)
    before = np.concatenate([[np.inf], np.minimum.accumulate(known)[:-1]])
    return values[np.maximum.accumulate(np.where(known < before, np.arange(len(known)), 0))]
