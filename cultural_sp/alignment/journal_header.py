"""What shapes the losses of a run, as the first line of its journal says it; its regions, as its results do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cultural_sp.config.schema import AlignConfig
from cultural_sp.lm.load import LanguageModel
from cultural_sp.runs.provenance import config_hash, shaping_versions
from cultural_sp.search.journal import fingerprint, jsonable
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.regions import Region
from cultural_sp.survey.value_statements import Statement, statements_hash

SCORE_DETERMINANTS = (
    "weights_hash",
    "survey_hash",
    "statements_hash",
    "initial_prompt_hash",
    "chat_template_hash",
    "asked",
)
"""The entries between which the dimension scores of the same candidate may differ; the others shape only what is lowered."""


def journal_header(
    config: AlignConfig,
    survey: Survey,
    regions: Sequence[Region],
    statements: Sequence[Statement],
    lm: LanguageModel,
    weights: str,
    start: NDArray[np.float32],
) -> dict[str, Any]:
    """The header of a run's journal, but for what is measured and for what it starts from.

    Args:
        config: the run.
        survey: its instrument.
        regions: those it aligns to, in order.
        statements: those whose weights are searched.
        lm: the frozen model.
        weights: hash of its weights.
        start: initial prompt [P, H].
    """
    return {
        "config_hash": config_hash(config),
        "model": config.model.name_or_path,
        "weights_hash": weights,
        "survey_hash": survey.fingerprint(),
        "statements_hash": statements_hash(statements) if statements else None,
        "targets": {region.code: target(survey, region) for region in regions},
        "initial_prompt_hash": fingerprint(start),
        "chat_template_hash": lm.chat_template_hash,
        "asked": _asked(config, survey),
        "device": lm.embeddings.device.type,
        "versions": shaping_versions(),
    }


def _asked(config: AlignConfig, survey: Survey) -> dict[str, Any]:
    """The settings that shape dimension scores, without those whose outcome has a hash of its own in the header."""
    hashed = ("instrument", "questionnaire", "init", "init_text", "path", "statements")
    groups = {
        "survey": asdict(config.survey),
        "readout": asdict(config.readout),
        "soft_prompt": asdict(config.soft_prompt),
    }
    asked = {name: {k: v for k, v in group.items() if k not in hashed} for name, group in groups.items()}
    del asked["readout"]["report_generate"]
    draws = config.soft_prompt.space == "projection" or config.readout.kind in ("sample", "generate")
    constants = survey.scoring.constants
    return {
        **asked,
        "chat_template_args": config.model.chat_template_args,
        "constant": float(constants[0]) if np.ptp(constants) == 0 else constants.tolist(),
        "argmax": config.objective.argmax_weight > 0,
        "seed": config.seed if draws else None,
    }


def region_entry(survey: Survey, region: Region) -> dict[str, Any]:
    """The entry ``region`` of a :class:`Result`."""
    return {
        "code": region.code,
        "country": region.country,
        "vintage": region.vintage,
        "estimated": region.estimated,
        "target": target(survey, region),
    }


def target(survey: Survey, region: Region) -> dict[str, float | None]:
    """Dimension -> target score, None where there is none."""
    scores: dict[str, float | None] = jsonable(dict(zip(survey.dimension_names, region.target, strict=True)))
    return scores
