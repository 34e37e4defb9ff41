"""Ask, evaluate, tell: the search loop, which goes on from its journal and may serve several goals at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from cultural_sp.search.history import Objective, SearchHistory, SearchResult
from cultural_sp.search.journal import KEEP_Z_UP_TO, Journal, fingerprint
from cultural_sp.search.optimizers import Optimizer
from cultural_sp.search.warm_start import WarmStart
from cultural_sp.types import Array
from cultural_sp.utils.progress import progress
from cultural_sp.utils.signals import finish_first


@dataclass(frozen=True)
class Evaluation:
    """What N candidates scored, whatever the goal; NaN where an answer is missing or not finite."""

    dimensions: Array
    """[N, K]"""
    item_means: Array
    """[N, Q]"""
    valid_mass: Array
    """[N], mean probability on valid options."""

    @classmethod
    def joined(cls, parts: Sequence[Evaluation]) -> Evaluation:
        """The evaluations of several batches as one."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


def run_search(
    name: str,
    optimizers: Sequence[Optimizer],
    objectives: Mapping[str, Objective],
    evaluate: Callable[[Array], Evaluation],
    *,
    budget: int,
    max_failed_share: float,
    dimension_names: tuple[str, ...],
    journal: Journal,
    side_by_side: int = 1,
    warm_start: WarmStart | None = None,
) -> dict[str, SearchResult]:
    """Spend ``budget`` evaluations and return the best candidate for every goal; the earlier one on a tie.

    The optimizers ask a generation each in turn. Whoever asked is told the losses under its own goal; the others that have had
    their first turn are offered the same candidates with the losses under theirs, for what the model answers doesn't depend
    on the goal.

    What the journal already holds of this search isn't evaluated again: the optimizers are asked as before and told the
    recorded losses. A signal takes effect between two batches.

    Args:
        name: how the journal and the progress bar call this search.
        optimizers: of the first goals, in order; fresh, whatever the journal holds. Goals without one take their best from
            what the others ask. All have the same generation size.
        objectives: name -> the loss it gives.
        evaluate: scores search vectors [N, d].
        budget: number of evaluations, of all goals together.
        max_failed_share: the largest share of evaluations that may lack a finite loss.
        dimension_names: names of the K dimensions, for the journal.
        journal: gets one record per evaluation; its header says how many candidates are evaluated together.
        side_by_side: how many such batches ``evaluate`` is given at once.
        warm_start: what earlier runs evaluated, which is offered to all optimizers before the first generation.

    Raises:
        ValueError: in one line, if too many evaluations have no loss, or if the journal is damaged or can't be written.
    """
    histories = {name: SearchHistory(objective) for name, objective in objectives.items()}
    askers = list(zip(objectives, optimizers, strict=False))
    if warm_start is not None:
        known = {objective: history.add_prior(warm_start) for objective, history in histories.items()}
        for objective, optimizer in askers:
            optimizer.offer(
                warm_start.z,
                known[objective],
                histories[objective].scores(warm_start.dimensions, warm_start.valid_mass),
            )
    size = optimizers[0].generation_size
    recorded = journal.start(name, budget, size)
    step = journal.header["batch_size"] * side_by_side
    done = generation = failed = 0
    with progress(name, budget, recorded) as bar:
        while done < budget:
            objective, asker = askers[generation % len(askers)]
            own, first = histories[objective], done
            candidates = asker.ask(min(size, budget - done))
            kept = journal.recorded(candidates[: max(recorded - done, 0)], objective, dimension_names)
            done += len(kept.loss)
            for history in histories.values():
                as_told = (kept.loss, kept.l1) if history is own else None
                history.add(candidates[: len(kept.loss)], kept.dimensions, kept.valid_mass, as_told)
            seen = [(kept.dimensions, kept.valid_mass)]
            while done < first + len(candidates):
                batch = candidates[done - first :][:step]
                with finish_first():
                    started = time.perf_counter()
                    scored = evaluate(batch)
                    seconds = round((time.perf_counter() - started) / len(batch), 4)
                    for history in histories.values():
                        history.add(batch, scored.dimensions, scored.valid_mass)
                    seen.append((scored.dimensions, scored.valid_mass))
                    journal.append(
                        [
                            {
                                "search": name,
                                "index": done + i,
                                "generation": generation,
                                "objective": objective,
                                "loss": own.losses[done + i],
                                "l1": own.l1[done + i],
                                "best_loss": own.best_losses[done + i],
                                "dimensions": dict(zip(dimension_names, scored.dimensions[i], strict=True)),
                                "item_means": scored.item_means[i],
                                "valid_mass": scored.valid_mass[i],
                                "seconds": seconds,
                                "fingerprint": fingerprint(z),
                                **({"z": z} if z.size <= KEEP_Z_UP_TO else {}),
                            }
                            for i, z in enumerate(batch)
                        ]
                    )
                done += len(batch)
                bar.set_postfix_str(f"best loss {np.mean([x.best for x in histories.values()]):.2f}", refresh=False)
                bar.update(len(batch))
            dimensions, valid_mass = (np.concatenate(parts) for parts in zip(*seen, strict=True))
            for place, (other, optimizer) in enumerate(askers):
                losses, scores = (
                    np.array(histories[other].losses[first:]),
                    histories[other].scores(dimensions, valid_mass),
                )
                if optimizer is asker:
                    optimizer.tell(losses, scores)
                elif place <= generation:  # who hasn't asked yet begins on its own: one start for all would teach less
                    optimizer.offer(candidates, losses, scores)
            generation += 1
            failed = max(history.failed for history in histories.values())
            if failed / done > max_failed_share or failed == budget:
                raise ValueError(
                    f"{failed} of {done} evaluations of {name} have no loss "
                    f"(optimizer.max_failed_share={max_failed_share}): the model's answers are missing or not finite; choose "
                    "another readout or survey.scoring, or a smaller soft_prompt.scale"
                )
    if failed:
        print(f"{name}: {failed} of {budget} evaluations failed: no answer or no finite loss", flush=True)
    return {objective: history.result() for objective, history in histories.items()}
