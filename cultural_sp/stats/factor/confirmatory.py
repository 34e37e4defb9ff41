"""Confirmatory factor analysis with semopy: the declared dimensions as correlated factors, maximum likelihood.

semopy does the estimation; what is known to be wrong in it (information criteria) isn't used, what it lacks (SRMR, intervals,
standard errors of standardised loadings) is computed here from its estimates, and what makes it hang or succeed silently is
refused before it is called. It gets items of variance 1, since its starting values suit no others: with mean answers that differ
by hundredths it diverges. Maximum likelihood is the same on any scale; estimates are turned back. docs/factor.md has the list.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cultural_sp.stats.factor.answers import MeasurementModel, check_answers, named
from cultural_sp.stats.factor.indices import FitIndices, fit_indices, standardised_residual
from cultural_sp.stats.factor.reliability import alpha, omega
from cultural_sp.types import Array
from cultural_sp.utils.errors import reason_of

STARTS = 2
"""Where the first one ended the second begins: its tolerance is too coarse for the third digit of a chi square."""
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
    """With the factor turned so that its loadings agree with the declared signs as far as possible."""
    standardised_error: float | None
    """Standard error by the delta method; None if the information matrix has no inverse."""
    declared: int
    """Declared sign, 1 or -1."""


@dataclass(frozen=True)
class FactorFit:
    """A fitted measurement model."""

    n_respondents: int
    indices: FitIndices
    loadings: list[Loading]
    correlations: dict[str, dict[str, float]]
    """Dimension -> dimension -> correlation of the factors."""
    residuals: dict[str, float]
    """Item -> unstandardised residual variance."""
    factor_covariance: list[list[float]]
    """[K, K], factors turned as the loadings are, with the estimates' scale."""
    alphas: dict[str, float]
    omegas: dict[str, float]
    converged: bool
    problems: list[str]
    """What makes the numbers doubtful, in words; empty if nothing does."""

    @property
    def proper(self) -> bool:
        """Whether the estimation converged to a solution that could be true."""
        return self.converged and not self.problems


