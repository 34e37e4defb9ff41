"""One tidy table of finished runs, on which reports, the paper's artefacts, the study and summaries of sweeps are built.

:func:`run_table` has one row per run, region, seed, method, wording and readout, with option orders averaged. A result is one
region of a run, so a joint run gives as many results as it has regions. The columns:

- ``run``: position of the result in the argument, from 0. It tells two results apart that agree in all other columns.
- ``region``, ``country``, ``vintage``: code in lower case, name, and edition of the target.
- ``model``, ``optimizer``, ``seed``: as the result names them; the optimizer is the one behind method ``aligned``.
- ``method``: one of :data:`METHODS`; after :func:`with_icl` also ``icl``, the strongest in-context baseline.
- ``wording``: tuned, tuned_2, ..., held_out_1, ..., and the pools tuned_pooled, selected_pooled, held_out_pooled.
- ``readout``: expected, argmax, sample or generate.
- ``loss``: mean absolute difference to the target in ``unit``; NaN if an item that it needs has no answer.
- ``valid_mass``: mean probability of the valid options together, from 0 to 1; NaN for generated text and the midpoint respondent.
- ``missing``: share of answers that are missing, from 0 to 1.
- ``unit``: of losses and scores.

:func:`dimension_table` has the dimension scores, one row for each of them. Neither table holds an estimate over seeds:
:func:`estimate` makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cultural_sp.runs.methods import STRONGEST_ICL, icl_keys
from cultural_sp.runs.result import Result, ScoreRecord, pooled
from cultural_sp.stats.intervals import t_interval

RUN_COLUMNS = ("run", "region", "country", "vintage", "model", "optimizer", "seed", "unit")
CONDITION_COLUMNS = ("method", "wording", "readout")
VALUE_COLUMNS = ("loss", "valid_mass", "missing")
T_INTERVAL, SEED_RANGE = "95 % t over seeds", "range over seeds"


def run_table(results: Sequence[Result], loss: Callable[[Result, ScoreRecord], float] | None = None) -> pd.DataFrame:
    """Return the table of runs, a row per result, method, wording and readout, in the order of the results' records.

    Args:
        results: of finished runs.
        loss: computes the loss of a record; by default the recorded one is taken.
    """
    rows = [
        (
            *_about(run, result),
            r.method,
            r.wording,
            r.readout,
            loss(result, r) if loss else r.loss,
            r.valid_mass,
            r.missing,
        )
        for run, result in enumerate(results)
        for r in order_averages(result)
    ]
    table = pd.DataFrame(rows, columns=[*RUN_COLUMNS, *CONDITION_COLUMNS, *VALUE_COLUMNS])
    return table.astype(dict.fromkeys(VALUE_COLUMNS, float))


def dimension_table(results: Sequence[Result]) -> pd.DataFrame:
    """Return the dimension scores, a row per row of :func:`run_table` and dimension.

    The columns are those of runs and conditions, the ``loss`` over all dimensions, then ``dimension``, ``score`` and ``target``,
    both in the unit of the survey. A score is NaN if an item that it needs has no answer, a target if the region has none.
    """
    rows = [
        (
            *_about(run, result),
            *(r.method, r.wording, r.readout, r.loss),
            *(dimension, score, result.region.target.get(dimension)),
        )
        for run, result in enumerate(results)
        for r in order_averages(result)
        for dimension, score in r.dimensions.items()
    ]
    table = pd.DataFrame(rows, columns=[*RUN_COLUMNS, *CONDITION_COLUMNS, "loss", "dimension", "score", "target"])
    return table.astype({"loss": float, "score": float, "target": float})


def _about(run: int, result: Result) -> tuple[object, ...]:
    """The cells of :data:`RUN_COLUMNS`."""
    region = result.region
    where = (region.code, region.country, region.vintage)
    return (run, *where, result.model, result.optimizer, result.seed, result.unit)


def order_averages(result: Result) -> Iterator[ScoreRecord]:
    """Yield one record per method, wording and readout: the averaged or order-free one, or the only one there is."""
    conditions = dict.fromkeys((r.method, r.wording, r.readout) for r in result.scores)
    for condition in conditions:
        yield result.score(*condition)


def with_icl(table: pd.DataFrame, readout: str) -> pd.DataFrame:
    """Append the rows of each run's strongest in-context baseline once more, as method ``icl``.

    The strongest has the lowest loss on the tuned wordings; a baseline without a loss comes last, and a tie goes to the first
    in the table of methods. A run without such a baseline gets no rows.

    Args:
        table: as :func:`run_table` or :func:`dimension_table` returns it.
        readout: the one whose losses are compared.
    """
    baselines = table[(table.wording == pooled("tuned")) & (table.readout == readout) & table.method.isin(icl_keys())]
    ranked = baselines.assign(loss=baselines.loss.fillna(np.inf), place=baselines.method.map(icl_keys().index))
    strongest = ranked.sort_values(["loss", "place"]).groupby("run").method.first()
    chosen = table[table.method == table.run.map(strongest)]
    return pd.concat([table, chosen.assign(method=STRONGEST_ICL.key)], ignore_index=True)


def losses_by_method(
    table: pd.DataFrame, kind: str, readout: str, by: Sequence[str] = ("region", "seed")
) -> pd.DataFrame:
    """Return the pooled losses on a kind of wordings under a readout, [region x seed, method]; NaN where one is missing.

    Regions and seeds are crossed: a seed that one region lacks is a row of NaN.

    Args:
        table: as :func:`run_table` returns it.
        kind: ``tuned``, ``selected`` or ``held_out``.
        readout: expected, argmax, sample or generate.
        by: columns whose values become the rows.
    """
    rows = table[(table.readout == readout) & (table.wording == pooled(kind))]
    wide = rows.pivot(index=[*by], columns="method", values="loss")
    if not isinstance(wide.index, pd.MultiIndex) or wide.empty:
        return wide
    return wide.reindex(pd.MultiIndex.from_product(wide.index.levels))


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, with an interval."""

    mean: float
    low: float
    high: float
    seeds: int
    """Number of seeds with a value."""
    of: int
    """Number of all seeds."""
    interval: str = ""
    """Name of the interval from ``low`` to ``high``; empty if there is only one value."""
    digits: int = 1
    """Decimals in print."""

    @property
    def complete(self) -> bool:
        """Whether every seed has a value."""
        return self.seeds == self.of

    @property
    def spread(self) -> bool:
        """Whether the interval is wide enough to be seen at this number of decimals."""
        return self.high - self.low > rounding(self.digits)

    def format(self, value: float) -> str:
        """Return a value with the decimals of this estimate."""
        return f"{value:.{self.digits}f}"

    def __str__(self) -> str:
        text = self.format(self.mean)
        if self.spread:
            text += f" [{self.format(self.low)}, {self.format(self.high)}]"
        return text if self.complete else f"{text} ({self.seeds} of {self.of} seeds)"


def rounding(digits: int) -> float:
    """Return the largest difference that can't be seen in numbers with so many decimals."""
    return 0.5 * 10.0**-digits


def estimate(values: Sequence[float | None], digits: int = 1) -> Estimate | None:
    """Estimate the mean of one value per seed, with the 95 % t interval from three seeds on and the range with two.

    Args:
        values: one per seed; None or NaN is a missing one.
        digits: decimals in print.

    Returns:
        None if no seed has a value.
    """
    numbers = [float(value) for value in values if value is not None and not np.isnan(value)]
    n = len(numbers)
    if not n:
        return None
    if n > 2:
        interval = t_interval(numbers)
        return Estimate(interval.estimate, interval.low, interval.high, n, len(values), T_INTERVAL, digits)
    return Estimate(sum(numbers) / n, min(numbers), max(numbers), n, len(values), SEED_RANGE if n == 2 else "", digits)
