"""The files of one region: the soft prompt first, the result last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cultural_sp.alignment.final_answers import FinalAnswers
from cultural_sp.alignment.inputs import RunInputs
from cultural_sp.alignment.searches import RegionSearches
from cultural_sp.alignment.setup import Setup
from cultural_sp.alignment.spaces import coordinate_labels
from cultural_sp.config.schema import AlignConfig
from cultural_sp.lm.language_model import LanguageModel, weights_hash
from cultural_sp.lm.load import on_hub
from cultural_sp.lm.nearest_tokens import nearest_tokens_csv
from cultural_sp.lm.soft_prompt import save_soft_prompt
from cultural_sp.reporting.figures import save_figures
from cultural_sp.reporting.model_card import write_card
from cultural_sp.reporting.statements import weights_csv
from cultural_sp.runs.folder import RESULT, RunFolder
from cultural_sp.runs.provenance import provenance
from cultural_sp.runs.result import Result
from cultural_sp.runs.validity import Validity
from cultural_sp.survey.instrument import Survey
from cultural_sp.types import Candidates
from cultural_sp.utils.files import disk_errors, write_text

SOFT_PROMPT = "soft_prompt"


@dataclass(frozen=True)
class RunOutcome:
    """Everything that a run found out."""

    searches: dict[str, RegionSearches]
    """Region code -> outcome of its searches."""
    answers: FinalAnswers
    validity: Validity | None
    """None if the check is switched off."""
    seconds: dict[str, float]
    """Part of the run -> wall-clock seconds."""


def save_solutions(config: AlignConfig, setup: Setup, searches: Mapping[str, RegionSearches]) -> None:
    """Write the soft prompt of every region.

    Raises:
        ValueError: if the disk refuses a file.
    """
    for code, folder in RunFolder(config).regions.items():
        _save_solution(folder, searches[code].aligned.z, setup, config)


def _save_solution(folder: Path, z: Candidates, setup: Setup, config: AlignConfig) -> None:
    """Write the soft prompt of a search vector z [d], its nearest tokens, and the weights of its statements if it has any."""
    soft_prompt = setup.space.decode(z[None])[0]
    with disk_errors(folder / SOFT_PROMPT):
        save_soft_prompt(folder / SOFT_PROMPT, soft_prompt, setup.lm, config.soft_prompt.placement)
    write_text(folder / "nearest_tokens.csv", nearest_tokens_csv(soft_prompt, setup.lm))
    statements = coordinate_labels(config)
    if statements:
        write_text(folder / "statements.csv", weights_csv(statements, z))


def result_provenance(
    config: AlignConfig, survey: Survey, lm: LanguageModel, weights_before: str, **more: Any
) -> dict[str, Any]:
    """The provenance of a result, with the hash of the weights before and after the run; ``more`` is added."""
    return provenance(
        config,
        survey_hash=survey.fingerprint(),
        chat_template_hash=lm.checks.chat_template_hash,
        model_check=asdict(lm.checks),
        weights_hash_before=weights_before,
        weights_hash_after=weights_hash(lm.model),
        **more,
    )


def save_results(config: AlignConfig, inputs: RunInputs, setup: Setup, outcome: RunOutcome) -> list[Result]:
    """Write the result, the figures and the model card of every region.

    Raises:
        ValueError: if the disk refuses a file.
    """
    folders = RunFolder(config).regions
    provenance = result_provenance(config, inputs.survey, setup.lm, setup.weights_hash)
    assert provenance["weights_hash_after"] == setup.weights_hash, "a weight of the frozen model changed"
    results = []
    for region in inputs.regions:
        searches = outcome.searches[region.code]
        result = Result.of(
            config,
            inputs.survey,
            region,
            evaluations=config.optimizer.budget,
            optimizer=config.optimizer.kind,
            scores=outcome.answers.scores[region.code],
            validity=outcome.validity,
            knowledge=outcome.answers.knowledge.get(region.code),
            open_answers=outcome.answers.open_answers.get(region.code, []),
            provenance=provenance,
            seconds=outcome.seconds,
            joint=[] if config.region.codes is None else [r.code for r in inputs.regions],
            warm_start=setup.warm_start_record(searches.aligned.offered),
        )
        _save_result(folders[region.code], result, searches, config, inputs.survey)
        results.append(result)
    return results


def _save_result(folder: Path, result: Result, searches: RegionSearches, config: AlignConfig, survey: Survey) -> None:
    """Write figures and model card, then ``result.json``: its presence marks the region as finished.

    Raises:
        ValueError: if the disk refuses a file.
    """
    figures = folder / "figures"
    with disk_errors(figures):
        figures.mkdir(exist_ok=True)
        save_figures(figures, result, (searches.random_search, searches.aligned), config.readout.kind)
    write_card(folder / SOFT_PROMPT, result, config, survey.title, on_hub=on_hub(config.model.name_or_path))
    result.save(folder / RESULT)
