"""The validity check: the plain model and opposite personas take the survey, and the answers are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tabulate import tabulate

from cultural_sp.config.studies import AUTO, ValidityConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.validity import assess_validity
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.lm.readout import expected
from cultural_sp.runs.inputs import regions_from_config, survey_from_config
from cultural_sp.runs.result import single_wordings
from cultural_sp.runs.validity import Validity
from cultural_sp.survey.instrument import Survey, decimals
from cultural_sp.types import Array
from cultural_sp.utils.progress import progress
from cultural_sp.utils.terminal import show

RENDERINGS: dict[str, dict[str, Any]] = {
    "words": {"scoring": "label", "calibrate": False},
    "words, calibrated": {"scoring": "label", "calibrate": True},
    "numbered list": {"scoring": "number", "layout": "question_first", "option_order": "both"},
    "list in words": {"scoring": "list", "layout": "question_first", "option_order": "both", "calibrate": False},
}
"""Name of a rendering -> its settings of the group ``survey``."""
COLUMNS = ("effect", "95 % interval", "range", "reliability", "wordings for 0.8", "entanglement", "trusted")


def run_validity_check(config: ValidityConfig, cache: ModelCache | None = None) -> Validity:
    """Check one model on one survey and print the statistics; nothing is written.

    Raises:
        ValueError: for bad input.
    """
    cache = ModelCache() if cache is None else cache
    survey = survey_from_config(config)
    regions_from_config(config, survey)  # only to refuse bad ones
    lm = cache.model(config.model, load_model)
    if config.rendering == AUTO:
        config = most_valid_rendering(config, SurveyEvaluator(lm, survey, config, cache))
    validity = check_validity(SurveyEvaluator(lm, survey, config, cache))
    show(validity_report(validity, survey))
    return validity


def most_valid_rendering(config: ValidityConfig, evaluator: SurveyEvaluator) -> ValidityConfig:
    """Return the config with the most valid of :data:`RENDERINGS`, judged on the wordings to select on, and print the table.

    The most valid one has most trusted indices, and among those the highest merit: the mean over indices of reliability times
    steerable range, which is cut to 0 and 1.

    Raises:
        ValueError: if the survey has fewer than two wordings to select on.
    """
    names = single_wordings(evaluator.wordings, "selected")
    if len(names) < 2:
        raise ValueError(
            f"rendering=auto needs two or more wordings to select on, {evaluator.survey.name} has {len(names)}; give them under "
            "wordings: select: in the survey file, or choose survey.scoring yourself"
        )
    found: dict[str, tuple[int, float, ValidityConfig]] = {}
    for name, settings in RENDERINGS.items():
        chosen = replace(config, survey=replace(config.survey, **settings))
        indices = _check_validity(
            SurveyEvaluator(evaluator.lm, evaluator.survey, chosen, evaluator.cache), names
        ).indices.values()
        merit = float(np.mean([(x.reliability or 0.0) * np.clip(x.steerable_range, 0, 1) for x in indices]))
        found[name] = (sum(x.trusted for x in indices), merit, chosen)
    rows = [[name, str(trusted), f"{merit:.2f}"] for name, (trusted, merit, _) in found.items()]
    heads = ["rendering", "trusted indices", "merit"]
    show(f"on {len(names)} wordings to select on:\n" + tabulate(rows, heads, tablefmt="plain", disable_numparse=True))
    best = max(found, key=lambda name: found[name][:2])
    described = " ".join(f"survey.{key}={str(value).lower()}" for key, value in RENDERINGS[best].items())
    show(f"most valid: {best} ({described}); on the wordings to test on:\n")
    return found[best][2]


def check_validity(evaluator: SurveyEvaluator) -> Validity:
    """Let the plain model and both pole personas of every dimension take :func:`checked_wordings`, and judge the answers.

    The outcome depends neither on the region nor on the seed, so jobs that share a model and a survey compute it once.

    Raises:
        ValueError: if the instrument lacks a pole persona.
    """
    names = checked_wordings(evaluator)
    return evaluator.cache.get_or_compute(("validity", evaluator.survey_key), lambda: _check_validity(evaluator, names))


def checked_wordings(evaluator: SurveyEvaluator) -> list[str]:
    """Return the wordings of the validity check: those held out, or all reported ones if there are fewer than two of those."""
    held_out = single_wordings(evaluator.wordings, "held_out")
    return held_out if len(held_out) > 1 else list(evaluator.wordings)


def _check_validity(evaluator: SurveyEvaluator, names: Sequence[str]) -> Validity:
    survey, no_soft_prompt = evaluator.survey, evaluator.lm.no_soft_prompt[None]
    personas = pole_personas(survey)
    plain: dict[str, dict[str, Array]] = {}
    poles: dict[str, dict[tuple[str, str], Array]] = {}
    masses = []
    codes = survey.codes()
    with progress("validity", 1 + len(personas)) as bar:
        for wording, each in zip(
            names, evaluator.survey_respondent(names).answer_wordings(no_soft_prompt), strict=True
        ):
            plain[wording] = {order: expected(x, codes)[0] for order, x in each.log_probs.items()}
            poles[wording] = {}
        bar.update()
        for dimension, pole, text in personas:
            taken = evaluator.survey_respondent(names, text).answer_wordings(no_soft_prompt)
            for wording, each in zip(names, taken, strict=True):
                by_order = [expected(x, codes)[0] for x in each.log_probs.values()]
                poles[wording][dimension, pole] = np.mean(by_order, axis=0)
                masses += [float(x.mean()) for x in each.valid_mass.values()]
            bar.update()
    return assess_validity(survey, plain, poles, float(np.mean(masses)))


def pole_personas(survey: Survey) -> list[tuple[str, str, str]]:
    """Dimension, ``high`` or ``low``, and text of every pole persona.

    Raises:
        ValueError: if the instrument lacks one for one of its dimensions.
    """
    lacking = survey.without_poles()
    if lacking:
        raise ValueError(
            f"survey.instrument={survey.name} has no high and low pole persona for {', '.join(lacking)}, which the "
            "validity check needs; add them under poles: or set validity=false"
        )
    poles = [(d, pole, text) for d in survey.dimensions for pole, text in survey.poles[d].items()]
    return [(d, pole, f"{text} {survey.pole_instruction}".strip()) for d, pole, text in poles]


def validity_report(validity: Validity, survey: Survey) -> str:
    """The statistics of a validity check as text, a table of indices first."""
    digits = decimals(survey.published_range) + 1
    by_wording = ", ".join(f"{w} {n}" for w, n in validity.items_right_by_wording.items())
    rows = [
        [
            name,
            f"{x.effect:+.{digits}f}",
            f"{x.low:+.{digits}f} to {x.high:+.{digits}f}",
            f"{x.steerable_range:.2f}",
            _number(x.reliability),
            "-" if x.wordings_needed is None else str(x.wordings_needed),
            f"{x.entanglement:.2f}",
            "yes" if x.trusted else "no",
        ]
        for name, x in validity.indices.items()
    ]
    lines = [
        tabulate(rows, ["index", *COLUMNS], tablefmt="plain", disable_numparse=True),
        "",
        f"effect: of opposite personas, in {survey.unit}; range: its share of the range of countries",
        f"items that opposite personas move the right way: {validity.items_right} of {validity.items_total} ({by_wording})",
        f"agreement between wordings: {_number(validity.wording_agreement)}",
        f"agreement between option orders: {_number(validity.order_agreement)}",
        f"share of variance due to content: {_number(validity.content_share)}",
        f"probability on valid options: {validity.valid_mass:.4f}",
        validity.sentence,
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "does not apply" if value is None else f"{value:.2f}"
