"""Can this model take this survey? Opposite personas must move it, and neither order nor wording may decide its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from cultural_sp.evaluation.index_validity import index_validities
from cultural_sp.runs.validity import VERDICTS, Validity
from cultural_sp.stats.intervals import wilson
from cultural_sp.survey.instrument import Survey
from cultural_sp.types import Array

NONE, WEAK, STRONG = VERDICTS


def assess_validity(
    survey: Survey,
    plain: Mapping[str, Mapping[str, Array]],
    poles: Mapping[str, Mapping[tuple[str, str], Array]],
    valid_mass: float,
) -> Validity:
    """Validity of a model's answers to ``survey``.

    Measurable: every index can be trusted, see :func:`~cultural_sp.evaluation.index_validity.index_validities`. Weakly
    measurable: at least one can. Not measurable: none can.

    Args:
        survey: the instrument.
        plain: wording -> option order -> item means [Q] of the plain model.
        poles: wording -> (dimension, ``high`` | ``low``) -> item means [Q] under that persona.
        valid_mass: mean probability on valid options under the personas.
    """
    measures = survey.measures()
    used = measures != 0
    moves = {  # wording -> [K, Q] movement of each item towards the right side
        wording: np.stack(
            [
                (means[d, "high"] - means[d, "low"]) * np.sign(w)
                for d, w in zip(survey.dimensions, measures, strict=True)
            ]
        )
        for wording, means in poles.items()
    }
    mean_moves = np.mean(list(moves.values()), axis=0)
    right, total = int((mean_moves[used] > 0).sum()), int(used.sum())
    share = wilson(right, total)

    centred = {w: {o: _within_scale(survey, m) for o, m in orders.items()} for w, orders in plain.items()}
    by_wording = [np.mean(list(orders.values()), axis=0) for orders in centred.values()]
    by_order = [np.mean([orders[o] for orders in centred.values()], axis=0) for o in next(iter(centred.values()))]
    content = _icc([m for orders in centred.values() for m in orders.values()], survey)
    indices = index_validities(survey, {w: np.mean(list(m.values()), axis=0) for w, m in plain.items()}, poles)
    trusted = [d for d, index in indices.items() if index.trusted]
    verdict = STRONG if len(trusted) == len(indices) else WEAK if trusted else NONE
    moved = sum(index.low > 0 for index in indices.values())
    reason = (
        f"{_listed(trusted, len(indices))} can be trusted; opposite personas surely move {moved} of {len(indices)} indices the "
        f"right way, and {right} of {total} items (95 % interval {share.low:.2f} to {share.high:.2f}, chance 0.50)"
    )
    return Validity(
        verdict=verdict,
        sentence=f"{verdict}: {reason}",
        items_right=right,
        items_total=total,
        share_interval=(share.low, share.high),
        items_right_by_wording={w: int((m[used] > 0).sum()) for w, m in moves.items()},
        effects={d: index.effect for d, index in indices.items()},
        wording_agreement=_agreement(by_wording),
        order_agreement=_agreement(by_order),
        content_share=content,
        valid_mass=valid_mass,
        indices=indices,
    )


def _listed(names: Sequence[str], number: int) -> str:
    if len(names) == number:
        return "every index"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or "no index"


def _within_scale(survey: Survey, means: Array) -> Array:
    """Item means [Q] minus the mean of their scale, so that scales with different labels don't count as content."""
    names = np.array([item.scale.name for item in survey.items])
    centred = means.astype(float).copy()
    for name in set(names.tolist()):
        centred[names == name] -= means[names == name].mean()
    return centred


def _agreement(profiles: Sequence[Array]) -> float | None:
    """Mean Pearson correlation over all pairs; None with fewer than two profiles or without variance."""
    if len(profiles) < 2 or any(np.ptp(p) == 0 for p in profiles):
        return None
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in combinations(profiles, 2)]))


def _icc(profiles: Sequence[Array], survey: Survey) -> float | None:
    """ICC(1) (Shrout and Fleiss 1979) of items over the conditions in which they were asked; None if it isn't defined.

    The profiles are centred within scales, which costs one degree of freedom a scale and condition. Values below 0 mean that
    answers to the same item differ more than answers to different items.
    """
    table = np.stack(profiles, axis=1)  # [Q, conditions]
    items, conditions = table.shape
    df_between = items - len({item.scale.name for item in survey.items})
    if conditions < 2 or df_between < 1:
        return None
    between = conditions * (table.mean(axis=1) ** 2).sum() / df_between
    within = ((table - table.mean(axis=1, keepdims=True)) ** 2).sum() / (df_between * (conditions - 1))
    total = between + (conditions - 1) * within
    return float((between - within) / total) if total > 0 else None
