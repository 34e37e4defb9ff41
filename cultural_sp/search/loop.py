"""Ask, evaluate, tell: the search loop, which goes on from its journal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cultural_sp.interrupt import finish_first
from cultural_sp.search.best import of_best
from cultural_sp.search.journal import Journal, fingerprint
from cultural_sp.search.optimizers import Optimizer

Array = NDArray[np.float64]
KEEP_Z_UP_TO = 1024  # longer search vectors would make the journal larger than the model


@dataclass(frozen=True)
class Evaluation:
    """What N candidates scored."""

    loss: Array
    """[N], what the search lowers; NaN where an answer is missing or not finite."""
    dimensions: Array
    """[N, K]"""
    item_means: Array
    """[N, Q]"""
    valid_mass: Array
    """[N], mean probability on valid options."""
    l1: Array
    """[N], mean absolute difference in index points, which is reported whatever the search lowers."""

    @classmethod
    def joined(cls, parts: Sequence[Evaluation]) -> Evaluation:
        """The evaluations of several batches as one."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


@dataclass(frozen=True)
class SearchResult:
    """The best candidate and the way there."""

    z: Array
    """[d]"""
    loss: float
    losses: Array
    """[budget], in the order of evaluation."""
    l1: Array
    """[budget], mean absolute differences in the same order."""

    def l1_of_best(self) -> Array:
        """Mean absolute difference [budget] of whichever candidate has had the lowest loss; NaN while none has one."""
        return of_best(self.losses, self.l1)


def run_search(
    name: str,
    optimizer: Optimizer,
    evaluate: Callable[[Array], Evaluation],
    *,
    budget: int,
    max_failed_share: float,
    dimension_names: tuple[str, ...],
    journal: Journal,
    side_by_side: int = 1,
) -> SearchResult:
    """Spend ``budget`` evaluations and return the best candidate; the earlier one on a tie.

    What the journal already holds of this search isn't evaluated again: the optimizer is asked as before and told the
    recorded losses. A signal takes effect between two batches.

    Args:
        name: how the journal and the progress bar call this search.
        optimizer: proposes candidates, a generation at a time; fresh, whatever the journal holds.
        evaluate: scores search vectors [N, d].
        budget: number of evaluations.
        max_failed_share: the largest share of evaluations that may lack a finite loss.
        dimension_names: names of the K dimensions, for the journal.
        journal: gets one record per evaluation; its header says how many candidates are evaluated together.
        side_by_side: how many such batches ``evaluate`` is given at once.

    Raises:
        ValueError: in one line, if too many evaluations have no loss, or if the journal is damaged or can't be written.
    """
    best = _Best()
    losses: list[float] = []
    l1: list[float] = []
    recorded = journal.start(name, budget, optimizer.generation_size)
    step = journal.header["batch_size"] * side_by_side
    with progress(name, budget, recorded) as bar:
        generation = 0
        while len(losses) < budget:
            candidates = optimizer.ask(min(optimizer.generation_size, budget - len(losses)))
            told = []
            for z, loss, difference in journal.recorded(candidates[: max(recorded - len(losses), 0)]):
                told.append(best.update(z, loss))
                l1.append(difference)
            while len(told) < len(candidates):
                batch = candidates[len(told) : len(told) + step]
                with finish_first():
                    started = time.perf_counter()
                    scored = evaluate(batch)
                    seconds = round((time.perf_counter() - started) / len(batch), 4)
                    records = []
                    for i, z in enumerate(batch):
                        told.append(best.update(z, float(scored.loss[i])))
                        l1.append(float(scored.l1[i]) if np.isfinite(told[-1]) else np.nan)
                        records.append(
                            {
                                "search": name,
                                "index": len(losses) + len(told) - 1,
                                "generation": generation,
                                "loss": told[-1],
                                "l1": l1[-1],
                                "best_loss": best.loss,
                                "dimensions": dict(zip(dimension_names, scored.dimensions[i], strict=True)),
                                "item_means": scored.item_means[i],
                                "valid_mass": scored.valid_mass[i],
                                "seconds": seconds,
                                "fingerprint": fingerprint(z),
                                **({"z": z} if z.size <= KEEP_Z_UP_TO else {}),
                            }
                        )
                    journal.append(records)
                bar.update(len(batch))
                bar.set_postfix_str(f"best loss {best.loss:.2f}", refresh=False)
            optimizer.tell(np.array(told))
            losses += told
            generation += 1
            failed = int(np.isnan(losses).sum())
            if failed / len(losses) > max_failed_share or failed == budget:
                raise ValueError(
                    f"{failed} of {len(losses)} evaluations of {name} have no loss "
                    f"(optimizer.max_failed_share={max_failed_share}): the model's answers are missing or not finite; choose "
                    "another readout or survey.scoring, or a smaller soft_prompt.scale"
                )
    if failed:
        print(f"{name}: {failed} of {budget} evaluations failed: no answer or no finite loss", flush=True)
    assert best.z is not None
    return SearchResult(best.z, best.loss, np.array(losses), np.array(l1))


class _Best:
    """The best candidate so far."""

    def __init__(self) -> None:
        self.z: Array | None = None
        self.loss = np.inf

    def update(self, z: Array, loss: float) -> float:
        """Compare with a candidate [d]; returns its loss, NaN if that isn't finite."""
        loss = loss if np.isfinite(loss) else np.nan
        if loss < self.loss:
            self.z, self.loss = z, loss
        return loss


def progress(name: str, total: int, done: int = 0) -> tqdm[Any]:
    """A progress bar with the time left, ``done`` steps in; where there is no terminal, a line every half minute."""
    quiet = not sys.stderr.isatty()
    return tqdm(
        total=total,
        initial=done,
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