def confirm(answers: pd.DataFrame, model: MeasurementModel, of: str = "answers") -> FactorFit:
    """Fit ``model`` to complete answers [R, Q].

    Raises:
        ValueError: in one line, if the answers can't be analysed or the model isn't identified.
    """
    with _quiet():
        from semopy import Model  # slow import, needed only here
        from semopy.stats import calc_chi2, calc_dof

    model.check()
    answers = answers[list(model.items)]
    check_answers(answers, of)
    codes = {item: f"x{i}" for i, item in enumerate(model.items)}  # names that semopy's syntax can't misread
    names = {dimension: f"f{k}" for k, dimension in enumerate(model.dimensions)}
    lines = [f"{names[d]} =~ {' + '.join(codes[item] for item in of_d)}" for d, of_d in model.signs.items()]
    fitted, spread = Model("\n".join(lines)), answers.std(ddof=0)
    try:
        with _quiet():
            for _ in range(STARTS):
                outcome = fitted.fit((answers / spread).rename(columns=codes))
            statistic, df = float(calc_chi2(fitted)[0]), int(calc_dof(fitted))
    except (np.linalg.LinAlgError, ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{of}: the measurement model can't be fitted ({reason_of(error)})") from error
    if not np.isfinite(fitted.param_vals).all() or not np.isfinite(statistic):
        raise ValueError(f"{of}: the measurement model can't be fitted (its estimates are not finite)")
    if df < 0:
        raise ValueError(
            f"{of}: the measurement model has {-df} parameters more than there are covariances; give it more items"
        )

    firsts = [next(iter(of_d)) for of_d in model.signs.values()]
    parts = _Parts(fitted, list(codes.values()), list(names.values()), spread.to_numpy(), spread[firsts].to_numpy())
    signs = np.array([[np.sign(of_d.get(item, 0.0)) for of_d in model.signs.values()] for item in model.items])
    standardised, correlation = parts.standardised()
    turn = np.where((standardised * signs).sum(axis=0) < 0, -1.0, 1.0)
    standardised, correlation = standardised * turn, correlation * np.outer(turn, turn)
    standardised_errors, raw_errors, singular = parts.errors()
    values = answers.to_numpy(dtype=float)
    sample, implied = np.cov(values, rowvar=False, ddof=0), parts.implied()
    alone = -len(values) * np.linalg.slogdet(np.corrcoef(values, rowvar=False))[1]  # chi square without any correlation
    baseline = (float(alone), len(model.items) * (len(model.items) - 1) // 2)
    loadings, alphas, omegas = [], {}, {}
    raw, factors, residual = parts.loadings(), parts.factors(), parts.residuals()
    for k, (dimension, of_d) in enumerate(model.signs.items()):
        rows = [model.items.index(item) for item in of_d]
        alphas[dimension] = alpha(answers[list(of_d)].to_numpy(dtype=float), signs[rows, k])
        whole = raw[rows, k] * np.sqrt(max(factors[k, k], 0.0)) * turn[k]
        omegas[dimension] = omega(whole, residual[rows], signs[rows, k])
        for q, item in zip(rows, of_d, strict=True):
            first = q == rows[0]
            loadings.append(
                Loading(
                    dimension=dimension,
                    item=item,
                    estimate=float(raw[q, k]),
                    estimate_error=None if first or singular else float(raw_errors[q, k]),
                    standardised=float(standardised[q, k]),
                    standardised_error=None if singular else float(standardised_errors[q, k]),
                    declared=int(signs[q, k]),
                )
            )
    problems = [] if outcome.success else [f"the estimation did not converge ({outcome.message})"]
    if singular:
        problems.append(
            "the information matrix has no inverse, so there are no standard errors: the model is not identified"
        )
    problems += _improper(model, standardised, correlation, residual / np.diag(implied), loadings)
    return FactorFit(
        n_respondents=len(answers),
        indices=fit_indices(statistic, df, baseline, standardised_residual(sample, implied), len(answers)),
        loadings=loadings,
        correlations={
            a: {b: float(correlation[i, j]) for j, b in enumerate(model.dimensions)}
            for i, a in enumerate(model.dimensions)
        },
        residuals={item: float(residual[q]) for q, item in enumerate(model.items)},
        factor_covariance=(factors * np.outer(turn, turn)).tolist(),
        alphas=alphas,
        omegas=omegas,
        converged=bool(outcome.success),
        problems=problems,
    )


def _improper(
    model: MeasurementModel, standardised: Array, correlation: Array, residual: Array, loadings: list[Loading]
) -> list[str]:
    """Heywood cases and the like, in words; residual variances [Q] are shares of the items' variances."""
    found = []
    scale = 1e-6
    heywood = [item for q, item in enumerate(model.items) if residual[q] <= scale]
    beyond = [x.item for x in loadings if abs(x.standardised) > 1 + scale and x.item not in heywood]
    if heywood:
        found.append(f"Heywood case: no positive residual variance is left for {named(heywood)}")
    if beyond:
        found.append(f"Heywood case: a standardised loading above 1 for {named(beyond)}")
    pairs = [
        f"{a} and {b}"
        for i, a in enumerate(model.dimensions)
        for j, b in enumerate(model.dimensions)
        if i < j and not abs(correlation[i, j]) < 1 - scale
    ]
    if pairs:
        found.append(f"factors that can't be told apart (correlation of 1 or more): {named(pairs)}")
    if not np.isfinite(standardised).all():
        found.append("a factor has no positive variance, so its loadings can't be standardised")
    elif not pairs and np.linalg.eigvalsh(correlation)[0] < -scale:
        found.append("the correlations of the factors are impossible together (their matrix isn't positive)")
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """What semopy logs and what its solver warns of; how an estimation ended is in its result."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class _Parts:
    """The matrices of a fitted semopy model on the scale of the answers, items and factors in our order."""

    def __init__(self, fitted: Any, items: list[str], factors: list[str], spread: Array, of_firsts: Array) -> None:
        """With the standard deviations that the items [Q] were divided by, and those of the factors' first items [K]."""
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
        """[Q, K]."""
        plain: Array = self._matrix("mx_lambda")[np.ix_(self._items, self._columns)]
        return plain * self._spread[:, None] / self._of_firsts

    def factors(self) -> Array:
        """Covariance matrix [K, K] of the factors."""
        return self._matrix("mx_psi")[np.ix_(self._factors, self._factors)] * np.outer(self._of_firsts, self._of_firsts)

    def residuals(self) -> Array:
        """Residual variances [Q]."""
        return np.diag(self._matrix("mx_theta"))[self._residuals] * np.square(self._spread)

    def implied(self) -> Array:
        """Covariance matrix [Q, Q] of the items under the model."""
        loadings = self.loadings()
        covariance: Array = loadings @ self.factors() @ loadings.T + np.diag(self.residuals())
        return covariance

    def standardised(self) -> tuple[Array, Array]:
        """Loadings [Q, K] with items and factors of variance 1, and correlations [K, K] of the factors."""
        with np.errstate(invalid="ignore", divide="ignore"):
            deviations = np.sqrt(np.diag(self.factors()))
            items = np.sqrt(np.diag(self.implied()))
            return self.loadings() * deviations / items[:, None], self.factors() / np.outer(deviations, deviations)

    def errors(self) -> tuple[Array, Array, bool]:
        """Standard errors [Q, K] of standardised and of plain loadings, and whether there are none.

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
