"""Public claims of arXiv 2503.16094, each with a verdict: pure functions over the results of finished runs.

Claims about losses are judged under every :class:`ScoringSetting`. The searches lowered the loss of only one of them. A verdict
under another setting is about the same answers, scored in another way; a search under that setting could have given other
answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cultural_sp.reporting.aggregate import with_icl
from cultural_sp.reporting.text_tables import markdown_table
from cultural_sp.runs.methods import STRONGEST_ICL
from cultural_sp.runs.result import Result
from cultural_sp.studies.paper.claim_tests import (
    TestOutcome,
    in_every_region,
    knowledge_does_not_rise,
    knowledge_falls,
    largest_drop,
    on_other_wordings,
    weights,
)
from cultural_sp.studies.paper.losses import ScoringSetting, compared, loss_table, scoring_settings, survey_named

SETTING_COLUMNS = ("targets", "C", "MAS weights")


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim under a setting."""

    claim: str
    setting: ScoringSetting | None
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


def judge(results: Sequence[Result], tuned: ScoringSetting, readout: str = "expected") -> list[Verdict]:
    """Return the verdict on every claim under every setting.

    Args:
        results: of one model, one per region and seed.
        tuned: the setting whose loss the searches lowered.
        readout: the readout that they used.
    """
    codes = list(dict.fromkeys(r.region.code for r in results))
    verdicts = [
        Verdict(claim, setting, setting == tuned, *outcome)
        for setting in dict.fromkeys([tuned, *scoring_settings(codes)])
        for table in [loss_table(results, setting)]
        for claim, outcome in _claims_about_losses(table, readout).items()
    ]
    without_setting = {
        "no weight of the model changes": weights(results),
        "cultural knowledge does not rise": knowledge_does_not_rise(results),
        "cultural knowledge falls for CN and IN": knowledge_falls(results),
    }
    return verdicts + [Verdict(claim, None, True, *outcome) for claim, outcome in without_setting.items()]


def _claims_about_losses(table: pd.DataFrame, readout: str) -> dict[str, TestOutcome]:
    tuned = compared(table, "tuned", readout)
    return {
        "DE beats Naive in every region": in_every_region(tuned, "naive"),
        "DE beats ICL in every region": in_every_region(tuned, "icl"),
        "the drop is largest for US and IN": largest_drop(tuned),
        "DE beats Naive on held-out wordings": on_other_wordings(table, "naive"),
        "DE beats ICL on held-out wordings": on_other_wordings(with_icl(table, readout), STRONGEST_ICL.key),
        "DE beats the midpoint on held-out wordings": on_other_wordings(table, "midpoint"),
        "DE beats Naive under argmax": in_every_region(compared(table, "tuned", "argmax"), "naive"),
    }


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


def _named(setting: ScoringSetting | None) -> tuple[str, str, str]:
    """Return the cells of :data:`SETTING_COLUMNS`."""
    return ("-", "-", "-") if setting is None else (setting.vintage, f"{setting.constant:g}", _mas(setting.instrument))


def _mas(instrument: str) -> str:
    return " and ".join(f"{w:g}" for w in survey_named(instrument).dimensions["MAS"].values() if w > 0)
