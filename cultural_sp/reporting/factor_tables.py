"""Formats a factor analysis as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from cultural_sp.reporting.text_tables import markdown_table
from cultural_sp.stats.factor.analysis import Analysis
from cultural_sp.stats.factor.confirmatory import FactorFit
from cultural_sp.stats.factor.exploratory import Exploration
from cultural_sp.stats.factor.indices import FitIndices
from cultural_sp.stats.factor.invariance import NOT_TESTED, Invariance


def markdown(title: str, analyses: Sequence[Analysis], invariance: Invariance | None) -> str:
    """Return the results of all groups side by side, with remarks on doubtful ones."""
    parts = [f"# {title}"]
    for analysis in analyses:
        head = f"## {analysis.group}: {analysis.n_respondents} respondents"
        parts.append("\n".join([head, "", *(f"- {line}" for line in remarks(analysis))]))
    for title, groups, rows in tables(analyses):
        parts.append(markdown_table([title, *groups], [[name, *cells] for name, cells in rows.items()]))
    if invariance is not None:
        parts.append(_same(invariance))
    return "\n\n".join(parts) + "\n"


def remarks(analysis: Analysis) -> list[str]:
    """Return the remarks on an analysis: what was left out, why it is missing, what makes its numbers doubtful."""
    said = [*analysis.notes]
    if analysis.refusal is not None:
        said.append(f"not {'analysed' if analysis.exploration is None else 'fitted'}: {analysis.refusal}")
    if analysis.fit is not None:
        said += analysis.fit.problems or ["the estimation converged to a proper solution (no Heywood case)"]
        against = [x.item for x in analysis.fit.loadings if x.standardised * x.declared < 0]
        if against:
            said.append(f"items that load against their declared direction: {', '.join(against)}")
    return said


def tables(analyses: Sequence[Analysis]) -> list[tuple[str, list[str], dict[str, list[str]]]]:
    """Return title, groups and rows of every table. A table has a cell per group for which its numbers exist."""
    explored = [a for a in analyses if a.exploration is not None]
    fitted = [a for a in analyses if a.fit is not None]
    made = (
        ("fit", explored, _fit_rows),
        ("reliability", fitted, _reliability_rows),
        ("standardised loading (standard error)", fitted, _loading_rows),
    )
    return [(title, [a.group for a in there], rows(there)) for title, there, rows in made if there]


def _fit_rows(explored: Sequence[Analysis]) -> dict[str, list[str]]:
    """Return measures of factorability and of the fit of the declared model; a dash if it couldn't be fitted."""
    columns = [{**_about(a.exploration), **_indices(a.fit)} for a in explored if a.exploration is not None]
    return {row: [column[row] for column in columns] for row in columns[0]}


def _about(exploration: Exploration) -> dict[str, str]:
    return {
        "KMO": f"{exploration.kmo:.3f}",
        "Bartlett chi2 (df), p": f"{exploration.bartlett_chi2:.1f} ({exploration.bartlett_df}), {_p(exploration.bartlett_p)}",
        "factors by parallel analysis": str(exploration.suggested_factors),
    }


def _indices(fit: FactorFit | None) -> dict[str, str]:
    if fit is None:
        return dict.fromkeys(("chi2 (df), p", "CFI", "TLI", "RMSEA (90 %)", "SRMR"), "-")
    indices = fit.indices
    return {
        "chi2 (df), p": f"{indices.chi2:.3f} ({indices.df}), {_p(indices.p)}",
        "CFI": _number(indices.cfi),
        "TLI": _number(indices.tli),
        "RMSEA (90 %)": _rmsea(indices),
        "SRMR": f"{indices.srmr:.3f}",
    }


def _rmsea(indices: FitIndices) -> str:
    interval = indices.rmsea_interval
    return _number(indices.rmsea) + ("" if interval is None else f" ({interval[0]:.3f} to {interval[1]:.3f})")


def _reliability_rows(there: Sequence[Analysis]) -> dict[str, list[str]]:
    """Return alpha and omega of every dimension: row -> a cell per analysis."""
    return {
        f"{d}: alpha, omega": [f"{_number(_fit(a).alphas[d])}, {_number(_fit(a).omegas[d])}" for a in there]
        for d in _fit(there[0]).alphas
    }


def _loading_rows(there: Sequence[Analysis]) -> dict[str, list[str]]:
    """Return every loading with its standard error: row -> a cell per analysis."""
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
    congruence = ", ".join(f"{d} {value:.3f}" for d, value in invariance.congruence.items())
    return "\n".join(
        [
            f"## The same structure for {groups}?",
            "",
            f"- configural model: chi2 {invariance.chi2:.3f} ({invariance.df}), {_p(invariance.p)}{repeated}",
            f"- Tucker's congruence of the loadings: {congruence}",
            f"- {NOT_TESTED}",
        ]
    )


def _fit(analysis: Analysis) -> FactorFit:
    assert analysis.fit is not None
    return analysis.fit


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"


def _p(value: float | None) -> str:
    return "-" if value is None else "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
