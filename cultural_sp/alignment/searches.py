"""The two searches of a run: random search as the baseline, then the configured optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from cultural_sp.alignment.inputs import RunInputs
from cultural_sp.alignment.serving import score_batch
from cultural_sp.alignment.setup import Setup
from cultural_sp.alignment.workers import WorkerGroup
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.fitness import SELECTED
from cultural_sp.search.history import SearchResult
from cultural_sp.search.journal import Journal
from cultural_sp.search.loop import Batch, Evaluation, Search
from cultural_sp.search.objective import Objective
from cultural_sp.search.optimizers import Optimizer, make_optimizer
from cultural_sp.search.random_search import RandomSearch
from cultural_sp.search.selection import Selection, selection_name
from cultural_sp.search.warm_start import WarmStart
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
        settings, fitness = self.config.optimizer, self.setup.fitness
        start_mass = self.journal.header.get("start_mass")
        objectives = {r.code: Objective(r.target, self.config.objective, start_mass) for r in self.inputs.regions}
        n_tuned, n_selected = len(fitness.evaluator.tuned_wordings), len(fitness.selected_wordings)
        n_finalists = settings.finalists if n_selected else 0
        search = Search(
            name=name,
            objectives=objectives,
            evaluate=self._evaluate,
            generations=fitness.generations(),
            dimension_names=fitness.score_names,
            journal=self.journal,
            max_failed_share=settings.max_failed_share,
            parallel_batches=self.workers.size,
            n_finalists=n_finalists,
        )
        results = search.run(optimizers, warm_start)
        if not n_finalists:
            return results
        selection = Selection(
            name=selection_name(name),
            objectives=objectives,
            wording=SELECTED,
            share=n_selected / (n_tuned + n_selected),
            evaluate=self._evaluate,
            dimension_names=fitness.score_names,
            journal=self.journal,
        )
        return selection.run(results)

    def _evaluate(self, batches: Sequence[Batch]) -> Evaluation:
        """Score batches, at most one for each worker."""
        score = partial(score_batch, self.setup.fitness, self.setup.space)
        return Evaluation.joined(self.workers.score(score, list(batches)))


def optimizer_seeds(seed: int, n: int) -> list[int]:
    """Seeds of ``n`` optimizers. The first is the run's; the others are drawn from it, or all would ask for the same."""
    return [seed] + [int(np.random.SeedSequence([seed, i]).generate_state(1)[0]) for i in range(1, n)]
