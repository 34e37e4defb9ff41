"""From answer codes to rows of the score table. Pure numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cultural_sp.runs.result import KINDS, ScoreRow, pooled, wording_kind
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.sampling_error import answer_moments, standard_errors
from cultural_sp.survey.scoring import dimension_scores
from cultural_sp.types import Array
from cultural_sp.utils.serialize import jsonable

BOTH = "both"
"""Option order of the row in which both orders are averaged."""


@dataclass(frozen=True)
class ReadAnswers:
    """The answers of one respondent in one wording or several, under one readout."""

    codes: Mapping[str, Array]
    """Order -> answers [R, Q]; NaN is missing."""
    valid_mass: Mapping[str, float] | None = None
    """Order -> mean probability on valid options; None if the readout has none."""
    probabilities: Mapping[str, Array] | None = None
    """Order -> option probabilities [Q, O]; None if they are not recorded."""


def with_pools(answers: Mapping[str, ReadAnswers]) -> dict[str, ReadAnswers]:
    """Add ``tuned_pooled``, ``selected_pooled`` and ``held_out_pooled``, each where there are such wordings.

    A pool has the mean over its wordings of each item's mean, of the valid mass and of each option's probability. An item is
    missing if it has no answer in one of them.
    """
    pools = {}
    for kind in KINDS:
        members = [read for name, read in answers.items() if wording_kind(name) == kind]
        if members:
            pools[pooled(kind)] = _pooled(members)
    return {**pools, **answers}


def _pooled(members: Sequence[ReadAnswers]) -> ReadAnswers:
    means = [{order: mean_of_present(answers)[None] for order, answers in m.codes.items()} for m in members]
    masses = [m.valid_mass for m in members if m.valid_mass is not None]
    probabilities = [m.probabilities for m in members if m.probabilities is not None]
    return ReadAnswers(_mean(means), _mean(masses) if masses else None, _mean(probabilities) if probabilities else None)


def _mean(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Order -> mean over the parts."""
    return {order: np.mean([part[order] for part in parts], axis=0) for order in parts[0]}


def score_rows(survey: Survey, condition: tuple[str, str], read: ReadAnswers) -> list[ScoreRow]:
    """One row per option order, and one for both orders together if there are two.

    Args:
        survey: the instrument.
        condition: wording and readout.
        read: the answers.
    """
    codes, valid_mass, probabilities = read.codes, read.valid_mass, read.probabilities
    orders = list(codes)
    groups = {order: [order] for order in orders} | ({BOTH: orders} if len(orders) > 1 else {})
    rows = []
    for order, members in groups.items():
        answers = np.concatenate([codes[x] for x in members])
        means = mean_of_present(answers)
        mass = None if valid_mass is None else float(np.mean([valid_mass[x] for x in members]))
        chances = None if probabilities is None else np.mean([probabilities[x] for x in members], axis=0)
        rows.append(
            ScoreRow(
                wording=condition[0],
                option_order=order,
                readout=condition[1],
                dimensions=jsonable(
                    dict(zip(survey.dimension_names, dimension_scores(survey.scoring, means), strict=True))
                ),
                item_means=jsonable(dict(zip(survey.item_ids, means, strict=True))),
                valid_mass=mass,
                missing=float(np.isnan(answers).mean()),
                option_probabilities=None if chances is None else _by_item(survey, chances),
                respondent_sd=None if chances is None else _respondent_sd(survey, chances),
            )
        )
    return rows


def _respondent_sd(survey: Survey, chances: Array) -> dict[str, float | None]:
    """Dimension -> standard deviation of one respondent's score, from option probabilities [Q, O]."""
    _means, variances = answer_moments(chances, survey.codes())
    deviations = standard_errors(survey.scoring, variances)
    named: dict[str, float | None] = jsonable(dict(zip(survey.dimension_names, deviations, strict=True)))
    return named


def mean_of_present(answers: Array) -> Array:
    """Means [Q] over the answers [R, Q] that are not NaN; NaN where all are."""
    present = ~np.isnan(answers)
    total = np.where(present, answers, 0.0).sum(axis=0)
    count = present.sum(axis=0)
    means: Array = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return means


def _by_item(survey: Survey, probabilities: Array) -> dict[str, list[float]]:
    """Option probabilities [Q, O] as item -> probabilities of the options that it has, rounded to six digits."""
    rows = zip(survey.items, probabilities, strict=True)
    return {item.id: [round(float(p), 6) for p in row[: len(item.scale.labels)]] for item, row in rows}
