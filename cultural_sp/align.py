"""The main job: align a frozen model to a region by an evolved soft prompt, and show what that is worth."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cultural_sp.analysis.figures import save_figures
from cultural_sp.analysis.tables import summary
from cultural_sp.baselines import persona
from cultural_sp.config import AlignConfig
from cultural_sp.examine import Examiner
from cultural_sp.lm.load import LanguageModel, load_model, weights_hash
from cultural_sp.lm.soft_prompt import embedding_rms, initial_prompt, save_soft_prompt
from cultural_sp.provenance import provenance
from cultural_sp.results import Result, load_result
from cultural_sp.run_folder import RESULT, create, is_finished, run_folder
from cultural_sp.search.journal import Journal, jsonable
from cultural_sp.search.loop import Evaluation, SearchResult, progress, run_search
from cultural_sp.search.optimizers import DifferentialEvolution, Optimizer, RandomSearch
from cultural_sp.search.space import Space, make_space
from cultural_sp.survey.instrument import Survey, load_survey
from cultural_sp.survey.questionnaire import apply_questionnaire
from cultural_sp.survey.regions import Region, load_region


def align(config: AlignConfig) -> tuple[Result, Path]:
    """Run one alignment and return its result and its run folder; a run that is already finished is only read.

    Everything that can be wrong with the input is checked before the run folder is made.

    Raises:
        ValueError: in one line, for bad input.
    """
    survey = open_survey(config)
    region = load_region(survey, config.region.code, config.region.vintage)
    if is_finished(config):
        folder = run_folder(config)
        result = load_result(folder / RESULT)
        print(f"already finished with this config\n{summary(result, config.readout.kind)}")
        return result, folder
    clock: dict[str, float] = {}
    with _timed(clock, "load"):
        lm = load_model(config.model)
        before = weights_hash(lm.model)
        start = initial_prompt(config.soft_prompt, lm, config.seed)
        space = search_space(config, lm, start)
        examiner = Examiner(lm, survey, region, config)
        examiner.tuning()
        if config.validity:
            examiner.pole_personas()
    folder = create(config)
    print(_announcement(config, survey, region, lm), flush=True)

    with _timed(clock, "validity"):
        validity = examiner.validity() if config.validity else None
    if validity is not None:
        print(f"validity: {validity.sentence}", flush=True)
    with _timed(clock, "random_search"):
        random_best = _search(
            config, "random_search", RandomSearch(config.optimizer, space.dim), space, examiner, folder
        )
    with _timed(clock, "search"):
        best = _search(config, "aligned", DifferentialEvolution(config.optimizer, space.dim), space, examiner, folder)
    aligned = space.decode(best.z[None])[0]
    save_soft_prompt(folder / "soft_prompt", aligned, lm, config.soft_prompt.placement)

    methods: dict[str, dict[str, Any]] = {
        "naive": {},
        "persona": {"persona": persona(region)},
        "start": {"prompt": start},
        "random_search": {"prompt": space.decode(random_best.z[None])[0]},
        "aligned": {"prompt": aligned},
    }
    scores = examiner.midpoint_records()
    with _timed(clock, "scores"), progress("scores", len(methods)) as bar:
        for method, given in methods.items():
            scores += examiner.records(method, **given)
            bar.update()
    after = weights_hash(lm.model)
    assert after == before, "a weight of the frozen model changed"
    result = Result(
        name=config.name,
        region={
            "code": region.code,
            "country": region.country,
            "vintage": region.vintage,
            "estimated": region.estimated,
            "target": jsonable(dict(zip(survey.dimension_names, region.target, strict=True))),
        },
        model=config.model.name_or_path,
        seed=config.seed,
        evaluations=config.optimizer.budget,
        scores=scores,
        validity=validity,
        provenance=provenance(
            config,
            survey_hash=survey.fingerprint(),
            chat_template_hash=lm.chat_template_hash,
            weights_hash_before=before,
            weights_hash_after=after,
        ),
        seconds={k: round(v, 1) for k, v in clock.items()},
    )
    save_figures(folder / "figures", result, random_best.losses, best.losses, config.readout.kind)
    result.save(folder / RESULT)
    print(summary(result, config.readout.kind))
    return result, folder


def open_survey(config: AlignConfig) -> Survey:
    """The configured instrument, with a licensed questionnaire's texts if one is given."""
    survey = load_survey(config.survey.instrument)
    return apply_questionnaire(survey, config.survey.questionnaire) if config.survey.questionnaire else survey


def search_space(config: AlignConfig, lm: LanguageModel, start: NDArray[np.float32]) -> Space:
    """The configured search space around the initial prompt [P, H]."""
    soft_prompt = config.soft_prompt
    return make_space(soft_prompt.space, start, soft_prompt.scale * embedding_rms(lm), soft_prompt.dim, config.seed)


def _search(
    config: AlignConfig, name: str, optimizer: Optimizer, space: Space, examiner: Examiner, folder: Path
) -> SearchResult:
    def evaluate(z: NDArray[np.float64]) -> Evaluation:
        return examiner.fitness(space.decode(z))

    return run_search(
        name,
        optimizer,
        evaluate,
        budget=config.optimizer.budget,
        batch_size=examiner.batch_size(space.decode(np.zeros((1, space.dim)))[0]),
        dimension_names=examiner.survey.dimension_names,
        journal=Journal(folder / "evaluations.jsonl"),
    )


def _announcement(config: AlignConfig, survey: Survey, region: Region, lm: LanguageModel) -> str:
    known = [d for d, t in zip(survey.dimension_names, region.target, strict=True) if not np.isnan(t)]
    lines = [
        f"aligning {config.model.slug} ({lm.embeddings.device}, frozen) to {region.country} ({region.vintage}"
        f"{', estimated scores' if region.estimated else ''}) on {survey.title}"
    ]
    left_out = [d for d in survey.dimension_names if d not in known]
    if left_out:
        lines.append(f"no target for {', '.join(left_out)} in {region.vintage}: left out of the loss of every method")
    return "\n".join(lines)


@contextmanager
def _timed(clock: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    clock[name] = time.perf_counter() - started
