"""Public claims of arXiv 2503.16094, each with a verdict: pure functions over the results of finished runs.

Claims about losses are judged under every :class:`Setting`. The search was tuned for one of them only: a verdict under another
one says what the same answers would have been worth there, not what a search for it would have found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from cultural_sp.reporting.text_tables import markdown_table
from cultural_sp.runs.result import KnowledgeScore, Result
from cultural_sp.stats.intervals import PairedTest, holm, paired_test
from cultural_sp.studies.paper.losses import Setting, compared, loss_table, settings, survey_named

LEVEL = 0.05
MARGIN = 0.05
"""A rise in accuracy that would count as one."""
HOLDS, FAILS, OPEN = "holds", "fails", "can't tell"
LARGEST = ("us", "in")
FALLING = ("cn", "in")
SETTING_COLUMNS = ("targets", "C", "MAS weights")


@dataclass(frozen=True)
class Verdict:
    """A claim, judged."""

    claim: str
    setting: Setting | None
    """None for claims that no setting touches."""
    tuned: bool
    """Whether this is what the search was tuned for, or no setting touches it."""
    verdict: str
    """holds, fails or can't tell."""
    p: float | None
    """Of the claim's test; the claim holds if it is at most 0.05 (or if there is no test, by counting)."""
    test: str
    numbers: str


def judge(results: Sequence[Result], tuned: Setting, readout: str = "expected") -> list[Verdict]:
    """Every claim under every setting.

    Args:
        results: of one model, one per region and seed.
        tuned: what their searches were tuned for.
        readout: the searched one.
    """
    codes = list(dict.fromkeys(r.region.code for r in results))
    verdicts = [
        Verdict(claim, setting, setting == tuned, *found)
        for setting in dict.fromkeys([tuned, *settings(codes)])
        for table in [loss_table(results, setting)]
        for claim, found in _about_losses(table, readout).items()
    ]
    fixed = {
        "no weight of the model changes": weights(results),
        "cultural knowledge does not rise": knowledge_does_not_rise(results),
        "cultural knowledge falls for CN and IN": knowledge_falls(results),
    }
    return verdicts + [Verdict(claim, None, True, *found) for claim, found in fixed.items()]


TestOutcome = tuple[str, float | None, str, str]
"""Verdict, p, test and numbers."""


def _about_losses(table: pd.DataFrame, readout: str) -> dict[str, TestOutcome]:
    tuned = compared(table, "tuned", readout)
    found = {
        "DE beats Naive in every region": in_every_region(tuned, "naive"),
        "DE beats ICL in every region": in_every_region(tuned, "icl"),
        "the drop is largest for US and IN": largest_drop(tuned),
        "DE beats Naive on held-out wordings": in_every_region(compared(table, "held_out", "expected"), "naive"),
    }
    for other in ("argmax", "sample"):
        found[f"DE beats Naive under {other}"] = in_every_region(compared(table, "tuned", other), "naive")
    return found


def in_every_region(losses: pd.DataFrame, against: str) -> TestOutcome:
    """Whether DE's loss is lower than another method's in every region.

    Holds if a one-sided sign-flip test over seeds is significant in each region (intersection-union test), for which it takes
    five seeds; fails if DE is significantly worse in one of them (Holm-corrected), for which it takes seven with four regions.
    """
    test = f"sign-flip over seeds, aligned < {against}, largest p of all regions"
    if len(losses) == 0 or losses[["aligned", against]].isna().to_numpy().any():
        return OPEN, None, test, "some losses are missing"
    regions = [str(region) for region in dict.fromkeys(losses.index.get_level_values("region"))]
    rows = [losses[losses.index.get_level_values("region") == region] for region in regions]
    names = [region.upper() for region in regions]
    return _decided([(r["aligned"].to_numpy(), r[against].to_numpy()) for r in rows], names, test)


