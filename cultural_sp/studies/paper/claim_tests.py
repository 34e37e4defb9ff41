"""The tests behind the claims: pure functions of losses and results, each with a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pandas as pd

from cultural_sp.runs.result import KnowledgeScore, Result, single_wordings
from cultural_sp.stats.intervals import PairedTest, bootstrap, holm, paired_test

SIGNIFICANCE_LEVEL = 0.05
SMALLEST_RISE = 0.05
"""The smallest rise in accuracy that counts as a rise."""
MIN_SEEDS, MIN_WORDINGS = 3, 5
"""Levels below which a two-way bootstrap says nothing."""
HOLDS, FAILS, OPEN = "holds", "fails", "can't tell"
LARGEST_DROPS = ("us", "in")
"""Regions whose loss drops most, says the paper."""
FALLING_KNOWLEDGE = ("cn", "in")
"""Regions about which the model knows less after alignment, says the paper."""
TestOutcome = tuple[str, float | None, str, str]
"""Verdict, p, test and numbers."""


def in_every_region(losses: pd.DataFrame, against: str) -> TestOutcome:
    """Test whether DE's loss is lower than another method's in every region.

    The claim holds if a one-sided sign-flip test over seeds is significant in each region (intersection-union test), which
    takes five seeds. It fails if DE is significantly worse in one region (Holm-corrected), which takes seven seeds with four
    regions.
    """
    test = f"sign-flip over seeds, aligned < {against}, largest p of all regions"
    if len(losses) == 0 or losses[["aligned", against]].isna().to_numpy().any():
        return OPEN, None, test, "some losses are missing"
    regions = [str(region) for region in dict.fromkeys(losses.index.get_level_values("region"))]
    rows = [losses[losses.index.get_level_values("region") == region] for region in regions]
    names = [region.upper() for region in regions]
    return _decided([(r["aligned"].to_numpy(), r[against].to_numpy()) for r in rows], names, test)


def on_other_wordings(table: pd.DataFrame, against: str) -> TestOutcome:
    """Test whether DE's loss is lower than another method's in every region, on wordings like those held out.

    The differences [seeds, wordings] of a region vary with both. Seeds that share a wording aren't independent, and a sign test
    over them would take one lucky wording for a finding (arXiv 2605.27463). So both are random here: two-way bootstrap of the
    mean difference (Owen 2007, :func:`~cultural_sp.stats.intervals.bootstrap`). The claim holds if the 95 % interval lies below 0
    in each region (intersection-union test). It fails if an interval, Bonferroni-corrected, lies above 0 in one.

    Args:
        table: losses of single wordings, as :func:`~cultural_sp.reporting.aggregate.run_table` has them.
        against: the other method.
    """
    test = f"two-way bootstrap over seeds and held-out wordings, aligned < {against} in every region"
    rows = table[table.wording.isin(single_wordings(table.wording, "held_out")) & (table.readout == "expected")]
    regions = list(dict.fromkeys(map(str, rows.region)))
    numbers, below, above = [], [], []
    for region in regions:
        wide = rows[rows.region == region].pivot_table("loss", ["seed", "wording"], "method", dropna=False)
        if not {"aligned", against} <= set(wide):
            return OPEN, None, test, "some losses are missing"
        difference = (wide["aligned"] - wide[against]).unstack("wording").to_numpy(dtype=float)
        if np.isnan(difference).any():
            return OPEN, None, test, "some losses are missing"
        if difference.shape[0] < MIN_SEEDS or difference.shape[1] < MIN_WORDINGS:
            few = "{} seed(s) and {} held-out wording(s)".format(*difference.shape)
            return OPEN, None, test, f"{few}; it takes {MIN_SEEDS} and {MIN_WORDINGS}"
        interval = bootstrap(difference, (0, 1))
        below.append(interval.high < 0)
        corrected = 1 - SIGNIFICANCE_LEVEL / len(regions)
        above.append(interval.low > 0 and bootstrap(difference, (0, 1), confidence=corrected).low > 0)
        numbers.append(f"{region.upper()} {interval.estimate:+.1f} ({interval.low:+.1f} to {interval.high:+.1f})")
    if not regions:
        return OPEN, None, test, "no held-out wordings"
    verdict = HOLDS if all(below) else FAILS if any(above) else OPEN
    return verdict, None, test, "; ".join(numbers)


def largest_drop(losses: pd.DataFrame) -> TestOutcome:
    """Test whether the drop from Naive to DE is larger in US and in IN than in every other region, paired by seed."""
    test = "sign-flip over seeds, drop of US and IN > drop of each other region, largest p of all pairs"
    drops = (losses.naive - losses.aligned).unstack("region").dropna()
    others = [str(region) for region in drops if region not in LARGEST_DROPS]
    if not set(LARGEST_DROPS) <= set(drops) or not others or len(drops) == 0:
        return OPEN, None, test, "it takes US, IN and another region with a seed in common"
    pairs = list(product(LARGEST_DROPS, others))
    names = [f"{x.upper()}-{y.upper()}" for x, y in pairs]
    verdict, p, _, numbers = _decided([(drops[y].to_numpy(), drops[x].to_numpy()) for x, y in pairs], names, test)
    means = ", ".join(f"{region.upper()} {drops[region].mean():.1f}" for region in map(str, drops))
    return verdict, p, test, f"mean drops {means}; {numbers}"


def _decided(pairs: Sequence[tuple[np.ndarray, np.ndarray]], names: Sequence[str], test: str) -> TestOutcome:
    """Decide whether the first of every pair is smaller; the claim fails if one is significantly larger."""
    less = [paired_test(x, y, "less") for x, y in pairs]
    more = [paired_test(x, y, "greater") for x, y in pairs]
    p = max(t.p for t in less)
    numbers = "; ".join(f"{name} {_numbers(t)}" for name, t in zip(names, less, strict=True))
    smallest_p = max(t.smallest_p for t in less)
    if smallest_p > SIGNIFICANCE_LEVEL:
        numbers += f"; {min(t.n for t in less)} seeds can't give p below {smallest_p:.3g}"
    return (HOLDS if p <= SIGNIFICANCE_LEVEL else _fails_or_open(more)), p, test, numbers


def _fails_or_open(opposite: Sequence[PairedTest]) -> str:
    """Return ``fails`` if one of the tests of the opposite is significant after Holm's correction."""
    return FAILS if holm([t.p for t in opposite]).min() <= SIGNIFICANCE_LEVEL else OPEN


