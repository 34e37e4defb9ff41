"""Fit indices of a covariance structure: compare its chi square with that of uncorrelated items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2 as chi2_distribution
from scipy.stats import ncx2

from cultural_sp.types import Array


@dataclass(frozen=True)
class FitIndices:
    """How well a model reproduces the covariances."""

    chi2: float
    df: int
    p: float | None
    """None if there are no degrees of freedom."""
    cfi: float | None
    """Comparative fit index, cut off at 0 and 1 (Bentler 1990)."""
    tli: float | None
    """Tucker-Lewis index (Tucker and Lewis 1973), not cut off."""
    rmsea: float | None
    """Root mean square error of approximation (Steiger 1990)."""
    rmsea_interval: tuple[float, float] | None
    """90 %, from the noncentral chi square (Browne and Cudeck 1993)."""
    srmr: float
    """Standardised root mean square residual, means left out (Hu and Bentler 1999)."""


def fit_indices(chi2: float, df: int, baseline: tuple[float, int], srmr: float, n_respondents: int) -> FitIndices:
    """Return the indices, with N as the multiplier, as lavaan does. Without degrees of freedom most of them are None.

    Args:
        chi2: chi square of the model.
        df: its degrees of freedom.
        baseline: chi square and degrees of freedom of the model of uncorrelated items.
        srmr: standardised root mean square residual.
        n_respondents: N.
    """
    if df == 0:
        return FitIndices(chi2, df, None, None, None, None, None, srmr)
    excess, base_excess = max(chi2 - df, 0.0), max(baseline[0] - baseline[1], chi2 - df, 0.0)
    cfi = 1 - excess / base_excess if base_excess > 0 else 1.0
    base_ratio = baseline[0] / baseline[1]
    tli = (base_ratio - chi2 / df) / (base_ratio - 1) if base_ratio != 1 else None
    return FitIndices(
        chi2=chi2,
        df=df,
        p=float(chi2_distribution.sf(chi2, df)),
        cfi=cfi,
        tli=tli,
        rmsea=float(np.sqrt(excess / (df * n_respondents))),
        rmsea_interval=(_rmsea_bound(chi2, df, n_respondents, 0.95), _rmsea_bound(chi2, df, n_respondents, 0.05)),
        srmr=srmr,
    )


def standardised_residual(sample: Array, implied: Array) -> float:
    """Return SRMR between sample and implied covariances [Q, Q], over the lower triangle with its diagonal."""
    scale = np.sqrt(np.diag(sample))
    residuals = (sample - implied) / np.outer(scale, scale)
    return float(np.sqrt(np.square(residuals[np.tril_indices(len(sample))]).mean()))


def _rmsea_bound(chi2: float, df: int, n_respondents: int, tail: float) -> float:
    """Return the RMSEA at which the noncentral chi square is below ``chi2`` with probability ``tail``."""

    def distance(noncentrality: float) -> float:
        return (
            float(ncx2.cdf(chi2, df, noncentrality)) - tail
            if noncentrality > 0
            else float(chi2_distribution.cdf(chi2, df)) - tail
        )

    if distance(0.0) <= 0:
        return 0.0
    return float(np.sqrt(brentq(distance, 0.0, 10 * chi2 + 100) / (df * n_respondents)))
