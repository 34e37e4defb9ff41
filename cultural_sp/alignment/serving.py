"""Scoring of candidates, in the leading process and in those that serve it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cultural_sp.alignment.spaces import search_space
from cultural_sp.alignment.workers import WorkerGroup
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.fitness import Fitness
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.runs.inputs import survey_from_config
from cultural_sp.search.loop import Batch, Evaluation
from cultural_sp.search.space import Space


def score_batch(fitness: Fitness, space: Space, batch: Batch) -> Evaluation:
    """Score one batch of candidates in one forward pass; NaN if the model's output isn't finite."""
    fitness.evaluator.batching.fix(len(batch.z))
    try:
        return fitness(space.decode(batch.z), batch.wording)
    except FloatingPointError:
        return fitness.failed(len(batch.z))


def serve_searches(config: AlignConfig, cache: ModelCache, workers: WorkerGroup) -> None:
    """Score candidates for the leader, which runs the same config, until it is done."""

    def prepare() -> Callable[[Batch], Evaluation]:
        survey = survey_from_config(config)
        lm = cache.model(config.model, load_model)
        fitness = Fitness(SurveyEvaluator(lm, survey, config, cache))
        return partial(score_batch, fitness, search_space(config, lm))

    workers.serve(prepare)
