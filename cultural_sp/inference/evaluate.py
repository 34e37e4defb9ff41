"""Evaluation of a soft prompt on any region, wording, survey and option order.

The soft prompt may come from a run of this program or from PEFT's prompt tuning.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cultural_sp.alignment.methods import final_knowledge, final_scores, persona_methods
from cultural_sp.alignment.outputs import result_provenance
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.evaluator import PLAIN, Respondent, SurveyEvaluator
from cultural_sp.evaluation.knowledge.from_config import knowledge_from_config
from cultural_sp.inference.inherit_config import output_folder_of, required_prompt_path
from cultural_sp.lm.language_model import weights_hash
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.lm.soft_prompt import configured_prompt
from cultural_sp.reporting.tables import report
from cultural_sp.runs.inputs import regions_from_config, survey_from_config
from cultural_sp.runs.provenance import config_hash
from cultural_sp.runs.result import EVALUATION_NAME, Result
from cultural_sp.survey.regions import Region
from cultural_sp.types import SoftPrompt
from cultural_sp.utils.files import disk_errors
from cultural_sp.utils.terminal import show

FOLDER = "evaluations"


def evaluate(config: AlignConfig, cache: ModelCache | None = None) -> list[Path]:
    """Let the model take the survey with and without a soft prompt; print and save one result per region.

    Returns:
        Paths of the results. Each file holds a :class:`Result` without a search, in which ``aligned`` is the soft prompt.

    Raises:
        ValueError: if the input is bad or a file can't be written.
    """
    survey = survey_from_config(config)
    regions, questions = regions_from_config(config, survey), knowledge_from_config(config)
    path = required_prompt_path(config)
    cache = ModelCache() if cache is None else cache
    lm = cache.model(config.model, load_model)
    weights = weights_hash(lm.model)
    soft_prompt = configured_prompt(config.soft_prompt, lm)
    evaluator = SurveyEvaluator(lm, survey, config, cache)
    aligned = Respondent("aligned", soft_prompt)
    methods = {r.code: {"naive": PLAIN, **persona_methods(survey, r), "aligned": aligned} for r in regions}
    scores = final_scores(evaluator, regions, methods)
    knowledge = {} if questions is None else final_knowledge(evaluator, questions, methods, scores)
    origin = {"path": path, "sha256": prompt_hash(soft_prompt)}
    provenance = result_provenance(config, survey, lm, weights, soft_prompt=origin)
    files = []
    for region in regions:
        result = Result.of(
            config,
            survey,
            region,
            name=EVALUATION_NAME,
            evaluations=0,
            optimizer="none",
            scores=scores[region.code],
            validity=None,
            knowledge=knowledge.get(region.code),
            provenance=provenance,
        )
        file = _result_path(config, region, soft_prompt)
        result.save(file)
        files.append(file)
        show(f"{region.country} ({region.vintage}) on {survey.title}\n{report([result], config.readout.kind)}")
    return files


def prompt_hash(prompt: SoftPrompt) -> str:
    """Return the SHA-256 of a soft prompt's shape and numbers."""
    return hashlib.sha256(repr(prompt.shape).encode() + prompt.tobytes()).hexdigest()


def _result_path(config: AlignConfig, region: Region, prompt: SoftPrompt) -> Path:
    """Name the file after the config and the soft prompt, so that no evaluation overwrites another one."""
    folder = output_folder_of(required_prompt_path(config)) / FOLDER
    with disk_errors(folder):
        folder.mkdir(exist_ok=True)
    digest = hashlib.sha256((config_hash(config) + prompt_hash(prompt)).encode()).hexdigest()[:8]
    return folder / f"{region.code}-{config.model.slug}-{Path(config.survey.instrument).stem}-{digest}.json"
