"""Any soft prompt for a model, ours or one tuned by others with PEFT, on any region, wording, survey and order."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

from cultural_sp.align.journal_header import region_entry
from cultural_sp.align.methods import judged, traced
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.evaluator import Examiner
from cultural_sp.inference.inherit_config import given_path, place_of
from cultural_sp.lm.load import load_model, weights_hash
from cultural_sp.lm.model_cache import Shared
from cultural_sp.lm.soft_prompt import Prompt, configured_prompt
from cultural_sp.reporting.tables import report
from cultural_sp.runs.inputs import open_questions, open_regions, open_survey
from cultural_sp.runs.provenance import config_hash
from cultural_sp.runs.result import EVALUATION, Answers, Knowledge, Result, strongest_icl
from cultural_sp.survey.personas import personas
from cultural_sp.survey.regions import Region
from cultural_sp.utils.files import using
from cultural_sp.utils.progress import progress

FOLDER = "evaluations"


def evaluate(config: AlignConfig, shared: Shared | None = None) -> list[Path]:
    """Let the model with and without a soft prompt take the survey, print what comes out and write it to a file per region.

    Returns:
        The files, each with a :class:`Result` whose ``aligned`` is the soft prompt; no search belongs to it.

    Raises:
        ValueError: in one line, for bad input and if the disk refuses a file.
    """
    survey = open_survey(config)
    regions, questions = open_regions(config, survey), open_questions(config)
    path = given_path(config)
    shared = Shared() if shared is None else shared
    lm = shared.model(config.model, load_model)
    weights = weights_hash(lm.model)
    prompt = configured_prompt(config.soft_prompt, lm)
    examiner = Examiner(lm, survey, config, shared)
    icl = {region.code: personas(survey, region) for region in regions}
    asked: dict[str, partial[list[Answers]]] = {
        "naive": partial(examiner.answers),
        **{f"{m} {c}": partial(examiner.answers, persona=text) for c, of in icl.items() for m, text in of.items()},
        "aligned": partial(examiner.answers, prompt=prompt),
    }
    answers = {}
    with progress("scores", len(asked)) as bar:
        for name, answer in asked.items():
            answers[name] = answer()
            bar.update()
    midpoint = examiner.midpoint_answers()
    origin = traced(config, survey, lm, weights, soft_prompt={"path": path, "sha256": prompt_hash(prompt)})
    files = []
    for region in regions:
        scores = judged("midpoint", midpoint, region) + judged("naive", answers["naive"], region)
        for method in icl[region.code]:
            scores += judged(method, answers[f"{method} {region.code}"], region)
        scores += judged("aligned", answers["aligned"], region)
        knowledge = None
        if questions is not None:
            strongest = strongest_icl(scores, config.readout.kind)
            given: dict[str, dict[str, Any]] = {
                "naive": {},
                strongest: {"persona": icl[region.code][strongest]},
                "aligned": {"prompt": prompt},
            }
            rows = [row for method, what in given.items() for row in examiner.knowledge(questions, method, **what)]
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


def prompt_hash(prompt: Prompt) -> str:
    """SHA-256 of a soft prompt's shape and numbers."""
    return hashlib.sha256(repr(prompt.shape).encode() + prompt.tobytes()).hexdigest()


def _file(config: AlignConfig, region: Region, prompt: Prompt) -> Path:
    """Named by what was evaluated and how, so that no evaluation replaces another one."""
    folder = place_of(given_path(config)) / FOLDER
    with using(folder):
        folder.mkdir(exist_ok=True)
    digest = hashlib.sha256((config_hash(config) + prompt_hash(prompt)).encode()).hexdigest()[:8]
    return folder / f"{region.code}-{config.model.slug}-{Path(config.survey.instrument).stem}-{digest}.json"
