"""Estimation of a measurement model with semopy, and its solution on the scale of the answers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cultural_sp.stats.factor.answers import MeasurementModel
from cultural_sp.stats.factor.indices import FitIndices, fit_indices, standardised_residual
from cultural_sp.types import Array
from cultural_sp.utils.errors import reason_of

STARTS = 2
"""Number of optimizations; each starts where the last ended. One isn't precise enough for the third digit of chi square."""
STEP = 1e-5  # of the numerical derivative of standardised loadings


@dataclass(frozen=True)
class Loading:
    """One arrow from a factor to an item."""

    dimension: str
    item: str
    estimate: float
    """Unstandardised; 1 for the first item of a dimension, which sets the scale."""
    estimate_error: float | None
    """Standard error; None for the first item of a dimension."""
    standardised: float
    """The factor's sign is chosen so that most loadings have their declared signs."""
    standardised_error: float | None
    """Standard error by the delta method; None if the information matrix has no inverse."""
    declared: int
    """Declared sign, 1 or -1."""


@dataclass(frozen=True)
class Estimation:
    """A fitted semopy model. Items are divided by their standard deviations and renamed, since its syntax forbids many names."""

    fitted: Any
    outcome: Any
    chi2: float
    df: int
    codes: list[str]
    names: list[str]
    spread: pd.Series
    """Item -> standard deviation of its answers."""


