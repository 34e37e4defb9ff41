"""Ask, evaluate, tell: the search loop, with its journal and its progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cultural_sp.search.journal import Journal
from cultural_sp.search.optimizers import Optimizer

Array = NDArray[np.float64]
KEEP_Z_UP_TO = 1024  # longer search vectors would make the journal larger than the model


@dataclass(frozen=True)
class Evaluation:
    """What N candidates scored."""

    loss: Array
    """[N], NaN where an answer is missing or not finite."""
    dimensions: Array
    """[N, K]"""
    item_means: Array
    """[N, Q]"""
    valid_mass: Array
    """[N], mean probability on valid options."""


@dataclass(frozen=True)
class SearchResult:
    """The best candidate and the way there."""

    z: Array
    """[d]"""
    loss: float
    losses: Array
    """[budget], in the order of evaluation."""


def run_search(
    name: str,
    optimizer: Optimizer,
    evaluate: Callable[[Array], Evaluation],
    *,
    budget: int,
    batch_size: int,
    dimension_names: tuple[str, ...],
    journal: Journal,
) -> SearchResult:
    """Spend ``budget`` evaluations and return the best candidate; the earlier one on a tie.

    Args:
        name: how the journal and the progress bar call this search.
        optimizer: proposes candidates, a generation at a time.
        evaluate: scores search vectors [N, d].
        budget: number of evaluations.
        batch_size: candidates per call of ``evaluate``.
        dimension_names: names of the K dimensions, for the journal.
        journal: gets one record per evaluation.

    Raises:
        ValueError: if not one evaluation has a loss.
    """
    best_z: Array | None = None
    best_loss = np.inf
    losses: list[float] = []
    with progress(name, budget) as bar:
        generation = 0
        while len(losses) < budget:
            candidates = optimizer.ask(min(optimizer.generation_size, budget - len(losses)))
            told = []
            for first in range(0, len(candidates), batch_size):
                batch = candidates[first : first + batch_size]
                started = time.perf_counter()
                scored = evaluate(batch)
                seconds = (time.perf_counter() - started) / len(batch)
                records = []
                for i, z in enumerate(batch):
                    loss = float(scored.loss[i])
                    if loss < best_loss:
                        best_z, best_loss = z, loss
                    record = {
                        "search": name,
                        "index": len(losses),
                        "generation": generation,
                        "loss": loss,
                        "best_loss": best_loss,
                        "dimensions": dict(zip(dimension_names, scored.dimensions[i], strict=True)),
                        "item_means": scored.item_means[i],
                        "valid_mass": scored.valid_mass[i],
                        "seconds": round(seconds, 4),
                    }
                    if z.size <= KEEP_Z_UP_TO:
                        record["z"] = z
                    records.append(record)
                    losses.append(loss)
                journal.append(records)
                told.append(scored.loss)
                bar.update(len(batch))
                bar.set_postfix_str(f"best loss {best_loss:.2f}", refresh=False)
            optimizer.tell(np.concatenate(told))
            generation += 1
    if best_z is None:
        raise ValueError(
            f"none of the {budget} evaluations of {name} has a loss: every survey had missing answers; "
            "choose another readout or survey.scoring"
        )
    return SearchResult(best_z, best_loss, np.array(losses))


def progress(name: str, total: int) -> tqdm[Any]:
    """A progress bar with the time left; where there is no terminal, a line every half minute."""
    quiet = not sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=name,
        file=_Lines() if quiet else sys.stderr,
        mininterval=30 if quiet else 0.5,
        maxinterval=30,
        ascii=quiet,
        bar_format="{desc}: {n_fmt}/{total_fmt} |{bar:20}| {elapsed} elapsed, {remaining} left{postfix}",
    )


class _Lines:
    """Turns tqdm's carriage returns into lines, so that a log file stays readable."""

    def write(self, text: str) -> None:
        line = text.strip()
        if line:
            print(line, file=sys.stderr, flush=True)

    def flush(self) -> None:
        """Every line is flushed when it is written."""
