"""Losses of finished runs under any setting: recorded answers, scored anew.

What a method answered doesn't depend on a target, the constant C or an index's weights, so recorded item means are scored anew
for every :class:`Setting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from cultural_sp.runs.methods import icl_keys
from cultural_sp.runs.result import Result
from cultural_sp.search.objective import l1_loss
from cultural_sp.survey.instrument import Survey, load_survey
from cultural_sp.survey.regions import load_region, region_codes, vintages
from cultural_sp.survey.scoring import dimension_scores

CONSTANTS = (0.0, 50.0)
INSTRUMENTS = ("vsm13", "vsm13_cat")
survey_named = cache(load_survey)


@dataclass(frozen=True)
class Setting:
    """What answers are scored by."""

    vintage: str
    constant: float
    """C of the index formulas."""
    instrument: str
    """vsm13 with the manual's MAS weights, or vsm13_cat with those of arXiv 2309.12342."""


def settings(regions: Sequence[str]) -> list[Setting]:
    """Both MAS weights, C of 0 and 50, and every vintage in which all these regions have all their scores."""
    found = []
    for instrument, constant in product(INSTRUMENTS, CONSTANTS):
        survey = survey_named(instrument)
        complete = (v for v in vintages(survey) if set(regions) <= set(region_codes(survey, v)))
        found += [Setting(vintage, constant, instrument) for vintage in complete]
    return found


def loss_table(results: Sequence[Result], setting: Setting) -> pd.DataFrame:
    """Losses under a setting, a row per region, seed, method, wording and readout, orders averaged; NaN where an item is missing.

    Raises:
        ValueError: in one line, if a result isn't of this survey, or two are of the same region and seed.
    """
    survey = survey_named(setting.instrument)
    survey = replace(survey, scoring=survey.scoring.with_constant(setting.constant))
    rows = []
    for result in results:
        target = load_region(survey, result.region.code, setting.vintage).target
        orders = {r.option_order for r in result.scores}
        for r in result.scores:
            if r.option_order in ("both", "none") or "both" not in orders:
                loss = l1_loss(dimension_scores(survey.scoring, _means(survey, r.item_means)), target)
                rows.append((result.region.code, result.seed, r.method, r.wording, r.readout, float(loss)))
    keys = ["region", "seed", "method", "wording", "readout"]
    table = pd.DataFrame(rows, columns=[*keys, "loss"])
    if table.duplicated(keys).any():
        twice = table[table.duplicated(keys)].iloc[0]
        raise ValueError(f"two results are of region {twice.region} and seed {twice.seed}; give one of each")
    return table


def _means(survey: Survey, given: dict[str, float | None]) -> np.ndarray:
    if set(given) != {item.id for item in survey.items}:
        raise ValueError(f"a result has the items {', '.join(given)}, which aren't those of {survey.name}")
    return np.array([np.nan if given[item.id] is None else given[item.id] for item in survey.items], dtype=float)


def compared(table: pd.DataFrame, wording: str, readout: str) -> pd.DataFrame:
    """Losses [region x seed, method] under a condition, with ``icl``, the icl_keys() method that is best on the tuned wording.

    Args:
        table: of :func:`loss_table`.
        wording: ``tuned``, or ``held_out`` for the mean over the held-out wordings.
        readout: one of those reported.
    """
    all_methods = with_icl(table, readout)
    there = all_methods[(all_methods.readout == readout) & all_methods.wording.str.match(rf"{wording}(_\d+)?$")]
    wide = there.pivot_table("loss", ["region", "seed"], "method", lambda x: x.mean(skipna=False), dropna=False)
    return wide if "icl" in wide else wide.assign(icl=np.nan)


def with_icl(table: pd.DataFrame, readout: str) -> pd.DataFrame:
    """The table with the rows of each run's strongest in-context baseline once more, as method ``icl``.

    Args:
        table: of :func:`loss_table`.
        readout: the one under which the strongest on the tuned wording is chosen.
    """
    first = table[(table.readout == readout) & (table.wording == "tuned") & table.method.isin(icl_keys())].dropna()
    best = first.loc[first.groupby(["region", "seed"]).loss.idxmin(), ["region", "seed", "method"]]
    return pd.concat([table, table.merge(best).assign(method="icl")], ignore_index=True)
