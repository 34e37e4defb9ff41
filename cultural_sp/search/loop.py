"""The search loop: ask, evaluate, tell. It resumes from a journal and can serve several objectives at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
from tqdm import tqdm

from cultural_sp.search.answers import Answers
from cultural_sp.search.history import ObjectiveFunction, SearchHistory, SearchResult
from cultural_sp.search.journal import POOLED, Journal, evaluation_record, pooled_entry
from cultural_sp.search.nevergrad import best_first
from cultural_sp.search.optimizers import Optimizer
from cultural_sp.search.schedule import Generation, batch_ends
from cultural_sp.search.warm_start import WarmStart
from cultural_sp.types import Array, Candidates
from cultural_sp.utils.progress import progress
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


N_AVERAGED = 8
"""Candidates whose weighted mean takes all tuned wordings at the end of a search of single wordings."""


@dataclass(frozen=True)
class Batch:
    """Candidates that are asked the same."""

    z: Candidates
    """[N, d]"""
    wording: str = ""
    """Name of the wording; empty for all tuned ones."""


@dataclass(frozen=True)
class Search:
    """One search: a budget of evaluations that optimizers and objectives share.

    Optimizers take turns, one generation each. The one whose turn it is is *told* the losses; the others are *offered* the same
    candidates under their own objective, because the model's answers don't depend on the objective.

    If candidates take one wording each, their losses can't be compared. Optimizers are then told the losses of the scores over
    all tuned wordings that a model of all answers expects. At the end of a generation the candidate with the lowest expected loss
    takes all tuned wordings, and only such a candidate can be the best of the search. In the last generation it is the weighted
    mean of the candidates that seem best.

    A resumed search asks its optimizers as before and tells them what the journal holds, so nothing is evaluated twice. A signal
    takes effect between two batches.
    """

    name: str
    """Name in the journal and on the progress bar."""
    objectives: Mapping[str, ObjectiveFunction]
    """Name -> objective."""
    evaluate: Callable[[Sequence[Batch]], Evaluation]
    """Scores batches with the model."""
    generations: Sequence[Generation]
    """What is evaluated."""
    dimension_names: tuple[str, ...]
    """Names of the K dimension scores, for the journal."""
    journal: Journal
    """Gets one record per evaluation; ``batch_size`` in its header is the number of candidates in a batch."""
    max_failed_share: float = 0.5
    """Largest share of evaluations that may lack a finite loss."""
    parallel_batches: int = 1
    """Number of batches that are evaluated at once."""
    n_finalists: int = 1
    """Number of best candidates to keep."""

    @property
    def budget(self) -> int:
        """Number of evaluations, of all objectives together."""
        return sum(map(len, self.generations))

    def run(self, optimizers: Sequence[Optimizer], warm_start: WarmStart | None = None) -> dict[str, SearchResult]:
        """Spend the budget; returns objective name -> best candidate, the earlier one on a tie.

        Args:
            optimizers: fresh optimizers of the first objectives, in order. An objective without an optimizer takes its best from
                the candidates of the others.
            warm_start: evaluations of earlier runs, offered to all optimizers before the first generation.

        Raises:
            ValueError: if too many evaluations have no loss, or if the journal is damaged or can't be written.
        """
        n_recorded = self.journal.start(self.name, self._batch_ends())
        with progress(self.name, self.budget, n_recorded) as bar:
            running = _RunningSearch(self, optimizers, n_recorded, bar)
            if warm_start is not None:
                running.offer_prior(warm_start)
            for number in range(len(self.generations)):
                running.generation(number)
        return running.results()

    def _batch_ends(self) -> list[int]:
        size, ends, done = self.journal.header["batch_size"], [], 0
        for generation in self.generations:
            ends += [done + end for end in generation.batch_ends(size)]
            done += len(generation)
        return ends


@dataclass(frozen=True)
class _Place:
    """Where evaluations belong."""

    generation: int
    objective: str
    """Name of the objective whose optimizer asked."""
    wordings: tuple[str, ...]
    is_check: bool = False


class _RunningSearch:
    """A search between its first and its last evaluation."""

    def __init__(self, search: Search, optimizers: Sequence[Optimizer], n_recorded: int, bar: tqdm[Any]) -> None:
        self._search, self._n_recorded, self._bar = search, n_recorded, bar
        self._histories = {name: SearchHistory(o, search.n_finalists) for name, o in search.objectives.items()}
        self._turns = list(zip(search.objectives, optimizers, strict=False))
        self._answers = Answers(search.generations[-1].check)
        self._done = 0

    def offer_prior(self, prior: WarmStart) -> None:
        """Offer evaluations of earlier runs to all optimizers."""
        for history in self._histories.values():
            history.add_prior(prior)
        self._learn(prior.z, prior.wordings, (prior.dimensions, prior.valid_mass))

    def generation(self, number: int) -> None:
        """Evaluate a generation and let the optimizers learn from it."""
        generation = self._search.generations[number]
        name, optimizer = self._turns[number % len(self._turns)]
        place = _Place(number, name, generation.wordings)
        z = optimizer.ask(len(place.wordings))
        self._learn(z, place.wordings, self._evaluated(place, z), place)
        if generation.check:
            is_last = number + len(self._turns) >= len(self._search.generations)
            place = _Place(number, name, generation.check, is_check=True)
            z = np.repeat(self._to_check(name, mean=is_last)[None], len(place.wordings), axis=0)
            self._learn(z, place.wordings, self._evaluated(place, z), place)
        self._check_failures()

    def results(self) -> dict[str, SearchResult]:
        """Return objective name -> outcome, once all generations are evaluated."""
        n_failed = self._most_failures()
        if n_failed:
            show(
                f"{self._search.name}: {n_failed} of {self._search.budget} evaluations failed: no answer or no finite loss"
            )
        if not all(history.finalists for history in self._histories.values()):
            raise self._too_many_failures(n_failed)
        return {name: history.result() for name, history in self._histories.items()}

    def _evaluated(self, place: _Place, z: Candidates) -> tuple[Array, Array]:
        """Return dimension scores [N, K] and valid masses [N] of candidates, from the journal as far as it goes."""
        n_replayed = min(max(self._n_recorded - self._done, 0), len(z))
        recorded, new = (
            replace(place, wordings=place.wordings[part]) for part in (slice(n_replayed), slice(n_replayed, None))
        )
        parts = [self._replay(recorded, z[:n_replayed])]
        for batches in self._batches(new, z[n_replayed:]):
            parts.append(self._evaluate(place, batches))
            best = float(np.mean([history.best for history in self._histories.values()]))
            self._bar.set_postfix_str(f"best loss {best:.2f}" if np.isfinite(best) else "", refresh=False)
            self._bar.update(len(parts[-1][1]))
        self._done += len(z)
        dimensions, valid_mass = (np.concatenate(column) for column in zip(*parts, strict=True))
        return dimensions, valid_mass

    def _batches(self, place: _Place, z: Candidates) -> Iterator[list[Batch]]:
        """Yield the batches that are evaluated and recorded at once."""
        ends = batch_ends(place.wordings, self._search.journal.header["batch_size"])
        batches = [Batch(z[first:end], place.wordings[first]) for first, end in pairwise([0, *ends])]
        at_once = max(len(batches), 1) if place.is_check else self._search.parallel_batches
        for first in range(0, len(batches), at_once):
            yield batches[first : first + at_once]

    def _replay(self, place: _Place, z: Candidates) -> tuple[Array, Array]:
        """Take over recorded evaluations."""
        records = self._search.journal.replay(z, place.wordings, place.objective, self._search.dimension_names)
        for name, history in self._histories.items():
            losses = (records.loss, records.l1) if name == place.objective else None
            history.add(z, place.wordings, records.dimensions, records.valid_mass, losses)
        if place.is_check and len(z):
            self._pool(place, z[0], records.dimensions, records.valid_mass)
        return records.dimensions, records.valid_mass

    def _evaluate(self, place: _Place, batches: Sequence[Batch]) -> tuple[Array, Array]:
        """Score batches and write them into the journal."""
        z = np.concatenate([batch.z for batch in batches])
        wordings = [batch.wording for batch in batches for _ in batch.z]
        with delay_signals():
            started = time.perf_counter()
            step = self._search.parallel_batches
            scores = Evaluation.joined(
                [self._search.evaluate(batches[first : first + step]) for first in range(0, len(batches), step)]
            )
            seconds = round((time.perf_counter() - started) / len(z), 4)
            for history in self._histories.values():
                history.add(z, wordings, scores.dimensions, scores.valid_mass)
            pooled = self._pool(place, z[0], scores.dimensions, scores.valid_mass) if place.is_check else {}
            records = self._records(place, (z, wordings), seconds, scores)
            if place.is_check:
                records[-1][POOLED] = pooled
            self._search.journal.append(records)
        return scores.dimensions, scores.valid_mass

    def _pool(self, place: _Place, z: Array, dimensions: Array, valid_mass: Array) -> dict[str, Any]:
        """Rank a candidate [d] by its answers in all tuned wordings; return what the journal says about it."""
        means, mass = dimensions.mean(axis=0), float(valid_mass.mean())
        found = {name: history.add_check(z, means, mass) for name, history in self._histories.items()}
        return pooled_entry(self._search.dimension_names, means, mass, found[place.objective])

    def _records(
        self, place: _Place, asked: tuple[Candidates, Sequence[str]], seconds: float, scores: Evaluation
    ) -> list[dict[str, Any]]:
        """Journal records of candidates and their wordings, the last evaluations of the histories."""
        history = self._histories[place.objective]
        first = len(history.losses) - len(asked[0])
        return [
            evaluation_record(
                z,
                wording,
                search=self._search.name,
                index=first + i,
                generation=place.generation,
                objective=place.objective,
                loss=history.losses[first + i],
                l1=history.l1[first + i],
                best_loss=history.best_losses[first + i],
                dimensions=dict(zip(self._search.dimension_names, scores.dimensions[i], strict=True)),
                item_means=scores.item_means[i],
                valid_mass=scores.valid_mass[i],
                seconds=seconds,
            )
            for i, (z, wording) in enumerate(zip(*asked, strict=True))
        ]

    def _learn(
        self, z: Candidates, wordings: Sequence[str], scores: tuple[Array, Array], place: _Place | None = None
    ) -> None:
        """Let the optimizers learn from candidates that were asked.

        The one that asked is told; those that had their first turn are offered the candidates; all are offered a check, and the
        evaluations of earlier runs, which have no ``place``.
        """
        values, shares = np.column_stack(scores), None
        expected = values
        if self._search.generations[-1].check:
            self._answers.add(z, wordings, values)
            shares = self._answers.shares(wordings)
            expected = self._answers.pooled(z)
            expected[~np.isfinite(values).all(axis=1)] = np.nan
        for number, (name, optimizer) in enumerate(self._turns):
            history = self._histories[name]
            losses, _ = history.losses_of(expected[:, :-1], expected[:, -1])
            behind = history.scores(*scores, shares)
            if place is not None and not place.is_check and number == place.generation % len(self._turns):
                optimizer.tell(losses, behind)
            elif place is None or number <= place.generation:  # one start for all would teach less
                optimizer.offer(z, losses, behind)

    def _to_check(self, name: str, *, mean: bool) -> Array:
        """Return the candidate [d] that takes all tuned wordings: the one that seems best of those that haven't, or a mean.

        The mean is over the candidates that seem best, with the weights of CMA-ES (Hansen 2016, arXiv 1604.00772).
        """
        z = self._answers.candidates()
        expected = self._answers.pooled(z)
        losses, _ = self._histories[name].losses_of(expected[:, :-1], expected[:, -1])
        order = best_first(losses)
        if mean and len(order):
            best = z[order[:N_AVERAGED]]
            weights = np.log(len(best) + 0.5) - np.log(np.arange(1, len(best) + 1))
            return np.asarray(weights @ best / weights.sum(), dtype=np.float64)
        new = [i for i in order if not self._answers.is_checked(z[i])]
        return np.asarray(z[new[0] if new else 0], dtype=np.float64)

    def _check_failures(self) -> None:
        n_failed = self._most_failures()
        if n_failed / self._done > self._search.max_failed_share or n_failed == self._search.budget:
            raise self._too_many_failures(n_failed)

    def _too_many_failures(self, n_failed: int) -> ValueError:
        return ValueError(
            f"{n_failed} of {self._done} evaluations of {self._search.name} have no loss "
            f"(optimizer.max_failed_share={self._search.max_failed_share}): the model's answers are missing or not finite; "
            "choose another readout or survey.scoring, or a smaller soft_prompt.scale"
        )

    def _most_failures(self) -> int:
        """Return the number of evaluations without a loss, of the objective with most of them."""
        return max(history.n_failed for history in self._histories.values())
