"""What the losses of a run are limited by: the midpoint, samples of respondents, and answers in whole numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cultural_sp.reporting.text_tables import text_table
from cultural_sp.runs.methods import icl_keys
from cultural_sp.runs.result import Result, ScoreRecord, pooled
from cultural_sp.survey.floors import skill
from cultural_sp.survey.sampling_error import sampled_loss, sampling_floor
from cultural_sp.types import Array
from cultural_sp.utils.serialize import as_array

SAMPLES = (20, 50, 200, 1000)
"""Numbers of respondents whose sampling error is shown; the manual of VSM 2013 asks for at least 20."""


def limits_table(result: Result, searched: str, names: Mapping[str, str]) -> str:
    """Return the skill of every method, and the loss that samples of respondents with its answers are expected to have.

    Skill is 100 * (1 - loss / loss of the midpoint respondent): 100 is the target, 0 no better than answering nothing. The last
    row has the loss of a perfect population: samples around the target itself, drawn as the aligned model's answers vary.

    Args:
        result: of a run or an evaluation.
        searched: the readout of the search.
        names: method -> label.
    """
    shown = [m for m in result.methods if m != "midpoint" and (m not in icl_keys() or m == result.icl(searched))]
    kinds = [kind for kind in ("tuned", "held_out") if result.wordings(kind)]
    target = as_array(result.region.target.values())
    rows = []
    for method in shown:
        record = result.score(method)
        skills = [_skill(result, method, kind, searched if kind == "tuned" else "expected") for kind in kinds]
        scores, errors = as_array(record.dimensions[d] for d in result.region.target), _errors(result, record)
        samples = [sampled_loss(scores, errors / np.sqrt(n), target) for n in SAMPLES]
        rows.append([names[method], *skills, *(_loss(result, x) for x in samples)])
    perfect = _errors(result, result.score("aligned"))
    floors = [_loss(result, sampling_floor(perfect / np.sqrt(n), target)) for n in SAMPLES]
    rows.append(["perfect population", *("" for _ in kinds), *floors])
    heads = [f"skill, {kind.replace('_', ' ')}" for kind in kinds] + [f"{n:,} respondents" for n in SAMPLES]
    about = (
        f"in whole numbers, the best that one option per item can do is {_loss(result, result.floors['whole_numbers'])}; "
        f"right means that are rounded come to {_loss(result, result.floors['rounding'])}"
    )
    return f"{text_table(['limits', *heads], rows)}\n{about}"


def limits_sentence(result: Result, searched: str) -> str:
    """Return the skill of the evolved prompt and the floors of losses in a sentence; arguments as :func:`limits_table`.

    A run may lack what a part is made from; that part then is a dash.
    """
    kinds = [kind for kind in ("tuned", "held_out") if result.wordings(kind)]
    skills = [
        f"{_skill(result, 'aligned', kind, searched if kind == 'tuned' else 'expected')} on {kind.replace('_', '-')} wordings"
        for kind in kinds
    ]
    target = as_array(result.region.target.values())
    perfect = _errors(result, result.score("aligned"))
    floors = [f"{_loss(result, sampling_floor(perfect / np.sqrt(n), target))} with {n:,}" for n in SAMPLES]
    return (
        f"Skill of the evolved prompt (100: the target, 0: the midpoint respondent): {', '.join(skills)}. A sample of a perfect "
        f"population has a loss of {', '.join(floors)} respondents; the best that one option per item can do is "
        f"{_loss(result, result.floors['whole_numbers'])}."
    )


def _skill(result: Result, method: str, kind: str, readout: str) -> str:
    loss, midpoint = (result.score(m, pooled(kind), readout).loss for m in (method, "midpoint"))
    value = np.nan if loss is None or midpoint is None else skill(loss, midpoint)
    return "-" if np.isnan(value) else f"{value:.0f}"


def _errors(result: Result, record: ScoreRecord) -> Array:
    """Standard deviation [K] of one respondent's scores; NaN where it is unknown."""
    return as_array((record.respondent_sd or {}).get(dimension) for dimension in result.region.target)


def _loss(result: Result, value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.{result.digits + 1}f}"
