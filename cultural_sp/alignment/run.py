"""The main job: align a frozen model to a region by an optimized soft prompt, and show what that is worth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cultural_sp.alignment.journal_header import SCORE_DETERMINANTS, journal_header, region_entry
from cultural_sp.alignment.methods import (
    RegionSearches,
    final_knowledge,
    final_scores,
    open_answers,
    result_provenance,
    save_result,
    save_solution,
)
from cultural_sp.alignment.spaces import axes, search_space, statements_from_config
from cultural_sp.alignment.workers import WorkerGroup
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.knowledge.from_config import knowledge_from_config
from cultural_sp.evaluation.knowledge.questions import KnowledgeSet
from cultural_sp.lm.load import LanguageModel, load_model, weights_hash
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.reporting.statements import weights_summary
from cultural_sp.reporting.tables import report
from cultural_sp.reporting.wandb_tracking.tracker import Tracker, tracker_of
from cultural_sp.runs.checkpoint import ResponseCache, cached_validity
from cultural_sp.runs.folder import (
    clear_run_folder,
    load_finished,
    lock_run_folder,
    region_folders,
    run_folder,
    write_config,
)
from cultural_sp.runs.inputs import regions_from_config, survey_from_config
from cultural_sp.runs.result import Knowledge, KnowledgeScore, OpenAnswer, Result, ScoreRow
from cultural_sp.search.goal import Objective
from cultural_sp.search.history import SearchResult
from cultural_sp.search.journal import JOURNAL, Journal
from cultural_sp.search.loop import Evaluation, run_search
from cultural_sp.search.optimizers import Optimizer, make_optimizer
from cultural_sp.search.random_search import RandomSearch
from cultural_sp.search.space import Space
from cultural_sp.search.warm_start import WarmStart, find_journals, read_warm_start
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.regions import Region
from cultural_sp.survey.value_statements import Statement
from cultural_sp.types import Array
from cultural_sp.utils.files import disk_errors
from cultural_sp.utils.signals import stop_if_asked

SCORES, VALIDITY, KNOWLEDGE = "scores.jsonl", "validity.json", "knowledge.jsonl"
"""Beside the journal: what is kept of the work before and after the searches."""


@dataclass(frozen=True)
class RunInputs:
    """What a run is given, read and checked before anything is written."""

    survey: Survey
    regions: tuple[Region, ...]
    statements: tuple[Statement, ...]
    questions: KnowledgeSet | None
    journals: list[Path]
    """Of earlier runs that the search starts from."""


def align(
    config: AlignConfig, shared: ModelCache | None = None, workers: WorkerGroup | None = None
) -> tuple[list[Result], Path]:
    """Run one alignment and return a result per region and the run folder; what is finished is only read, the rest goes on.

    Everything that can be wrong with the input is checked before anything is written.

    Args:
        config: the run.
        shared: the model and what else this process's other runs have in common with this one; None if there are none.
        workers: the processes that score candidates; this one leads them.

    Raises:
        ValueError: in one line, for bad input, for a run folder of another run or in another process's hands, and if the
            disk refuses a write or too many evaluations fail.
    """
    survey = survey_from_config(config)
    regions = regions_from_config(config, survey)
    statements = statements_from_config(config)
    finished = load_finished(config)
    if finished is not None:
        print(f"already finished with this config\n{report(finished, config.readout.kind)}")
        return finished, run_folder(config)
    journals = find_journals(config.optimizer.warm_start or [], run_folder(config))
    given = RunInputs(survey, regions, statements, knowledge_from_config(config), journals)
    shared = ModelCache() if shared is None else shared
    with lock_run_folder(config) as folder, tracker_of(config.tracker, folder) as tracker:
        try:
            return _run(config, given, folder, shared, workers or WorkerGroup(), tracker), folder
        except BaseException:  # whatever it was: the next run loads anew rather than trust what this one left
            shared.clear()
            raise


def _run(
    config: AlignConfig, given: RunInputs, folder: Path, shared: ModelCache, workers: WorkerGroup, tracker: Tracker
) -> list[Result]:
    survey, regions = given.survey, given.regions
    clock: dict[str, float] = {}
    workers.call()
    with _timed(clock, "load"):
        lm = shared.model(config.model, load_model)
        before = weights_hash(lm.model)
        space = search_space(config, lm)
        start = space.initial
        evaluator = SurveyEvaluator(lm, survey, config, shared)
        evaluator.tuning()
        if config.validity:
            evaluator.pole_personas()
        shaping = journal_header(config, survey, regions, given.statements, lm, before, start)
        shapes = {key: shaping[key] for key in SCORE_DETERMINANTS}
        warm_start = (
            read_warm_start(given.journals, shapes, space.dim, evaluator.score_names) if given.journals else None
        )
        optimizers = _optimizers(config, space.dim, len(regions))
    stop_if_asked()  # before anything is written
    if config.overwrite:
        clear_run_folder(folder)
    _drop_left_overs(folder)
    warm_start_hash = None if warm_start is None else warm_start.fingerprint()
    journal = _open_journal(folder, {**shaping, "warm_start": warm_start_hash}, evaluator, start)
    kept = ResponseCache(folder / SCORES, ScoreRow)
    known = ResponseCache(folder / KNOWLEDGE, KnowledgeScore)
    write_config(config)
    print(_announcement(config, survey, regions, lm), flush=True)
    if journal.evaluations:
        print(f"going on: {journal.evaluations} of {2 * config.optimizer.budget} evaluations are there", flush=True)
    tracker.begin()
    journal.listener = tracker.evaluations

    with _timed(clock, "validity"):
        validity = cached_validity(folder / VALIDITY, evaluator.validity) if config.validity else None
    if validity is not None:
        print(f"validity: {validity.sentence}", flush=True)
    objectives = {
        r.code: Objective(r.target, config.objective, journal.header.get("start_mass"), len(evaluator.tuned))
        for r in regions
    }
    search = partial(_search, config, objectives, space, evaluator, journal, workers)
    with _timed(clock, "random_search"):
        by_chance = search("random_search", [RandomSearch(config.optimizer, space.dim)])
    with _timed(clock, "search"):
        best = search("aligned", optimizers, warm_start)
    journal.end()

    found = {r.code: RegionSearches(by_chance[r.code], best[r.code]) for r in regions}
    folders, named = region_folders(config), axes(config)
    for region in regions:
        save_solution(folders[region.code], found[region.code], space, lm, config.soft_prompt.placement, named)
    with _timed(clock, "scores"):
        scores = final_scores(evaluator, space, regions, found, kept)
    knowledge: dict[str, Knowledge] = {}
    if given.questions is not None:
        with _timed(clock, "knowledge"):
            knowledge = final_knowledge(evaluator, given.questions, space, regions, found, scores, known)
    written: dict[str, list[OpenAnswer]] = {}
    if config.open_ended_questions:
        with _timed(clock, "open_ended_questions"):
            written = open_answers(lm, space, regions, found, config.soft_prompt.placement)
    origin = result_provenance(config, survey, lm, before)
    assert origin["weights_hash_after"] == before, "a weight of the frozen model changed"
    results = [
        Result(
            name=config.name,
            region=region_entry(survey, region),
            model=config.model.name_or_path,
            seed=config.seed,
            unit=survey.unit,
            published_range=survey.published_range,
            evaluations=config.optimizer.budget,
            optimizer=config.optimizer.kind,
            note=config.model.note,
            scores=scores[region.code],
            validity=validity,
            knowledge=knowledge.get(region.code),
            open_answers=written.get(region.code, []),
            provenance=origin,
            seconds={k: round(v, 1) for k, v in clock.items()},
            joint=[] if config.region.codes is None else [r.code for r in regions],
            warm_start=None
            if warm_start is None
            else {"sources": warm_start.sources, "offered": found[region.code].aligned.offered},
        )
        for region in regions
    ]
    for result in results:
        code = result.region["code"]
        save_result(folders[code], result, found[code], config, survey)
    tracker.finish()
    print(report(results, config.readout.kind))
    if named and len(results) == 1:
        print(weights_summary(named, best[regions[0].code].z))
    return results


def _drop_left_overs(folder: Path) -> None:
    """Without a journal an overwrite was stopped halfway, and what it left belongs to another run."""
    if not (folder / JOURNAL).exists():
        with disk_errors(folder):
            for name in (SCORES, VALIDITY, KNOWLEDGE):
                (folder / name).unlink(missing_ok=True)


def _open_journal(
    folder: Path, shaping: dict[str, Any], evaluator: SurveyEvaluator, initial: NDArray[np.float32]
) -> Journal:
    """The run's journal, new or to go on from; what a new one measures is measured with the initial prompt [P, H]."""

    def measure() -> dict[str, Any]:
        found: dict[str, Any] = {"batch_size": evaluator.batch_size(initial)}
        if evaluator.config.objective.valid_mass_weight > 0:
            found["start_mass"] = evaluator.start_mass(initial)
        return found

    return Journal(folder / JOURNAL, shaping, measure)


