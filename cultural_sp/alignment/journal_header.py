"""The header of a run's journal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from cultural_sp.alignment.inputs import RunInputs
from cultural_sp.config.registries import GENERATE, READOUTS, SPACES
from cultural_sp.config.schema import AlignConfig
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.runs.provenance import loss_determining_versions, search_hash, search_settings
from cultural_sp.runs.result import region_target
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.value_statements import statements_hash
from cultural_sp.types import SoftPrompt
from cultural_sp.utils.serialize import fingerprint

SCORE_DETERMINANTS = (
    "weights_hash",
    "survey_hash",
    "statements_hash",
    "initial_prompt_hash",
    "chat_template_hash",
    "score_settings",
)
"""The entries that determine the dimension scores of a candidate; the others only determine the loss."""


def journal_header(
    config: AlignConfig, inputs: RunInputs, lm: LanguageModel, weights_hash: str, initial: SoftPrompt
) -> dict[str, Any]:
    """The journal header: everything that determines a run's losses, except what is measured when a journal begins.

    A resumed run must have the same header.

    Args:
        config: the run.
        inputs: its survey, regions and statements.
        lm: the frozen model.
        weights_hash: SHA-256 of its weights.
        initial: initial prompt [P, H].
    """
    survey = inputs.survey
    return {
        "search_hash": search_hash(config),
        "model": config.model.name_or_path,
        "weights_hash": weights_hash,
        "survey_hash": survey.fingerprint(),
        "statements_hash": statements_hash(inputs.statements) if inputs.statements else None,
        "targets": {region.code: region_target(survey, region) for region in inputs.regions},
        "initial_prompt_hash": fingerprint(initial),
        "chat_template_hash": lm.checks.chat_template_hash,
        "score_settings": _score_settings(config, survey),
        "device": lm.embeddings.device.type,
        "versions": loss_determining_versions(),
    }


def _score_settings(config: AlignConfig, survey: Survey) -> dict[str, Any]:
    """The settings that determine dimension scores, except those whose effect has its own hash in the header."""
    hashed = ("instrument", "questionnaire", "init", "init_text", "path", "statements")
    groups = {
        "survey": asdict(config.survey),
        "readout": search_settings(asdict(config))["readout"],
        "soft_prompt": asdict(config.soft_prompt),
    }
    settings = {name: {k: v for k, v in group.items() if k not in hashed} for name, group in groups.items()}
    readout = config.readout.kind
    draws = SPACES[config.soft_prompt.space].draws or readout == GENERATE or READOUTS[readout].draws
    constants = survey.scoring.constants
    return {
        **settings,
        "chat_template_args": config.model.chat_template_args,
        "constant": float(constants[0]) if np.ptp(constants) == 0 else constants.tolist(),
        "argmax": config.objective.argmax_weight > 0,
        "seed": config.seed if draws else None,
    }
