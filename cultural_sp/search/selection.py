"""Selection: the best candidates of a search take the survey in wordings that it hasn't seen; the best one there is chosen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from cultural_sp.search.history import Finalist, ObjectiveFunction, SearchResult
from cultural_sp.search.journal import POOLED, Journal, evaluation_record, pooled_entry
from cultural_sp.search.loop import Batch, Evaluation
from cultural_sp.search.schedule import batch_ends
from cultural_sp.types import Array
from cultural_sp.utils.progress import progress
from cultural_sp.utils.signals import delay_signals


@dataclass(frozen=True)
class Selection:
    """The choice among the finalists of a search, for each objective.

    Chosen is the candidate with the lowest loss of its scores over all tuned and all selected wordings. The best of hundreds of
    candidates owes part of its place to the wordings that it was searched on.
    """

    name: str
    """Name in the journal, see :func:`selection_name`."""
    objectives: Mapping[str, ObjectiveFunction]
    wording: str
    """Stands for all wordings to select on."""
    share: float
    """The share of these wordings in all tuned and selected ones."""
    evaluate: Callable[[Sequence[Batch]], Evaluation]
    dimension_names: tuple[str, ...]
    journal: Journal

    def run(self, results: Mapping[str, SearchResult]) -> dict[str, SearchResult]:
        """Return the results of the search with the chosen candidates; one stays if no finalist has finite scores.

        Raises:
            ValueError: if the journal is damaged or can't be written.
        """
        asked = [(objective, finalist) for objective, result in results.items() for finalist in result.finalists]
        ends = batch_ends([self.wording] * len(asked), self.journal.header["batch_size"])
        n_recorded = self.journal.start(self.name, ends)
        losses = [self._replay(*each) for each in asked[:n_recorded]]
        with progress(self.name, len(asked), n_recorded) as bar:
            for first, end in pairwise([n_recorded, *(end for end in ends if end > n_recorded)]):
                losses += self._evaluate(first, asked[first:end])
                bar.update(end - first)
        chosen: dict[str, tuple[float, Finalist]] = {}
        for (objective, finalist), loss in zip(asked, losses, strict=True):
            if np.isfinite(loss) and loss < chosen.get(objective, (np.inf, finalist))[0]:
                chosen[objective] = (loss, finalist)
        return {
            name: replace(result, z=chosen[name][1].z, loss=chosen[name][1].loss) if name in chosen else result
            for name, result in results.items()
        }

    def _replay(self, objective: str, finalist: Finalist) -> float:
        records = self.journal.replay(finalist.z[None], [self.wording], objective, self.dimension_names)
        pooled = self._pooled(objective, finalist, records.dimensions[0], float(records.valid_mass[0]))
        return float(pooled["loss"])

    def _evaluate(self, first: int, asked: Sequence[tuple[str, Finalist]]) -> list[float]:
        """Evaluate finalists in one batch and write them into the journal; return their losses over all wordings."""
        z = np.stack([finalist.z for _, finalist in asked])
        records = []
        with delay_signals():
            started = time.perf_counter()
            scores = self.evaluate([Batch(z, self.wording)])
            seconds = round((time.perf_counter() - started) / len(z), 4)
            for i, (objective, finalist) in enumerate(asked):
                dimensions, mass = scores.dimensions[i], float(scores.valid_mass[i])
                loss, l1 = self.objectives[objective](dimensions[None], np.array([mass]))
                records.append(
                    evaluation_record(
                        z[i],
                        self.wording,
                        search=self.name,
                        index=first + i,
                        generation=0,
                        objective=objective,
                        loss=loss[0],
                        l1=l1[0],
                        dimensions=dict(zip(self.dimension_names, dimensions, strict=True)),
                        item_means=scores.item_means[i],
                        valid_mass=mass,
                        seconds=seconds,
                    )
                    | {POOLED: self._pooled(objective, finalist, dimensions, mass)}
                )
            self.journal.append(records)
        return [record[POOLED]["loss"] for record in records]

    def _pooled(self, objective: str, finalist: Finalist, dimensions: Array, valid_mass: float) -> dict[str, Any]:
        """Scores and losses of a finalist over all tuned and selected wordings."""
        means = self.share * dimensions + (1 - self.share) * finalist.dimensions
        mass = self.share * valid_mass + (1 - self.share) * finalist.valid_mass
        loss, l1 = self.objectives[objective](means[None], np.array([mass]))
        return pooled_entry(self.dimension_names, means, mass, (float(loss[0]), float(l1[0])))


def selection_name(search: str) -> str:
    """Return the name of a search's selection in the journal."""
    return f"{search}_selection"
