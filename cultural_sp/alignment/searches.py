"""The two searches of a run: random search as the baseline, then the configured optimizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from cultural_sp.alignment.inputs import RunInputs
from cultural_sp.alignment.setup import Setup
from cultural_sp.alignment.spaces import search_space
from cultural_sp.alignment.workers import WorkerGroup
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.fitness import Fitness
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.runs.inputs import survey_from_config
from cultural_sp.search.history import SearchResult
from cultural_sp.search.journal import Journal
from cultural_sp.search.loop import Evaluation, Search
from cultural_sp.search.objective import Objective
from cultural_sp.search.optimizers import Optimizer, make_optimizer
from cultural_sp.search.random_search import RandomSearch
from cultural_sp.search.space import Space
from cultural_sp.search.warm_start import WarmStart
from cultural_sp.types import Candidates
from cultural_sp.utils.stopwatch import Stopwatch


@dataclass(frozen=True)
class RegionSearches:
    """The outcome of both searches of a run for one region."""

    random_search: SearchResult
    aligned: SearchResult


@dataclass(frozen=True)
class Searches:
    """Runs searches for all regions of a run and writes them into its journal."""

    config: AlignConfig
    inputs: RunInputs
    setup: Setup
    journal: Journal
    workers: WorkerGroup

    def run(self, stopwatch: Stopwatch) -> dict[str, RegionSearches]:
        """Region code -> the outcome of both searches; what the journal holds of them isn't evaluated again.

        Raises:
            ValueError: if too many evaluations fail, or the journal is damaged or can't be written.
        """
        with stopwatch("random_search"):
            random_search = self.random_search()
        with stopwatch("search"):
            aligned = self.aligned()
        self.journal.end()
        return {code: RegionSearches(random_search[code], aligned[code]) for code in aligned}

    def random_search(self) -> dict[str, SearchResult]:
        """Region code -> best of random search, with as many evaluations as the search that follows."""
        return self._search("random_search", [RandomSearch(self.config.optimizer, self.setup.space.dim)])

    def aligned(self) -> dict[str, SearchResult]:
        """Region code -> best of the configured optimizer, one per region."""
        dim = self.setup.space.dim
        optimizers = [
            make_optimizer(replace(self.config.optimizer, seed=seed), dim)
            for seed in optimizer_seeds(self.config.optimizer.seed, len(self.inputs.regions))
        ]
        return self._search("aligned", optimizers, self.setup.warm_start)

    def _search(
        self, name: str, optimizers: Sequence[Optimizer], warm_start: WarmStart | None = None
    ) -> dict[str, SearchResult]:
        settings, objective = self.config.optimizer, self.config.objective
        start_mass = self.journal.header.get("start_mass")
        search = Search(
            name=name,
            objectives={r.code: Objective(r.target, objective, start_mass) for r in self.inputs.regions},
            evaluate=self._evaluate,
            budget=settings.budget,
            dimension_names=self.setup.fitness.score_names,
            journal=self.journal,
            max_failed_share=settings.max_failed_share,
            parallel_batches=self.workers.size,
        )
        return search.run(optimizers, warm_start)

    def _evaluate(self, z: Candidates) -> Evaluation:
        """Score candidates [N, d] in batches of the journal's size, spread over the workers."""
        size = self.journal.header["batch_size"]
        batches = [z[first : first + size] for first in range(0, len(z), size)]
        return Evaluation.joined(
            self.workers.score(partial(score_batch, self.setup.fitness, self.setup.space), batches)
        )


def optimizer_seeds(seed: int, n: int) -> list[int]:
    """Seeds of ``n`` optimizers. The first is the run's; the others are drawn from it, or all would ask for the same."""
    return [seed] + [int(np.random.SeedSequence([seed, i]).generate_state(1)[0]) for i in range(1, n)]


def score_batch(fitness: Fitness, space: Space, z: Candidates) -> Evaluation:
    """Score one batch of candidates [N, d] in one forward pass; NaN if the model's output isn't finite."""
    fitness.evaluator.batching.fix(len(z))
    try:
        return fitness(space.decode(z))
    except FloatingPointError:
        return fitness.failed(len(z))


def serve_searches(config: AlignConfig, cache: ModelCache, workers: WorkerGroup) -> None:
    """Score candidates for the leader, which runs the same config, until it is done."""

    def prepare() -> Callable[[Candidates], Evaluation]:
        survey = survey_from_config(config)
        lm = cache.model(config.model, load_model)
        fitness = Fitness(SurveyEvaluator(lm, survey, config, cache))
        return partial(score_batch, fitness, search_space(config, lm))

    workers.serve(prepare)