def largest_drop(losses: pd.DataFrame) -> TestOutcome:
    """Whether the drop from Naive to DE is larger in US and in IN than in every other region, paired by seed."""
    test = "sign-flip over seeds, drop of US and IN > drop of each other region, largest p of all pairs"
    drops = (losses.naive - losses.aligned).unstack("region").dropna()
    others = [str(region) for region in drops if region not in LARGEST]
    if not set(LARGEST) <= set(drops) or not others or len(drops) == 0:
        return OPEN, None, test, "it takes US, IN and another region with a seed in common"
    pairs = list(product(LARGEST, others))
    names = [f"{x.upper()}-{y.upper()}" for x, y in pairs]
    verdict, p, _, numbers = _decided([(drops[y].to_numpy(), drops[x].to_numpy()) for x, y in pairs], names, test)
    shown = ", ".join(f"{region.upper()} {drops[region].mean():.1f}" for region in map(str, drops))
    return verdict, p, test, f"mean drops {shown}; {numbers}"


def _decided(pairs: Sequence[tuple[np.ndarray, np.ndarray]], names: Sequence[str], test: str) -> TestOutcome:
    """The first of every pair is smaller: holds, fails where one is larger for sure, or can't be told."""
    less = [paired_test(x, y, "less") for x, y in pairs]
    more = [paired_test(x, y, "greater") for x, y in pairs]
    p = max(t.p for t in less)
    shown = "; ".join(f"{name} {_shown(t)}" for name, t in zip(names, less, strict=True))
    few = max(t.smallest_p for t in less)
    if few > LEVEL:
        shown += f"; {min(t.n for t in less)} seeds can't give p below {few:.3g}"
    if p <= LEVEL:
        return HOLDS, p, test, shown
    return (FAILS if holm([t.p for t in more]).min() <= LEVEL else OPEN), p, test, shown


def _shown(test: PairedTest) -> str:
    found = test.difference
    return f"{found.estimate:+.1f} ({found.low:+.1f} to {found.high:+.1f}), p={test.p:.3g}, n={test.n}"


def weights(results: Sequence[Result]) -> TestOutcome:
    """Whether the hash over all weights is the same before and after each run."""
    hashes = [[r.provenance.get(f"weights_hash_{when}") for when in ("before", "after")] for r in results]
    test = "SHA-256 over all weights before and after each run"
    same = sum(before is not None and before == after for before, after in hashes)
    if not hashes or any(None in pair for pair in hashes):
        return OPEN, None, test, "a hash is missing"
    return (HOLDS if same == len(hashes) else FAILS), None, test, f"the same in {same} of {len(hashes)} runs"


def knowledge_does_not_rise(results: Sequence[Result]) -> TestOutcome:
    """Whether accuracy about the region's own country doesn't rise by 5 points or more from Naive to DE in any region.

    Holds if in every region the 95 % interval of the change ends below that; fails if accuracy rises significantly in one region
    (Holm-corrected).
    """
    test = f"95 % interval over questions below +{MARGIN:.2f} in every region"

    def decide(tests: dict[str, PairedTest], rises: list[PairedTest]) -> tuple[str, float | None]:
        if all(t.difference.high < MARGIN for t in tests.values()):
            return HOLDS, None
        return (FAILS if holm([t.p for t in rises]).min() <= LEVEL else OPEN), None

    return _knowledge(results, None, test, decide)


def knowledge_falls(results: Sequence[Result]) -> TestOutcome:
    """Whether accuracy about their own country falls for CN and IN, by sign-flip tests over questions, seeds averaged."""
    test = "sign-flip over questions, aligned < naive, larger p of CN and IN"

    def decide(tests: dict[str, PairedTest], rises: list[PairedTest]) -> tuple[str, float | None]:
        p = max(t.p for t in tests.values())
        if p <= LEVEL:
            return HOLDS, p
        return (FAILS if holm([t.p for t in rises]).min() <= LEVEL else OPEN), p

    return _knowledge(results, FALLING, test, decide)


