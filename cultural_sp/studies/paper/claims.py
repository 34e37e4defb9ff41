"""Public claims of arXiv 2503.16094, each with a verdict: pure functions over the results of finished runs.

Claims about losses are judged under every :class:`Setting`. The searches lowered the loss of only one of them. A verdict under
another setting is about the same answers, scored in another way; a search under that setting could have given other answers.
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

SIGNIFICANCE_LEVEL = 0.05
SMALLEST_RISE = 0.05
"""The smallest rise in accuracy that counts as a rise."""
HOLDS, FAILS, OPEN = "holds", "fails", "can't tell"
LARGEST_DROPS = ("us", "in")
"""Regions whose loss drops most, says the paper."""
FALLING_KNOWLEDGE = ("cn", "in")
"""Regions about which the model knows less after alignment, says the paper."""
SETTING_COLUMNS = ("targets", "C", "MAS weights")


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim under a setting."""

    claim: str
    setting: Setting | None
    """None for claims that don't depend on the setting."""
    tuned: bool
    """Whether the searches lowered the loss of this setting; True for claims that don't depend on one."""
    verdict: str
    """holds, fails or can't tell."""
    p: float | None
    """p of the claim's test, for which the claim holds up to 0.05; None if the verdict is by counting or by an interval."""
    test: str
    """Name of the test."""
    numbers: str
    """Its outcome per region."""


def judge(results: Sequence[Result], tuned: Setting, readout: str = "expected") -> list[Verdict]:
    """Return the verdict on every claim under every setting.

    Args:
        results: of one model, one per region and seed.
        tuned: the setting whose loss the searches lowered.
        readout: the readout that they used.
    """
    codes = list(dict.fromkeys(r.region.code for r in results))
    verdicts = [
        Verdict(claim, setting, setting == tuned, *outcome)
        for setting in dict.fromkeys([tuned, *settings(codes)])
        for table in [loss_table(results, setting)]
        for claim, outcome in _claims_about_losses(table, readout).items()
    ]
    without_setting = {
        "no weight of the model changes": weights(results),
        "cultural knowledge does not rise": knowledge_does_not_rise(results),
        "cultural knowledge falls for CN and IN": knowledge_falls(results),
    }
    return verdicts + [Verdict(claim, None, True, *outcome) for claim, outcome in without_setting.items()]


TestOutcome = tuple[str, float | None, str, str]
"""Verdict, p, test and numbers."""


def _claims_about_losses(table: pd.DataFrame, readout: str) -> dict[str, TestOutcome]:
    tuned = compared(table, "tuned", readout)
    outcomes = {
        "DE beats Naive in every region": in_every_region(tuned, "naive"),
        "DE beats ICL in every region": in_every_region(tuned, "icl"),
        "the drop is largest for US and IN": largest_drop(tuned),
        "DE beats Naive on held-out wordings": in_every_region(compared(table, "held_out", "expected"), "naive"),
    }
    for other in ("argmax", "sample"):
        outcomes[f"DE beats Naive under {other}"] = in_every_region(compared(table, "tuned", other), "naive")
    return outcomes


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
        own = [r for r in results if r.region.code == code]
        naive, aligned = (_answers(own, method) for method in ("naive", "aligned"))
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


def markdown(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts in Markdown: the setting of the searches first, then all others at a glance and in detail."""
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
    """Return the cells of :data:`SETTING_COLUMNS`."""
    return ("-", "-", "-") if setting is None else (setting.vintage, f"{setting.constant:g}", _mas(setting.instrument))


def _mas(instrument: str) -> str:
    return " and ".join(f"{w:g}" for w in survey_named(instrument).dimensions["MAS"].values() if w > 0)
