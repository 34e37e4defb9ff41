"""The files of one region: the soft prompt first, the result last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cultural_sp.alignment.methods import RegionSearches
from cultural_sp.alignment.setup import Setup
from cultural_sp.alignment.spaces import axes
from cultural_sp.config.schema import AlignConfig
from cultural_sp.lm.load import LanguageModel, on_hub, weights_hash
from cultural_sp.lm.nearest_tokens import nearest_tokens_csv
from cultural_sp.lm.soft_prompt import save_soft_prompt
from cultural_sp.reporting.figures import save_figures
from cultural_sp.reporting.model_card import write_card
from cultural_sp.reporting.statements import weights_csv
from cultural_sp.runs.folder import RESULT
from cultural_sp.runs.provenance import provenance
from cultural_sp.runs.result import Result
from cultural_sp.survey.instrument import Survey
from cultural_sp.types import Candidates
from cultural_sp.utils.files import disk_errors, write_text

SOFT_PROMPT = "soft_prompt"


def save_solution(folder: Path, z: Candidates, setup: Setup, config: AlignConfig) -> None:
    """Write the soft prompt of a search vector z [d], its nearest tokens, and the weights of its statements if it has any.

    Raises:
        ValueError: if the disk refuses a file.
    """
    soft_prompt = setup.space.decode(z[None])[0]
    with disk_errors(folder / SOFT_PROMPT):
        save_soft_prompt(folder / SOFT_PROMPT, soft_prompt, setup.lm, config.soft_prompt.placement)
    write_text(folder / "nearest_tokens.csv", nearest_tokens_csv(soft_prompt, setup.lm))
    statements = axes(config)
    if statements:
        write_text(folder / "statements.csv", weights_csv(statements, z))


def result_provenance(
    config: AlignConfig, survey: Survey, lm: LanguageModel, weights_before: str, **more: Any
) -> dict[str, Any]:
    """The provenance of a result, with the hash of the weights before and after the run; ``more`` is added."""
    return provenance(
        config,
        survey_hash=survey.fingerprint(),
        chat_template_hash=lm.chat_template_hash,
        weights_hash_before=weights_before,
        weights_hash_after=weights_hash(lm.model),
        **more,
    )


def save_result(folder: Path, result: Result, searches: RegionSearches, config: AlignConfig, survey: Survey) -> None:
    """Write figures and model card, then ``result.json``: its presence marks the region as finished.

    Raises:
        ValueError: if the disk refuses a file.
    """
    figures = folder / "figures"
    with disk_errors(figures):
        figures.mkdir(exist_ok=True)
        save_figures(figures, result, searches.random_search, searches.aligned, config.readout.kind)
    write_card(folder / SOFT_PROMPT, result, config, survey.title, on_hub=on_hub(config.model.name_or_path))
    result.save(folder / RESULT)
