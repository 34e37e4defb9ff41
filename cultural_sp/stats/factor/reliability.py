"""Reliability of a scale: Cronbach's alpha from the answers, McDonald's omega from the fitted factor."""

from __future__ import annotations

import numpy as np

from cultural_sp.types import Array


def alpha(answers: Array, signs: Array) -> float:
    """Cronbach's alpha of answers [R, Q] after items with a negative sign [Q] are turned round (Cronbach 1951).

    It is negative where the items, turned as the survey says, vary against each other.
    """
    turned = answers * np.sign(signs)
    n_items = turned.shape[1]
    whole = turned.sum(axis=1).var(ddof=1)
    return (
        float(n_items / (n_items - 1) * (1 - turned.var(axis=0, ddof=1).sum() / whole)) if whole > 0 else float("nan")
    )


def omega(loadings: Array, residuals: Array, signs: Array) -> float:
    """McDonald's omega of a factor with variance 1, loadings [Q] and residual variances [Q] (McDonald 1999, eq. 6.20b).

    The items are turned round as the survey says, so loadings against their declared direction lower it.
    """
    common = float((loadings * np.sign(signs)).sum() ** 2)
    whole = common + float(residuals.sum())
    return common / whole if whole > 0 else float("nan")
