"""Configural invariance: whether groups have the same factor structure. It is all that semopy can test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2

from cultural_sp.stats.factor.answers import MeasurementModel
from cultural_sp.stats.factor.confirmatory import FactorFit, confirm

NOT_TESTED = (
    "metric, scalar and strict invariance are not tested: "
    "semopy 2.3 can't hold loadings or intercepts equal across groups"
)


@dataclass(frozen=True)
class Invariance:
    """Fits of the same model in every group; no parameters are held equal."""

    groups: dict[str, FactorFit]
    chi2: float
    """Sum over the groups. Its p is valid only for independent samples."""
    df: int
    p: float | None
    """None if there are no degrees of freedom."""
    congruence: dict[str, float]
    """Dimension -> Tucker's congruence of standardised loadings, the lowest over pairs of groups (Tucker 1951)."""


def invariance(groups: Mapping[str, pd.DataFrame], model: MeasurementModel) -> Invariance:
    """Fit ``model`` to every group's complete answers.

    Args:
        groups: name -> answers [R, Q].
        model: the measurement model.

    Raises:
        ValueError: if there are fewer than two groups, or if one can't be analysed.
    """
    if len(groups) < 2:
        raise ValueError(f"invariance compares groups, got {', '.join(groups) or 'none'}; give at least two")
    fits = {name: confirm(answers, model, name) for name, answers in groups.items()}
    statistic, df = sum(f.indices.chi2 for f in fits.values()), sum(f.indices.df for f in fits.values())
    p = float(chi2.sf(statistic, df)) if df else None
    return Invariance(fits, statistic, df, p, {d: _congruence(list(fits.values()), d) for d in model.dimensions})


def _congruence(fits: list[FactorFit], dimension: str) -> float:
    profiles = [np.array([x.standardised for x in fit.loadings if x.dimension == dimension]) for fit in fits]
    if not all(profile.any() for profile in profiles):
        return float("nan")
    return min(float(a @ b / np.sqrt((a @ a) * (b @ b))) for i, a in enumerate(profiles) for b in profiles[i + 1 :])
