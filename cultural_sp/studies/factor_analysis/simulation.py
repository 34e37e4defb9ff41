"""Answers of all simulated respondents, before and after alignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pandas as pd

from cultural_sp.config.schema import AlignConfig
from cultural_sp.config.studies import FactorConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.lm.language_model import weights_hash
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.lm.soft_prompt import configured_prompt
from cultural_sp.runs.inputs import survey_from_config
from cultural_sp.studies.factor_analysis.respondent_cache import RespondentCache
from cultural_sp.studies.factor_analysis.respondents import SimulatedRespondent, survey_answers
from cultural_sp.types import SoftPrompt
from cultural_sp.utils.progress import progress
from cultural_sp.utils.serialize import fingerprint

ANSWERS_FILE = "answers.jsonl"


def simulated_answers(
    config: FactorConfig,
    run_config: AlignConfig,
    respondents: Sequence[SimulatedRespondent],
    cache: ModelCache,
    folder: Path,
) -> dict[str, pd.DataFrame]:
    """Let every respondent of every group take the survey. Answers are cached in ``folder``.

    Returns:
        Group -> table with one row per respondent: traits, then items. The groups are ``before`` and ``after`` for an aligned
        model, and ``model`` for a plain one.

    Raises:
        ValueError: if the wording is unknown, or the folder holds the answers of another analysis.
    """
    lm, survey = cache.model(run_config.model, load_model), survey_from_config(run_config)
    evaluator = SurveyEvaluator(lm, survey, run_config, cache)
    if config.wording not in evaluator.wordings:
        raise ValueError(f"wording={config.wording} is unknown; allowed: {', '.join(evaluator.wordings)}")
    prompts: dict[str, SoftPrompt | None] = {"model": None}
    if config.run is not None:
        path = Path(config.run).expanduser() / "soft_prompt"
        prompts = {
            "before": None,
            "after": configured_prompt(replace(run_config.soft_prompt, path=str(path)), lm),
        }
    header = {
        "weights_hash": weights_hash(lm.model),
        "survey_hash": survey.fingerprint(),
        "chat_template_hash": lm.checks.chat_template_hash,
        "survey": asdict(run_config.survey),
        "wording": config.wording,
        "placement": run_config.soft_prompt.placement,
        "respondents": asdict(config.respondents),
        "soft_prompts": {group: None if p is None else fingerprint(p) for group, p in prompts.items()},
    }
    return _tables(config, RespondentCache(folder / ANSWERS_FILE, header), evaluator, prompts, respondents)


def _tables(
    config: FactorConfig,
    answers_cache: RespondentCache,
    evaluator: SurveyEvaluator,
    prompts: Mapping[str, SoftPrompt | None],
    respondents: Sequence[SimulatedRespondent],
) -> dict[str, pd.DataFrame]:
    """Return the answers of every group; missing ones are computed."""
    tables, items = {}, evaluator.survey.item_ids
    with progress("respondents", len(prompts) * len(respondents)) as bar:
        for group, prompt in prompts.items():
            rows = []
            for index, respondent in enumerate(respondents):
                compute = partial(
                    survey_answers, evaluator, respondent, config.wording, config.respondents.readout, prompt
                )
                answers = answers_cache.get_or_compute(group, index, compute)
                rows.append({**respondent.traits, **dict(zip(items, answers.tolist(), strict=True))})
                bar.update()
            tables[group] = pd.DataFrame(rows)
    return tables
