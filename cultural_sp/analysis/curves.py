"""The course of a search as its journal has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd


def best_so_far(records: Sequence[Mapping[str, Any]], search: str, target: Mapping[str, float | None]) -> pd.Series:
    """Loss of the best candidate so far after 1, 2, ... evaluations, on the first tuned wording, in index points.

    Args:
        records: of a journal.
        search: ``random_search`` or ``aligned``.
        target: dimension -> score; dimensions without one are left out.
    """
    wanted = pd.Series(target, dtype=float)
    scores = pd.DataFrame([r["dimensions"] for r in records if r["search"] == search], dtype=float)
    losses = (scores[wanted.index] - wanted).abs().mean(axis=1, skipna=True).fillna(np.inf)
    return pd.Series(np.minimum.accumulate(losses), index=range(1, len(losses) + 1))
