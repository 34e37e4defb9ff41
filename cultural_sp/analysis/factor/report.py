"""A factor analysis as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from cultural_sp.analysis.factor.analysis import Analysis
from cultural_sp.analysis.factor.confirmatory import FactorFit
from cultural_sp.analysis.factor.exploratory import Exploration
from cultural_sp.analysis.factor.invariance import NOT_TESTED, Invariance


def markdown(title: str, analyses: Sequence[Analysis], invariance: Invariance | None) -> str:
    """What was found for every group, side by side, with what makes it doubtful."""
    parts = [f"# {title}"]
    for analysis in analyses:
        head = f"## {analysis.group}: {analysis.n_respondents} respondents"
        parts.append("\n".join([head, "", *(f"- {line}" for line in remarks(analysis))]))
    there = [analysis for analysis in analyses if analysis.fit is not None]
    if there:
        parts += [_table("fit", fit_rows(there), there), _table("reliability", reliability_rows(there), there)]
        parts += [_table("standardised loading (standard error)", loading_rows(there), there)]
    if invariance is not None:
        parts.append(_same(invariance))
    return "\n\n".join(parts) + "\n"


def remarks(analysis: Analysis) -> list[str]:
    """What was left out, why there is no analysis, and what makes its numbers doubtful."""
    said = [*analysis.notes]
    if analysis.refusal is not None:
        said.append(f"not analysed: {analysis.refusal}")
    if analysis.fit is not None:
        said += analysis.fit.problems or ["the estimation converged to a proper solution (no Heywood case)"]
        against = [x.item for x in analysis.fit.loadings if x.standardised * x.declared < 0]
        if against:
            said.append(f"items that load against their declared direction: {', '.join(against)}")
    return said


def fit_rows(there: Sequence[Analysis]) -> dict[str, list[str]]:
    """Row -> a cell per analysis: whether there is anything to factor, and how the declared model fits."""
    fits = [(_fit(a), _exploration(a)) for a in there]
    return {
        "KMO": [f"{e.kmo:.3f}" for _, e in fits],
        "Bartlett chi2 (df), p": [f"{e.bartlett_chi2:.1f} ({e.bartlett_df}), {_p(e.bartlett_p)}" for _, e in fits],
        "factors by parallel analysis": [str(e.suggested_factors) for _, e in fits],
        "chi2 (df), p": [f"{f.indices.chi2:.3f} ({f.indices.df}), {_p(f.indices.p)}" for f, _ in fits],
        "CFI": [_number(f.indices.cfi) for f, _ in fits],
        "TLI": [_number(f.indices.tli) for f, _ in fits],
        "RMSEA (90 %)": [_rmsea(f) for f, _ in fits],
        "SRMR": [f"{f.indices.srmr:.3f}" for f, _ in fits],
    }


def _rmsea(fit: FactorFit) -> str:
    interval = fit.indices.rmsea_interval
    return _number(fit.indices.rmsea) + ("" if interval is None else f" ({interval[0]:.3f} to {interval[1]:.3f})")


def reliability_rows(there: Sequence[Analysis]) -> dict[str, list[str]]:
    """Row -> a cell per analysis: alpha and omega of every dimension."""
    return {
        f"{d}: alpha, omega": [f"{_number(_fit(a).alphas[d])}, {_number(_fit(a).omegas[d])}" for a in there]
        for d in _fit(there[0]).alphas
    }


def loading_rows(there: Sequence[Analysis]) -> dict[str, list[str]]:
    """Row -> a cell per analysis: every loading with its standard error."""
    rows: dict[str, list[str]] = {}
    for analysis in there:
        for x in _fit(analysis).loadings:
            error = "" if x.standardised_error is None else f" ({x.standardised_error:.3f})"
            rows.setdefault(f"{x.dimension} {'+' if x.declared > 0 else '-'} {x.item}", []).append(
                f"{x.standardised:.3f}{error}"
            )
    return rows


def _same(invariance: Invariance) -> str:
    groups = " and ".join(invariance.groups)
    repeated = ", as if the groups were independent samples, which the same respondents before and after are not"
    repeated = repeated if {"before", "after"} <= set(invariance.groups) else ""
    found = ", ".join(f"{d} {value:.3f}" for d, value in invariance.congruence.items())
    return "\n".join(
        [
            f"## The same structure for {groups}?",
            "",
            f"- configural model: chi2 {invariance.chi2:.3f} ({invariance.df}), {_p(invariance.p)}{repeated}",
            f"- Tucker's congruence of the loadings: {found}",
            f"- {NOT_TESTED}",
        ]
    )


def _table(head: str, rows: dict[str, list[str]], there: Sequence[Analysis]) -> str:
    lines = [f"| {head} | {' | '.join(a.group for a in there)} |", "|---|" + "---|" * len(there)]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def _fit(analysis: Analysis) -> FactorFit:
    assert analysis.fit is not None
    return analysis.fit


def _exploration(analysis: Analysis) -> Exploration:
    assert analysis.exploration is not None
    return analysis.exploration


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"


def _p(value: float | None) -> str:
    return "-" if value is None else "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
