"""Whether there is anything to factor, and how many factors: KMO, Bartlett's test and parallel analysis.

The package factor_analyzer has the first two, but it is under the GPL, and half of it fails with current scikit-learn. Each is a
few lines of linear algebra.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2

from cultural_sp.stats.factor.answers import check_answers
from cultural_sp.types import Array


@dataclass(frozen=True)
class Exploration:
    """Measures of the answers before a model is fitted."""

    kmo: float
    """Kaiser-Meyer-Olkin measure of sampling adequacy; below 0.5 is unacceptable (Kaiser 1974)."""
    kmo_of_items: dict[str, float]
    bartlett_chi2: float
    """Chi square of Bartlett's test; its null hypothesis is that no items correlate."""
    bartlett_df: int
    bartlett_p: float
    eigenvalues: list[float]
    """Eigenvalues of the correlation matrix, the largest first."""
    chance_eigenvalues: list[float]
    """95th percentiles of the eigenvalues of as many independent normal answers."""
    suggested_factors: int
    """Number of eigenvalues above chance before the first one below (Horn 1965; Glorfeld 1995)."""


def explore(answers: pd.DataFrame, seed: int = 0, of: str = "answers") -> Exploration:
    """Return KMO, Bartlett's test and the parallel analysis of complete answers [R, Q].

    Raises:
        ValueError: if the answers can't be analysed.
    """
    check_answers(answers, of)
    values = answers.to_numpy(dtype=float)
    correlation = np.corrcoef(values, rowvar=False)
    overall, by_item = kmo(correlation)
    statistic, df, p = bartlett(correlation, len(values))
    own, chance, suggested = parallel_analysis(values, np.random.default_rng(seed))
    return Exploration(
        kmo=overall,
        kmo_of_items=dict(zip(map(str, answers.columns), by_item.tolist(), strict=True)),
        bartlett_chi2=statistic,
        bartlett_df=df,
        bartlett_p=p,
        eigenvalues=own.tolist(),
        chance_eigenvalues=chance.tolist(),
        suggested_factors=suggested,
    )


def kmo(correlation: Array) -> tuple[float, Array]:
    """Return the Kaiser-Meyer-Olkin measure of a correlation matrix [Q, Q], overall and by item [Q] (Kaiser and Rice 1974).

    It is the sum of squared correlations, divided by that sum plus the sum of squared partial correlations.
    """
    inverse = np.linalg.inv(correlation)
    scale = np.sqrt(np.diag(inverse))
    partial = -inverse / np.outer(scale, scale)
    off = ~np.eye(len(correlation), dtype=bool)
    plain, given = np.square(correlation * off), np.square(partial * off)
    by_item = plain.sum(axis=0) / (plain + given).sum(axis=0)
    return float(plain.sum() / (plain + given).sum()), by_item


def bartlett(correlation: Array, n_respondents: int) -> tuple[float, int, float]:
    """Return Bartlett's test of sphericity: chi square, degrees of freedom and p (Bartlett 1951)."""
    n_items = len(correlation)
    statistic = -(n_respondents - 1 - (2 * n_items + 5) / 6) * np.linalg.slogdet(correlation)[1]
    df = n_items * (n_items - 1) // 2
    return float(statistic), df, float(chi2.sf(statistic, df))


def parallel_analysis(values: Array, rng: np.random.Generator, n_draws: int = 200) -> tuple[Array, Array, int]:
    """Return eigenvalues [Q] for answers [R, Q], eigenvalues [Q] expected by chance, and the suggested number of factors."""
    own: Array = np.linalg.eigvalsh(np.corrcoef(values, rowvar=False))[::-1].astype(np.float64)
    drawn = [
        np.linalg.eigvalsh(np.corrcoef(rng.standard_normal(values.shape), rowvar=False))[::-1] for _ in range(n_draws)
    ]
    chance: Array = np.percentile(drawn, 95, axis=0).astype(np.float64)
    below = np.flatnonzero(own <= chance)
    return own, chance, int(below[0]) if len(below) else len(own)
