"""Confirmatory factor analysis with semopy: the declared dimensions as correlated factors, maximum likelihood.

semopy estimates the model. Its information criteria are known to be wrong and aren't used. It lacks SRMR, intervals and standard
errors of standardised loadings; these are computed here from its estimates. Input on which it hangs or wrongly succeeds is
refused before. It gets items of variance 1, since its starting values suit no others: it diverges on mean answers that differ by
hundredths. Maximum likelihood is the same on any scale, and estimates are scaled back. docs/factor.md has the list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cultural_sp.stats.factor.answers import MeasurementModel, check_answers, name_list
from cultural_sp.stats.factor.indices import FitIndices
from cultural_sp.stats.factor.reliability import alpha, omega
from cultural_sp.stats.factor.solution import Loading, Solution, estimate
from cultural_sp.types import Array


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
    """[K, K] in the scale of the estimates; signs of the factors as in ``loadings``."""
    alphas: dict[str, float]
    omegas: dict[str, float]
    converged: bool
    problems: list[str]
    """Reasons to doubt the numbers, in words; empty if there are none."""

    @property
    def proper(self) -> bool:
        """Whether the estimation converged to an admissible solution."""
        return self.converged and not self.problems


def confirm(answers: pd.DataFrame, model: MeasurementModel, of: str = "answers") -> FactorFit:
    """Fit ``model`` to complete answers [R, Q] by maximum likelihood.

    Raises:
        ValueError: if the answers can't be analysed or the model isn't identified.
    """
    model.check()
    answers = answers[list(model.items)]
    check_answers(answers, of)
    solution = Solution(answers, model, estimate(answers, model, of))
    loadings, alphas, omegas = solution.loadings(), {}, {}
    for k, (dimension, signs) in enumerate(model.signs.items()):
        rows = [model.items.index(item) for item in signs]
        declared = solution.signs[rows, k]
        alphas[dimension] = alpha(answers[list(signs)].to_numpy(dtype=float), declared)
        omegas[dimension] = omega(solution.unit_variance_loadings(rows, k), solution.residuals[rows], declared)
    outcome = solution.estimation.outcome
    problems = [] if outcome.success else [f"the estimation did not converge ({outcome.message})"]
    if solution.singular:
        problems.append(
            "the information matrix has no inverse, so there are no standard errors: the model is not identified"
        )
    shares = solution.residuals / np.diag(solution.implied)
    problems += _improper(model, solution.standardised, solution.correlation, shares, loadings)
    return FactorFit(
        n_respondents=len(answers),
        indices=solution.indices(),
        loadings=loadings,
        correlations={
            a: {b: float(solution.correlation[i, j]) for j, b in enumerate(model.dimensions)}
            for i, a in enumerate(model.dimensions)
        },
        residuals={item: float(solution.residuals[q]) for q, item in enumerate(model.items)},
        factor_covariance=(solution.factors * np.outer(solution.turn, solution.turn)).tolist(),
        alphas=alphas,
        omegas=omegas,
        converged=bool(outcome.success),
        problems=problems,
    )


def _improper(
    model: MeasurementModel, standardised: Array, correlation: Array, residual: Array, loadings: list[Loading]
) -> list[str]:
    """Return what is inadmissible about a solution, in words; ``residual`` [Q] are shares of the items' variances."""
    problems = []
    scale = 1e-6
    heywood = [item for q, item in enumerate(model.items) if residual[q] <= scale]
    beyond = [x.item for x in loadings if abs(x.standardised) > 1 + scale and x.item not in heywood]
    if heywood:
        problems.append(f"Heywood case: no positive residual variance is left for {name_list(heywood)}")
    if beyond:
        problems.append(f"Heywood case: a standardised loading above 1 for {name_list(beyond)}")
    pairs = [
        f"{a} and {b}"
        for i, a in enumerate(model.dimensions)
        for j, b in enumerate(model.dimensions)
        if i < j and not abs(correlation[i, j]) < 1 - scale
    ]
    if pairs:
        problems.append(f"factors that can't be told apart (correlation of 1 or more): {name_list(pairs)}")
    if not np.isfinite(standardised).all():
        problems.append("a factor has no positive variance, so its loadings can't be standardised")
    elif not pairs and np.linalg.eigvalsh(correlation)[0] < -scale:
        problems.append("the correlations of the factors are impossible together (their matrix isn't positive)")
    return problems