def _numbers(test: PairedTest) -> str:
    return f"{_difference(test, 1)}, p={test.p:.3g}, n={test.n}"


def _difference(test: PairedTest, digits: int) -> str:
    difference = test.difference
    return f"{difference.estimate:+.{digits}f} ({difference.low:+.{digits}f} to {difference.high:+.{digits}f})"


def weights(results: Sequence[Result]) -> TestOutcome:
    """Test whether the hash over all weights is the same before and after each run."""
    hashes = [[r.provenance.get(f"weights_hash_{when}") for when in ("before", "after")] for r in results]
    test = "SHA-256 over all weights before and after each run"
    same = sum(before is not None and before == after for before, after in hashes)
    if not hashes or any(None in pair for pair in hashes):
        return OPEN, None, test, "a hash is missing"
    return (HOLDS if same == len(hashes) else FAILS), None, test, f"the same in {same} of {len(hashes)} runs"


def knowledge_does_not_rise(results: Sequence[Result]) -> TestOutcome:
    """Test whether accuracy about the region's own country rises by less than 5 points from Naive to DE in every region.

    The claim holds if in every region the 95 % interval of the change ends below that. It fails if accuracy rises significantly
    in one region (Holm-corrected).
    """
    test = f"95 % interval over questions below +{SMALLEST_RISE:.2f} in every region"

    def decide(falls: Sequence[PairedTest], rises: Sequence[PairedTest]) -> tuple[str, float | None]:
        holds = all(t.difference.high < SMALLEST_RISE for t in falls)
        return (HOLDS if holds else _fails_or_open(rises)), None

    return _knowledge(results, None, test, decide)


def knowledge_falls(results: Sequence[Result]) -> TestOutcome:
    """Test whether accuracy about their own country falls for CN and IN, by sign-flip tests over questions, seeds averaged."""
    test = "sign-flip over questions, aligned < naive, larger p of CN and IN"

    def decide(falls: Sequence[PairedTest], rises: Sequence[PairedTest]) -> tuple[str, float | None]:
        p = max(t.p for t in falls)
        return (HOLDS if p <= SIGNIFICANCE_LEVEL else _fails_or_open(rises)), p

    return _knowledge(results, FALLING_KNOWLEDGE, test, decide)


def _knowledge(
    results: Sequence[Result],
    regions: Sequence[str] | None,
    test: str,
    decide: Callable[[Sequence[PairedTest], Sequence[PairedTest]], tuple[str, float | None]],
) -> TestOutcome:
    """Compare naive and aligned on the easy questions about each region's country.

    Questions are the units; orders of the options are averaged.

    Args:
        results: of finished runs.
        regions: codes; None takes all regions of the results.
        test: its name.
        decide: returns verdict and p from the tests that accuracy falls and that it rises, one of each per region.
    """
    falls: dict[str, PairedTest] = {}
    rises = []
    for code in regions or list(dict.fromkeys(r.region.code for r in results)):
        runs = [r for r in results if r.region.code == code]
        naive, aligned = (_answers(runs, method) for method in ("naive", "aligned"))
        if naive is None or aligned is None:
            return OPEN, None, test, f"no knowledge questions about {code.upper()} were asked"
        falls[code] = paired_test(aligned, naive, "less")
        rises.append(paired_test(aligned, naive, "greater"))
    if not falls:
        return OPEN, None, test, "no results"
    verdict, p = decide(list(falls.values()), rises)
    return verdict, p, test, "; ".join(f"{code.upper()} {_difference(t, 2)}, n={t.n}" for code, t in falls.items())


def _answers(results: Sequence[Result], method: str) -> np.ndarray | None:
    """Return the share of runs [questions] that answered each easy question about their country right.

    None if a run didn't ask them.
    """
    rows = []
    for result in results:
        scores: list[KnowledgeScore] = [] if result.knowledge is None else result.knowledge.scores
        key = (method, "easy", "averaged", result.region.country)
        rows += [s.answers for s in scores if (s.method, s.task, s.order, s.country) == key]
    if not rows or len(rows) < len(results):
        return None
    shares: np.ndarray = np.array([[row[q] for q in rows[0]] for row in rows], dtype=float).mean(axis=0)
    return shares
