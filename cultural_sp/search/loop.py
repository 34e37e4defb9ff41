"""The search loop: ask, evaluate, tell. It resumes from a journal and can serve several objectives at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from cultural_sp.search.history import ObjectiveFunction, SearchHistory, SearchResult
from cultural_sp.search.journal import MAX_STORED_COORDINATES, Journal
from cultural_sp.search.optimizers import Optimizer
from cultural_sp.search.warm_start import WarmStart
from cultural_sp.types import Array, Candidates
from cultural_sp.utils.progress import progress
from cultural_sp.utils.serialize import fingerprint
from cultural_sp.utils.signals import delay_signals
from cultural_sp.utils.terminal import show


@dataclass(frozen=True)
class Evaluation:
    """Scores of N candidates, which don't depend on any objective; NaN if an answer is missing or not finite."""

    dimensions: Array
    """[N, K]"""
    item_means: Array
    """[N, Q]"""
    valid_mass: Array
    """[N], mean probability on valid options."""

    @classmethod
    def joined(cls, parts: Sequence[Evaluation]) -> Evaluation:
        """Concatenate the evaluations of several batches."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


@dataclass(frozen=True)
class Search:
    """One search: a budget of evaluations that optimizers and objectives share.

    Optimizers take turns, one generation each. The one whose turn it is is *told* the losses; the others are *offered* the same
    candidates under their own objective, because the model's answers don't depend on the objective.

    A resumed search asks its optimizers as before and tells them the losses that the journal holds, so nothing is evaluated
    twice. A signal takes effect between two batches.
    """

    name: str
    """Name in the journal and on the progress bar."""
    objectives: Mapping[str, ObjectiveFunction]
    """Name -> objective."""
    evaluate: Callable[[Candidates], Evaluation]
    """Scores search vectors [N, d] with the model."""
    budget: int
    """Number of evaluations, of all objectives together."""
    dimension_names: tuple[str, ...]
    """Names of the K dimension scores, for the journal."""
    journal: Journal
    """Gets one record per evaluation; ``batch_size`` in its header is the number of candidates in a batch."""
    max_failed_share: float = 0.5
    """Largest share of evaluations that may lack a finite loss."""
    parallel_batches: int = 1
    """Number of batches that ``evaluate`` gets at once."""

    def run(self, optimizers: Sequence[Optimizer], warm_start: WarmStart | None = None) -> dict[str, SearchResult]:
        """Spend the budget; returns objective name -> best candidate, the earlier one on a tie.

        Args:
            optimizers: fresh optimizers of the first objectives, in order, all with one generation size. An objective without
                an optimizer takes its best from the candidates of the others.
            warm_start: evaluations of earlier runs, offered to all optimizers before the first generation.

        Raises:
            ValueError: if too many evaluations have no loss, or if the journal is damaged or can't be written.
        """
        histories = {name: SearchHistory(objective) for name, objective in self.objectives.items()}
        turns = list(zip(self.objectives, optimizers, strict=False))
        if warm_start is not None:
            prior = {name: history.add_prior(warm_start) for name, history in histories.items()}
            for name, optimizer in turns:
                scores = histories[name].scores(warm_start.dimensions, warm_start.valid_mass)
                optimizer.offer(warm_start.z, prior[name], scores)
        size = optimizers[0].generation_size
        n_recorded = self.journal.start(self.name, self.budget, size)
        done = generation = 0
        with progress(self.name, self.budget, n_recorded) as bar:
            while done < self.budget:
                name, optimizer = turns[generation % len(turns)]
                candidates = optimizer.ask(min(size, self.budget - done))
                n_replayed = min(max(n_recorded - done, 0), len(candidates))
                parts = [self._replay(name, candidates[:n_replayed], histories)]
                for batch in self._batches(candidates[n_replayed:]):
                    parts.append(self._evaluate(name, generation, batch, histories))
                    best = np.mean([history.best for history in histories.values()])
                    bar.set_postfix_str(f"best loss {best:.2f}", refresh=False)
                    bar.update(len(batch))
                self._share(generation, turns, candidates, parts, histories)
                done += len(candidates)
                generation += 1
                self._check_failures(done, histories)
        n_failed = _most_failures(histories)
        if n_failed:
            show(f"{self.name}: {n_failed} of {self.budget} evaluations failed: no answer or no finite loss")
        return {name: history.result() for name, history in histories.items()}

    def _batches(self, candidates: Candidates) -> list[Candidates]:
        step = self.journal.header["batch_size"] * self.parallel_batches
        return [candidates[first : first + step] for first in range(0, len(candidates), step)]

    def _replay(self, name: str, candidates: Candidates, histories: Mapping[str, SearchHistory]) -> tuple[Array, Array]:
        """Take over recorded evaluations; returns dimension scores [N, K] and valid masses [N]."""
        records = self.journal.replay(candidates, name, self.dimension_names)
        for other, history in histories.items():
            losses = (records.loss, records.l1) if other == name else None
            history.add(candidates, records.dimensions, records.valid_mass, losses)
        return records.dimensions, records.valid_mass

    def _evaluate(
        self, name: str, generation: int, batch: Candidates, histories: Mapping[str, SearchHistory]
    ) -> tuple[Array, Array]:
        """Score a batch and write it into the journal; returns dimension scores [N, K] and valid masses [N]."""
        with delay_signals():
            started = time.perf_counter()
            scores = self.evaluate(batch)
            seconds = round((time.perf_counter() - started) / len(batch), 4)
            for history in histories.values():
                history.add(batch, scores.dimensions, scores.valid_mass)
            place = {"search": self.name, "generation": generation, "objective": name, "seconds": seconds}
            self.journal.append(self._records(place, batch, scores, histories[name]))
        return scores.dimensions, scores.valid_mass

    def _records(
        self, place: Mapping[str, Any], batch: Candidates, scores: Evaluation, history: SearchHistory
    ) -> list[dict[str, Any]]:
        """Journal records of a batch, the last one of ``history``."""
        first = len(history.losses) - len(batch)
        return [
            {
                "search": place["search"],
                "index": first + i,
                "generation": place["generation"],
                "objective": place["objective"],
                "loss": history.losses[first + i],
                "l1": history.l1[first + i],
                "best_loss": history.best_losses[first + i],
                "dimensions": dict(zip(self.dimension_names, scores.dimensions[i], strict=True)),
                "item_means": scores.item_means[i],
                "valid_mass": scores.valid_mass[i],
                "seconds": place["seconds"],
                "fingerprint": fingerprint(z),
                **({"z": z} if z.size <= MAX_STORED_COORDINATES else {}),
            }
            for i, z in enumerate(batch)
        ]

    def _share(
        self,
        generation: int,
        turns: Sequence[tuple[str, Optimizer]],
        candidates: Candidates,
        parts: Sequence[tuple[Array, Array]],
        histories: Mapping[str, SearchHistory],
    ) -> None:
        """Tell the optimizer that asked, and offer the generation to those that had their first turn."""
        dimensions, valid_mass = (np.concatenate(column) for column in zip(*parts, strict=True))
        for place, (name, optimizer) in enumerate(turns):
            losses = np.array(histories[name].losses[-len(candidates) :])
            scores = histories[name].scores(dimensions, valid_mass)
            if place == generation % len(turns):
                optimizer.tell(losses, scores)
            elif place <= generation:  # before its first turn an optimizer starts alone: one start for all teaches less
                optimizer.offer(candidates, losses, scores)

    def _check_failures(self, done: int, histories: Mapping[str, SearchHistory]) -> None:
        n_failed = _most_failures(histories)
        if n_failed / done > self.max_failed_share or n_failed == self.budget:
            raise ValueError(
                f"{n_failed} of {done} evaluations of {self.name} have no loss "
                f"(optimizer.max_failed_share={self.max_failed_share}): the model's answers are missing or not finite; choose "
                "another readout or survey.scoring, or a smaller soft_prompt.scale"
            )


def _most_failures(histories: Mapping[str, SearchHistory]) -> int:
    """Return the number of evaluations without a loss, of the objective with most of them."""
    return max(history.n_failed for history in histories.values())
