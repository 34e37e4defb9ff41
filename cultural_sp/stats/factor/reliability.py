"""Reliability of a scale: Cronbach's alpha from answers, McDonald's omega from a fitted factor."""

from __future__ import annotations

import numpy as np

from cultural_sp.types import Array


def alpha(answers: Array, signs: Array) -> float:
    """Return Cronbach's alpha of answers [R, Q]; items with a negative sign [Q] are reversed first (Cronbach 1951).

    It is negative if the reversed items still correlate negatively.
    """
    turned = answers * np.sign(signs)
    n_items = turned.shape[1]
    whole = turned.sum(axis=1).var(ddof=1)
    return (
        float(n_items / (n_items - 1) * (1 - turned.var(axis=0, ddof=1).sum() / whole)) if whole > 0 else float("nan")
    )


def omega(loadings: Array, residuals: Array, signs: Array) -> float:
    """Return McDonald's omega of a factor with variance 1, loadings [Q] and residual variances [Q] (McDonald 1999, eq. 6.20b).

    Items with a negative sign [Q] are reversed first, so a loading against its declared sign lowers omega.
    """
    common = float((loadings * np.sign(signs)).sum() ** 2)
    whole = common + float(residuals.sum())
    return common / whole if whole > 0 else float("nan")