def _knowledge(
    results: Sequence[Result],
    regions: Sequence[str] | None,
    test: str,
    decide: Callable[[dict[str, PairedTest], list[PairedTest]], tuple[str, float | None]],
) -> TestOutcome:
    """Compare naive and aligned on the easy questions about each region's country, orders averaged; questions are the units."""
    falls: dict[str, PairedTest] = {}
    rises = []
    wanted = regions or list(dict.fromkeys(r.region.code for r in results))
    for code in wanted:
        own = [r for r in results if r.region.code == code]
        naive, aligned = (_answers(own, method) for method in ("naive", "aligned"))
        if naive is None or aligned is None:
            return OPEN, None, test, f"no knowledge questions about {code.upper()} were asked"
        falls[code] = paired_test(aligned, naive, "less")
        rises.append(paired_test(aligned, naive, "greater"))
    if not falls:
        return OPEN, None, test, "no results"
    verdict, p = decide(falls, rises)
    parts = (
        f"{code.upper()} {t.difference.estimate:+.2f} ({t.difference.low:+.2f} to {t.difference.high:+.2f}), n={t.n}"
        for code, t in falls.items()
    )
    return verdict, p, test, "; ".join(parts)


def _answers(results: Sequence[Result], method: str) -> np.ndarray | None:
    """Share of runs [questions] that answered each easy question about their country right; None if it wasn't asked in each."""
    rows = []
    for result in results:
        scores: list[KnowledgeScore] = [] if result.knowledge is None else result.knowledge.scores
        wanted = (method, "easy", "averaged", result.region.country)
        rows += [s.answers for s in scores if (s.method, s.task, s.order, s.country) == wanted]
    if not rows or len(rows) < len(results):
        return None
    shares: np.ndarray = np.array([[row[q] for q in rows[0]] for row in rows], dtype=float).mean(axis=0)
    return shares


def markdown(verdicts: Sequence[Verdict]) -> str:
    """Verdicts as the searches were tuned, with their numbers; then all other settings at a glance, and their numbers."""
    others = [v for v in verdicts if not v.tuned]
    parts = ["## As the searches were tuned", _detailed([v for v in verdicts if v.tuned])]
    if others:
        parts += [
            "## The same answers, scored otherwise",
            "By another edition of the targets, another constant C or other MAS weights; no search was run for these.",
            _at_a_glance(others),
            "### Numbers",
            _detailed(others),
        ]
    return "\n\n".join(parts) + "\n"


def _detailed(verdicts: Sequence[Verdict]) -> str:
    """A row per verdict with its test and numbers."""
    rows = [
        [v.claim, *_named(v.setting), f"**{v.verdict}**", "-" if v.p is None else f"{v.p:.3g}", v.test, v.numbers]
        for v in verdicts
    ]
    columns = ["claim", *SETTING_COLUMNS, "verdict", "p", "test", "numbers"]
    return markdown_table(columns, rows, left=range(len(columns)))


def _at_a_glance(verdicts: Sequence[Verdict]) -> str:
    """A row per setting, a column per claim."""
    claims = list(dict.fromkeys(v.claim for v in verdicts))
    rows = []
    for setting in dict.fromkeys(v.setting for v in verdicts):
        by_claim = {v.claim: v.verdict for v in verdicts if v.setting == setting}
        rows.append([*_named(setting), *(by_claim[claim] for claim in claims)])
    columns = [*SETTING_COLUMNS, *claims]
    return markdown_table(columns, rows, left=range(len(columns)))


def _named(setting: Setting | None) -> tuple[str, str, str]:
    """Targets, C and MAS weights."""
    return ("-", "-", "-") if setting is None else (setting.vintage, f"{setting.constant:g}", _mas(setting.instrument))


def _mas(instrument: str) -> str:
    return " and ".join(f"{w:g}" for w in survey_named(instrument).dimensions["MAS"].values() if w > 0)