def estimate(answers: pd.DataFrame, model: MeasurementModel, of: str) -> Estimation:
    """Fit ``model`` to complete answers [R, Q]; ``of`` is their name in messages.

    Raises:
        ValueError: if the estimation fails or the model has too few items.
    """
    with _quiet():
        from semopy import Model  # slow import, needed only here
        from semopy.stats import calc_chi2, calc_dof

    codes = {item: f"x{i}" for i, item in enumerate(model.items)}
    names = {dimension: f"f{k}" for k, dimension in enumerate(model.dimensions)}
    lines = [f"{names[d]} =~ {' + '.join(codes[item] for item in signs)}" for d, signs in model.signs.items()]
    fitted, spread = Model("\n".join(lines)), answers.std(ddof=0)
    try:
        with _quiet():
            for _ in range(STARTS):
                outcome = fitted.fit((answers / spread).rename(columns=codes))
            chi2, df = float(calc_chi2(fitted)[0]), int(calc_dof(fitted))
    except (np.linalg.LinAlgError, ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{of}: the measurement model can't be fitted ({reason_of(error)})") from error
    if not np.isfinite(fitted.param_vals).all() or not np.isfinite(chi2):
        raise ValueError(f"{of}: the measurement model can't be fitted (its estimates are not finite)")
    if df < 0:
        raise ValueError(
            f"{of}: the measurement model has {-df} parameters more than there are covariances; give it more items"
        )
    return Estimation(fitted, outcome, chi2, df, list(codes.values()), list(names.values()), spread)


class Solution:
    """The estimates in the scale of the answers. Each factor's sign is chosen so that most loadings have their declared signs."""

    def __init__(self, answers: pd.DataFrame, model: MeasurementModel, estimation: Estimation) -> None:
        """Scale an estimation back and choose the signs of its factors."""
        self.model, self.estimation = model, estimation
        spread = estimation.spread
        firsts = [next(iter(signs)) for signs in model.signs.values()]
        parts = _Parts(
            estimation.fitted, estimation.codes, estimation.names, spread.to_numpy(), spread[firsts].to_numpy()
        )
        self.signs = np.array([[np.sign(s.get(item, 0.0)) for s in model.signs.values()] for item in model.items])
        """Declared signs [Q, K]; 0 where an item doesn't measure a dimension."""
        standardised, correlation = parts.standardised()
        self.turn = np.where((standardised * self.signs).sum(axis=0) < 0, -1.0, 1.0)
        self.standardised, self.correlation = standardised * self.turn, correlation * np.outer(self.turn, self.turn)
        self.standardised_errors, self.raw_errors, self.singular = parts.errors()
        self.values, self.implied = answers.to_numpy(dtype=float), parts.implied()
        self.raw, self.factors, self.residuals = parts.loadings(), parts.factors(), parts.residuals()

    def indices(self) -> FitIndices:
        """Return the fit indices; the baseline is the model of uncorrelated items."""
        n, n_items = len(self.values), len(self.model.items)
        alone = -n * np.linalg.slogdet(np.corrcoef(self.values, rowvar=False))[1]
        baseline = (float(alone), n_items * (n_items - 1) // 2)
        residual = standardised_residual(np.cov(self.values, rowvar=False, ddof=0), self.implied)
        return fit_indices(self.estimation.chi2, self.estimation.df, baseline, residual, n)

    def unit_variance_loadings(self, rows: list[int], k: int) -> Array:
        """Return the loadings of the items ``rows`` on factor ``k``, scaled to variance 1."""
        scaled: Array = self.raw[rows, k] * np.sqrt(max(self.factors[k, k], 0.0)) * self.turn[k]
        return scaled

    def loadings(self) -> list[Loading]:
        """Return one loading per dimension and item. The first of each dimension is fixed and has no standard error."""
        loadings = []
        for k, (dimension, signs) in enumerate(self.model.signs.items()):
            rows = [self.model.items.index(item) for item in signs]
            for q, item in zip(rows, signs, strict=True):
                fixed = q == rows[0] or self.singular
                loadings.append(
                    Loading(
                        dimension=dimension,
                        item=item,
                        estimate=float(self.raw[q, k]),
                        estimate_error=None if fixed else float(self.raw_errors[q, k]),
                        standardised=float(self.standardised[q, k]),
                        standardised_error=None if self.singular else float(self.standardised_errors[q, k]),
                        declared=int(self.signs[q, k]),
                    )
                )
        return loadings


class _Parts:
    """The matrices of a fitted semopy model in the scale of the answers; items and factors in our order."""

    def __init__(self, fitted: Any, items: list[str], factors: list[str], spread: Array, of_firsts: Array) -> None:
        """Take the standard deviations that items [Q] were divided by, and those of the factors' first items [K]."""
        self.fitted, self._spread, self._of_firsts = fitted, spread, of_firsts
        rows, columns = fitted.names_lambda
        self._items = [list(rows).index(item) for item in items]
        self._columns = [list(columns).index(factor) for factor in factors]
        inner = list(fitted.names_psi[0])
        self._factors = [inner.index(factor) for factor in factors]
        theta = list(fitted.names_theta[0])
        self._residuals = [theta.index(item) for item in items]

    def _matrix(self, name: str) -> Array:
        return np.asarray(getattr(self.fitted, name), dtype=float)

    def loadings(self) -> Array:
        """Return the loadings [Q, K]."""
        plain: Array = self._matrix("mx_lambda")[np.ix_(self._items, self._columns)]
        return plain * self._spread[:, None] / self._of_firsts

    def factors(self) -> Array:
        """Return the covariance matrix [K, K] of the factors."""
        return self._matrix("mx_psi")[np.ix_(self._factors, self._factors)] * np.outer(self._of_firsts, self._of_firsts)

    def residuals(self) -> Array:
        """Return the residual variances [Q]."""
        return np.diag(self._matrix("mx_theta"))[self._residuals] * np.square(self._spread)

    def implied(self) -> Array:
        """Return the covariance matrix [Q, Q] of the items under the model."""
        loadings = self.loadings()
        covariance: Array = loadings @ self.factors() @ loadings.T + np.diag(self.residuals())
        return covariance

    def standardised(self) -> tuple[Array, Array]:
        """Return the loadings [Q, K] with items and factors of variance 1, and correlations [K, K] of the factors."""
        with np.errstate(invalid="ignore", divide="ignore"):
            deviations = np.sqrt(np.diag(self.factors()))
            items = np.sqrt(np.diag(self.implied()))
            return self.loadings() * deviations / items[:, None], self.factors() / np.outer(deviations, deviations)

    def errors(self) -> tuple[Array, Array, bool]:
        """Return the standard errors [Q, K] of standardised and of plain loadings, and whether they can't be computed.

        Standardised loadings are functions of the estimates, whose covariance is the inverse information (delta method).
        """
        model = self.fitted
        estimates = np.array(model.param_vals, dtype=float)
        information = np.asarray(model.calc_fim(), dtype=float)
        shape = self.loadings().shape
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e12:
            return np.full(shape, np.nan), np.full(shape, np.nan), True
        covariance = np.linalg.inv(information)
        slopes: list[Array] = []
        for i in range(len(estimates)):
            ends = []
            for sign in (1, -1):
                moved = estimates.copy()
                moved[i] += sign * STEP
                model.update_matrices(moved)
                ends.append(np.stack([self.standardised()[0], self.loadings()]))
            slopes.append((ends[0] - ends[1]) / (2 * STEP))
        model.update_matrices(estimates)
        variance = np.einsum("iaqk,ij,jaqk->aqk", slopes, covariance, slopes)
        standardised, plain = np.sqrt(np.maximum(variance, 0.0))
        return standardised, plain, False


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence semopy's log and its solver's warnings; the result says how the estimation ended."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
