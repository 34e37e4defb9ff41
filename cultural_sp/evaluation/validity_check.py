"""The validity check on its own: can this model take this survey at all?"""

from __future__ import annotations

from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.runs.inputs import regions_from_config, survey_from_config
from cultural_sp.runs.result import Validity
from cultural_sp.survey.instrument import Survey, decimals


def check(config: AlignConfig, shared: ModelCache | None = None) -> Validity:
    """Check one model on one survey and print the statistics; nothing is written.

    Raises:
        ValueError: in one line, for bad input.
    """
    shared = ModelCache() if shared is None else shared
    survey = survey_from_config(config)
    regions_from_config(config, survey)  # says what is wrong with them
    validity = SurveyEvaluator(shared.model(config.model, load_model), survey, config, shared).validity()
    print(report(validity, survey))
    return validity


def report(validity: Validity, survey: Survey) -> str:
    """The statistics of a validity check as text."""
    digits = decimals(survey.published_range) + 1
    by_wording = ", ".join(f"{w} {n}" for w, n in validity.items_right_by_wording.items())
    effects = ", ".join(f"{d} {e:+.{digits}f}" for d, e in validity.effects.items())
    lines = [
        f"items that opposite personas move the right way: {validity.items_right} of {validity.items_total} ({by_wording})",
        f"effect of opposite personas in {survey.unit}: {effects}",
        f"agreement between wordings: {_number(validity.wording_agreement)}",
        f"agreement between option orders: {_number(validity.order_agreement)}",
        f"share of variance due to content: {_number(validity.content_share)}",
        f"probability on valid options: {validity.valid_mass:.4f}",
        validity.sentence,
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "does not apply" if value is None else f"{value:.2f}"