def _optimizers(config: AlignConfig, dim: int, number: int) -> list[Optimizer]:
    """One for each region. The first has the run's seed; the others have seeds drawn from it, or all would ask the same."""
    seeds = [config.optimizer.seed]
    seeds += [int(np.random.SeedSequence([seeds[0], i]).generate_state(1)[0]) for i in range(1, number)]
    return [make_optimizer(replace(config.optimizer, seed=seed), dim) for seed in seeds]


def help_align(config: AlignConfig, shared: ModelCache, workers: WorkerGroup) -> None:
    """Score candidates for the process that leads the run of the same config."""

    def prepare() -> Callable[[Array], Evaluation]:
        survey = survey_from_config(config)
        lm = shared.model(config.model, load_model)
        space = search_space(config, lm)
        return partial(_score, SurveyEvaluator(lm, survey, config, shared), space)

    workers.help(prepare)


def _score(evaluator: SurveyEvaluator, space: Space, z: Array) -> Evaluation:
    """Score one batch of candidates [N, d] in one forward pass."""
    survey = evaluator.survey
    evaluator.batching.fix(len(z))
    try:
        return evaluator.fitness(space.decode(z))
    except FloatingPointError:  # the model's output isn't finite
        return Evaluation(
            np.full((len(z), len(evaluator.score_names)), np.nan),
            np.full((len(z), len(survey.items)), np.nan),
            np.full(len(z), np.nan),
        )


