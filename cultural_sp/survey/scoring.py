"""From item means to dimension scores. Every scoring rule becomes fixed weights and constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cultural_sp.survey.factor_scores import METHODS, LoadingTable, score_weights
from cultural_sp.types import Array
from cultural_sp.utils.numbers import number

Weights = Mapping[str, Mapping[str, float]]
INDEX = "index"
DEFAULT_CONSTANT = 50.0


@dataclass(frozen=True)
class Scoring:
    """Scores are ``weights @ item means + constants``."""

    kind: str
    """index, components or factor."""
    weights: Array
    """[K, Q]."""
    constants: Array
    """[K]."""

    def with_constant(self, constant: float) -> Scoring:
        """Return the same index formulas with another C.

        Raises:
            ValueError: if the scoring isn't by index formulas.
        """
        if self.kind != INDEX:
            raise ValueError(
                f"objective.constant={constant} belongs to index formulas, but this survey is scored by {self.kind} with "
                "constants of its own; leave it null"
            )
        return replace(self, constants=np.full(len(self.constants), constant))


def dimension_scores(scoring: Scoring, item_means: Array) -> Array:
    """Dimension scores [..., K] of item means [..., Q], in the unit of the survey.

    A missing item (NaN) makes every score that uses it NaN: missing answers are never replaced by a number.

    Raises:
        ValueError: if the last axis doesn't have one mean per item.
    """
    weights, constants = scoring.weights, scoring.constants
    if item_means.shape[-1] != weights.shape[1]:
        raise ValueError(f"the scoring has {weights.shape[1]} items, got means of shape {item_means.shape}")
    used = np.where(weights != 0, item_means[..., None, :], 0.0)  # an unused item must not spread its NaN
    scores: Array = (used * weights).sum(axis=-1) + constants
    return scores


def make_scoring(spec: Mapping[str, Any], items: Sequence[str], dimensions: Weights) -> Scoring:
    """Make the scoring that a survey file declares.

    Args:
        spec: the file's ``scoring`` entry; empty for index formulas with C = 50.
        items: ids of the Q items, in order.
        dimensions: dimension -> item -> weight, of the file.

    Raises:
        ValueError: the message doesn't name the file.
    """
    kind = str(spec.get("kind", INDEX))
    if kind not in KINDS:
        raise ValueError(f"scoring kind {kind!r} is unknown; allowed: {', '.join(KINDS)}")
    make, allowed = KINDS[kind]
    unknown = sorted(set(spec) - {"kind", *allowed})
    if unknown:
        raise ValueError(f"scoring {kind} has no entry {', '.join(unknown)}; allowed: {', '.join(allowed)}")
    with np.errstate(invalid="ignore", over="ignore"):  # the check below says it better
        weights, constants = make(spec, items, dimensions)
    if not (np.isfinite(weights).all() and np.isfinite(constants).all()):
        raise ValueError("scoring: every number must be finite")
    return Scoring(kind, weights, constants)


def _index(spec: Mapping[str, Any], items: Sequence[str], dimensions: Weights) -> tuple[Array, Array]:
    """Weighted sums of item means plus a constant C (VSM 2013 manual)."""
    constant = spec.get("constant", DEFAULT_CONSTANT)
    if not isinstance(constant, Mapping):
        constant = dict.fromkeys(dimensions, constant)
    if sorted(constant) != sorted(dimensions):
        raise ValueError(f"scoring: constant needs one number, or one for each of {', '.join(dimensions)}")
    return matrix(dimensions, items), np.array([number(constant[d], f"scoring: constant of {d}") for d in dimensions])


def _components(spec: Mapping[str, Any], items: Sequence[str], dimensions: Weights) -> tuple[Array, Array]:
    """Component scores of standardised items, rescaled: slope * sum(coefficient * (mean - m) / sd) + offset."""
    means, deviations = _standards(spec, items)
    coefficients = matrix(_of_dimensions("coefficients", spec["coefficients"], dimensions, items), items)
    return _rescaled(spec, coefficients / deviations, means, dimensions)


def _factor(spec: Mapping[str, Any], items: Sequence[str], dimensions: Weights) -> tuple[Array, Array]:
    """Factor scores from a frozen loading table, rescaled."""
    means, deviations = _standards(spec, items)
    names = list(dimensions)
    declared = spec.get("correlations") or {}
    correlations = np.eye(len(names))
    for a, others in declared.items():
        for b, value in others.items():
            if a not in names or b not in names:
                raise ValueError(f"scoring: correlations of {a} and {b}, but the dimensions are {', '.join(names)}")
            i, j = names.index(a), names.index(b)
            correlations[i, j] = correlations[j, i] = number(value, f"scoring: correlation of {a} and {b}")
    loadings = matrix(_of_dimensions("loadings", spec["loadings"], dimensions, items), items).T
    residuals = 1 - np.einsum("qk,kl,ql->q", loadings, correlations, loadings)
    method = str(spec.get("method", METHODS[0]))
    return _rescaled(
        spec,
        score_weights(LoadingTable(loadings, correlations, residuals), method, items) / deviations,
        means,
        dimensions,
    )


Maker = Callable[[Mapping[str, Any], Sequence[str], Weights], tuple[Array, Array]]
RESCALING = ("items", "slope", "offset")
KINDS: dict[str, tuple[Maker, tuple[str, ...]]] = {
    INDEX: (_index, ("constant",)),
    "components": (_components, (*RESCALING, "coefficients")),
    "factor": (_factor, (*RESCALING, "loadings", "correlations", "method")),
}


def matrix(dimensions: Weights, items: Sequence[str]) -> Array:
    """Numbers [K, Q] by dimension and item, 0 where there is none."""
    return np.array([[of.get(item, 0.0) for item in items] for of in dimensions.values()], dtype=float)


def _standards(spec: Mapping[str, Any], items: Sequence[str]) -> tuple[Array, Array]:
    """Means [Q] and standard deviations [Q] of the items in the sample that the coefficients are from."""
    given = spec["items"]
    if sorted(given) != sorted(items):
        lacking, unknown = sorted(set(items) - set(given)), sorted(set(given) - set(items))
        wrong = [f"lacks {', '.join(lacking)}"] * bool(lacking) + [f"has unknown {', '.join(unknown)}"] * bool(unknown)
        raise ValueError(f"scoring: items needs mean and sd of every item; it {' and '.join(wrong)}")
    means, deviations = (
        np.array([number(given[item][key], f"scoring: {key} of {item}") for item in items]) for key in ("mean", "sd")
    )
    if not (deviations > 0).all():
        raise ValueError("scoring: the sd of every item must be above 0")
    return means, deviations


def _of_dimensions(entry: str, given: Weights, dimensions: Weights, items: Sequence[str]) -> Weights:
    """Check an entry and return it in the order of the dimensions."""
    if sorted(given) != sorted(dimensions):
        raise ValueError(
            f"scoring: {entry} needs exactly the dimensions {', '.join(dimensions)}, got {', '.join(given)}"
        )
    unknown = sorted({item for of in given.values() for item in of} - set(items))
    if unknown:
        raise ValueError(f"scoring: {entry} names undefined items: {', '.join(unknown)}")
    return {
        dimension: {
            item: number(value, f"scoring: {entry}, {dimension}, {item}") for item, value in given[dimension].items()
        }
        for dimension in dimensions
    }


def _rescaled(spec: Mapping[str, Any], raw: Array, means: Array, dimensions: Weights) -> tuple[Array, Array]:
    """Weights [K, Q] and constants [K] of ``slope * (raw @ (item means - means)) + offset``."""
    slope, offset = (
        np.array([number((spec.get(key) or {}).get(d, default), f"scoring: {key} of {d}") for d in dimensions])
        for key, default in (("slope", 1.0), ("offset", 0.0))
    )
    weights = slope[:, None] * raw
    return weights, offset - weights @ means
