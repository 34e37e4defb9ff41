"""Reliability of scores pooled over wordings: generalizability theory with one facet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class VarianceComponents:
    """Variance of one score by source. Estimates can be negative, which says that the true component is small."""

    objects: float
    """Between the objects that should differ, such as regions: the variance that is wanted."""
    wordings: float
    """Between wordings, for all objects alike. It moves levels, not the order of objects."""
    residual: float
    """Objects by wordings, with everything else: by how much a wording moves one object and not another."""


def variance_components(scores: ArrayLike) -> VarianceComponents:
    """Estimate variance components of a crossed random design with one score per cell, by analysis of variance.

    With N objects and W wordings: residual = MS_ow, objects = (MS_o - MS_ow) / W, wordings = (MS_w - MS_ow) / N (Shavelson and
    Webb 1991, Generalizability Theory: A Primer; Brennan 2001, Generalizability Theory, ch. 2).

    Contract: objects and wordings are random samples of those of interest, and every object was measured under every wording.

    Args:
        scores: scores [N, W] in one dimension, N objects (prompts, personas or regions) under W wordings.

    Raises:
        ValueError: with fewer than two objects or two wordings, or if a score is missing or not finite.
    """
    table = np.asarray(scores, dtype=float)
    if table.ndim != 2 or min(table.shape) < 2:
        raise ValueError(
            f"scores of shape {table.shape} have no variance components; give two or more objects and wordings"
        )
    if not np.isfinite(table).all():
        missing = int((~np.isfinite(table)).sum())
        raise ValueError(
            f"{missing} of {table.size} scores are missing or not finite; leave out their objects or wordings"
        )
    n_objects, n_wordings = table.shape
    of_object, of_wording = table.mean(axis=1), table.mean(axis=0)
    left = table - of_object[:, None] - of_wording + table.mean()
    residual = float(np.square(left).sum()) / ((n_objects - 1) * (n_wordings - 1))
    return VarianceComponents(
        objects=float(of_object.var(ddof=1)) - residual / n_wordings,
        wordings=float(of_wording.var(ddof=1)) - residual / n_objects,
        residual=residual,
    )


def g_coefficient(components: VarianceComponents, n_wordings: int) -> float:
    """Return the generalizability coefficient of the mean of ``n_wordings`` wordings: var_o / (var_o + var_ow / n).

    This is E rho^2 for relative decisions (Brennan 2001, ch. 2): the expected squared
    correlation of the pooled score with the mean over all wordings. It is 0 if the objects don't differ by more than the
    residual explains, NaN if nothing varies. For the wordings at hand it is Cronbach's alpha with wordings as items.

    Raises:
        ValueError: for fewer than one wording.
    """
    if n_wordings < 1:
        raise ValueError(f"n_wordings={n_wordings} is out of range; give at least 1")
    wanted, noise = max(components.objects, 0.0), components.residual / n_wordings
    return wanted / (wanted + noise) if wanted + noise > 0 else math.nan


def wordings_needed(components: VarianceComponents, coefficient: float = 0.8) -> float:
    """Return the smallest number of wordings whose mean has this generalizability coefficient, a whole number.

    Solves :func:`g_coefficient` for n: n = c / (1 - c) * var_ow / var_o. Infinite if the objects have no variance.

    Raises:
        ValueError: unless 0 < coefficient < 1.
    """
    if not 0 < coefficient < 1:
        raise ValueError(f"coefficient={coefficient} is out of range; give a number between 0 and 1")
    if components.objects <= 0:
        return math.inf
    needed = coefficient / (1 - coefficient) * components.residual / components.objects
    return max(1.0, float(math.ceil(round(needed, 9))))  # 0.8 / 0.2 is a little above 4