def _search(
    config: AlignConfig,
    objectives: dict[str, Objective],
    space: Space,
    evaluator: SurveyEvaluator,
    journal: Journal,
    workers: WorkerGroup,
    name: str,
    optimizers: Sequence[Optimizer],
    warm_start: WarmStart | None = None,
) -> dict[str, SearchResult]:
    size = journal.header["batch_size"]

    def evaluate(z: Array) -> Evaluation:
        batches = [z[first : first + size] for first in range(0, len(z), size)]
        return Evaluation.joined(workers.score(partial(_score, evaluator, space), batches))

    return run_search(
        name,
        optimizers,
        objectives,
        evaluate,
        budget=config.optimizer.budget,
        max_failed_share=config.optimizer.max_failed_share,
        dimension_names=evaluator.score_names,
        journal=journal,
        side_by_side=workers.size,
        warm_start=warm_start,
    )


def _announcement(config: AlignConfig, survey: Survey, regions: Sequence[Region], lm: LanguageModel) -> str:
    vintage = regions[0].vintage
    named = ", ".join(f"{r.country}{' (estimated scores)' if r.estimated else ''}" for r in regions)
    lines = [f"aligning {config.model.slug} ({lm.embeddings.device}, frozen) to {named} ({vintage}) on {survey.title}"]
    if config.region.codes is not None:
        lines.append(f"one joint search: all regions share {config.optimizer.budget} evaluations")
    if config.model.note:
        lines.append(f"model: {config.model.note}")
    for region in regions:
        left_out = [d for d, t in zip(survey.dimension_names, region.target, strict=True) if np.isnan(t)]
        if left_out:
            of = f" of {region.country}" if len(regions) > 1 else ""
            lines.append(f"no target for {', '.join(left_out)}{of} in {vintage}: left out of the loss of every method")
    return "\n".join(lines)


@contextmanager
def _timed(clock: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    clock[name] = time.perf_counter() - started
