"""Any soft prompt for a model, ours or one tuned by others with PEFT, on any region, wording, survey and order."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

from cultural_sp.alignment.journal_header import region_entry
from cultural_sp.alignment.methods import result_provenance, score_records
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.knowledge.from_config import knowledge_from_config
from cultural_sp.inference.inherit_config import output_folder_of, required_prompt_path
from cultural_sp.lm.load import load_model, weights_hash
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.lm.soft_prompt import configured_prompt
from cultural_sp.reporting.tables import report
from cultural_sp.runs.inputs import regions_from_config, survey_from_config
from cultural_sp.runs.provenance import config_hash
from cultural_sp.runs.result import EVALUATION, Knowledge, Result, ScoreRow, strongest_icl
from cultural_sp.survey.personas import personas
from cultural_sp.survey.regions import Region
from cultural_sp.types import SoftPrompt
from cultural_sp.utils.files import disk_errors
from cultural_sp.utils.progress import progress

FOLDER = "evaluations"


def evaluate(config: AlignConfig, shared: ModelCache | None = None) -> list[Path]:
    """Let the model with and without a soft prompt take the survey, print what comes out and write it to a file per region.

    Returns:
        The files, each with a :class:`Result` whose ``aligned`` is the soft prompt; no search belongs to it.

    Raises:
        ValueError: in one line, for bad input and if the disk refuses a file.
    """
    survey = survey_from_config(config)
    regions, questions = regions_from_config(config, survey), knowledge_from_config(config)
    path = required_prompt_path(config)
    shared = ModelCache() if shared is None else shared
    lm = shared.model(config.model, load_model)
    weights = weights_hash(lm.model)
    prompt = configured_prompt(config.soft_prompt, lm)
    evaluator = SurveyEvaluator(lm, survey, config, shared)
    icl = {region.code: personas(survey, region) for region in regions}
    asked: dict[str, partial[list[ScoreRow]]] = {
        "naive": partial(evaluator.answers),
        **{f"{m} {c}": partial(evaluator.answers, persona=text) for c, of in icl.items() for m, text in of.items()},
        "aligned": partial(evaluator.answers, prompt=prompt),
    }
    answers = {}
    with progress("scores", len(asked)) as bar:
        for name, answer in asked.items():
            answers[name] = answer()
            bar.update()
    midpoint = evaluator.midpoint_answers()
    origin = result_provenance(config, survey, lm, weights, soft_prompt={"path": path, "sha256": prompt_hash(prompt)})
    files = []
    for region in regions:
        scores = score_records("midpoint", midpoint, region) + score_records("naive", answers["naive"], region)
        for method in icl[region.code]:
            scores += score_records(method, answers[f"{method} {region.code}"], region)
        scores += score_records("aligned", answers["aligned"], region)
        knowledge = None
        if questions is not None:
            strongest = strongest_icl(scores, config.readout.kind)
            given: dict[str, dict[str, Any]] = {
                "naive": {},
                strongest: {"persona": icl[region.code][strongest]},
                "aligned": {"prompt": prompt},
            }
            rows = [row for method, what in given.items() for row in evaluator.knowledge(questions, method, **what)]
            knowledge = Knowledge(questions.name, questions.title, questions.fingerprint(), rows)
        result = Result(
            name=EVALUATION,
            region=region_entry(survey, region),
            model=config.model.name_or_path,
            seed=config.seed,
            unit=survey.unit,
            published_range=survey.published_range,
            evaluations=0,
            optimizer="none",
            note=config.model.note,
            scores=scores,
            validity=None,
            knowledge=knowledge,
            provenance=origin,
        )
        file = _file(config, region, prompt)
        result.save(file)
        files.append(file)
        print(f"{region.country} ({region.vintage}) on {survey.title}\n{report([result], config.readout.kind)}")
    return files


def prompt_hash(prompt: SoftPrompt) -> str:
    """SHA-256 of a soft prompt's shape and numbers."""
    return hashlib.sha256(repr(prompt.shape).encode() + prompt.tobytes()).hexdigest()


def _file(config: AlignConfig, region: Region, prompt: SoftPrompt) -> Path:
    """Named by what was evaluated and how, so that no evaluation replaces another one."""
    folder = output_folder_of(required_prompt_path(config)) / FOLDER
    with disk_errors(folder):
        folder.mkdir(exist_ok=True)
    digest = hashlib.sha256((config_hash(config) + prompt_hash(prompt)).encode()).hexdigest()[:8]
    return folder / f"{region.code}-{config.model.slug}-{Path(config.survey.instrument).stem}-{digest}.json"
