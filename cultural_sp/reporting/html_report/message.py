"""The main message of a report, as sentences and counts: verdicts, comparisons with baselines, closest methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from cultural_sp.reporting.aggregate import rounding
from cultural_sp.reporting.html_report.groups import HELD_OUT, TUNED, WORDING_RANGE, Group, common_unit
from cultural_sp.runs.methods import SUMMARY
from cultural_sp.runs.validity import VERDICTS

NOT_CHECKED = "not checked"
WORST_FIRST = (VERDICTS[0], NOT_CHECKED, *VERDICTS[1:])
GENERAL = {
    "midpoint": "the midpoint respondent",
    "naive": "the plain model",
    "persona": "the strongest persona",
    "start": "the initial prompt",
    "random_search": "random search",
    "aligned": "the evolved prompt",
}
BASELINES = ("naive", "persona", "random_search", "midpoint")  # not the initial prompt: it is a candidate of the search
KINDS = {TUNED: "tuned wordings", HELD_OUT: "held-out wordings"}
WHERE = {TUNED: "on what was tuned", HELD_OUT: "on held-out wordings"}


@dataclass(frozen=True)
class Verdict:
    """Verdict of the validity check on a model."""

    model: str
    verdict: str
    sentence: str
    runs: int

    @property
    def passed(self) -> bool:
        """Whether the scores of this model can be trusted at all."""
        return self.verdict == WORST_FIRST[-1]


def verdicts(groups: Sequence[Group]) -> list[Verdict]:
    """Return every different verdict with the number of its runs, the worst first."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for g in groups:
        for run in g.runs:
            v = run.result.validity
            if v is None:
                counts[g.model, NOT_CHECKED, f"{NOT_CHECKED}: the check was switched off (validity=false)"] += 1
            else:
                counts[g.model, v.verdict, v.sentence] += 1
    return [
        Verdict(*key, runs) for key, runs in sorted(counts.items(), key=lambda entry: WORST_FIRST.index(entry[0][1]))
    ]


def notes(groups: Sequence[Group]) -> dict[str, str]:
    """Return the notes on models, which must stand wherever their numbers appear."""
    return {g.model: g.note for g in groups if g.note}


@dataclass(frozen=True)
class Comparison:
    """Comparison of the evolved prompt with a baseline, over groups."""

    kind: str
    """``tuned`` or ``held out``."""
    baseline: str
    closer: int
    """Number of groups in which the mean loss of the evolved prompt is lower by more than rounding."""
    of: int
    """Number of all groups; in a group without a loss the evolved prompt counts as not closer."""
    change: float | None
    """Median over groups of the evolved prompt's loss minus the baseline's; None if no group has both losses or if the units
    differ."""

    @property
    def outcome(self) -> str:
        """``yes`` if it is closer in all groups, ``no`` if in none, else ``partly``."""
        return "yes" if self.closer == self.of else "partly" if self.closer else "no"


def comparisons(groups: Sequence[Group]) -> dict[str, list[Comparison]]:
    """Return the comparisons with each baseline, for ``tuned`` and ``held out`` wordings."""
    kinds = [kind for kind in (TUNED, HELD_OUT) if any(kind in g.losses for g in groups)]
    return {kind: [_comparison(groups, kind, m) for m in BASELINES] for kind in kinds}


def _comparison(groups: Sequence[Group], kind: str, baseline: str) -> Comparison:
    pairs = [(g.losses[kind]["aligned"], g.losses[kind][baseline], g.digits) for g in groups if kind in g.losses]
    changes = [(a.mean - b.mean, digits) for a, b, digits in pairs if a and b and a.complete and b.complete]
    closer = sum(change < -rounding(digits) for change, digits in changes)
    known = changes and common_unit(groups) is not None
    return Comparison(kind, baseline, closer, len(pairs), median(change for change, _ in changes) if known else None)


def headline(groups: Sequence[Group]) -> str:
    """Say whether the evolved prompt is closer than the plain model, and whether that holds on held-out wordings."""
    naive = [against[0] for against in comparisons(groups).values()]
    if len(groups) == 1:
        (g,) = groups
        return f"{g.country}: the evolved prompt is {', '.join(_with_losses(g, c) for c in naive)}."
    counts = [
        f"in {c.closer} of {c.of}{'' if i else ' ' + _cases(groups)} {WHERE[c.kind]}" for i, c in enumerate(naive)
    ]
    return f"The evolved prompt is closer to the target than the plain model {', '.join(counts)}."


def _with_losses(g: Group, c: Comparison) -> str:
    losses = g.losses[c.kind]
    after, before = losses["aligned"], losses["naive"]
    if c.change is None or after is None or before is None:
        return f"not comparable {WHERE[c.kind]}, as answers are missing"
    closer = "closer" if c.closer else "not closer"
    than = " to the target than the plain model" if c.kind == TUNED else ""
    return f"{closer}{than} {WHERE[c.kind]} ({before.format(before.mean)} → {after.format(after.mean)} {g.unit})"


def _cases(groups: Sequence[Group]) -> str:
    same = len({(g.model, g.setting) for g in groups}) == 1
    return "regions" if same else "cases (a region with a model and settings)"


def wins(groups: Sequence[Group], kind: str) -> dict[str, int]:
    """Return the number of groups in which each method is closest to the target; ties count for each."""
    counts = Counter(method for g in groups if kind in g.losses for method in g.closest(kind))
    return {method: counts[method] for method in SUMMARY}


def closest(groups: Sequence[Group]) -> list[str]:
    """Say which method is closest, on tuned and on held-out wordings."""
    sentences = []
    for kind in comparisons(groups):
        ranked = [(m, c) for m, c in sorted(wins(groups, kind).items(), key=lambda entry: -entry[1]) if c]
        where = WHERE[kind][0].upper() + WHERE[kind][1:]
        if not ranked:
            sentences.append(f"{where}, no method has a loss: answers are missing.")
        elif len(groups) == 1:
            verb = "are" if len(ranked) > 1 else "is"
            sentences.append(f"{where}, {' and '.join(GENERAL[m] for m, _ in ranked)} {verb} closest.")
        else:
            rest = "".join(f", {GENERAL[m]} in {c}" for m, c in ranked[1:])
            sentences.append(f"{where}, {GENERAL[ranked[0][0]]} is closest in {ranked[0][1]} of {len(groups)}{rest}.")
    return sentences


def seeds_sentence(groups: Sequence[Group]) -> str:
    """Say how many seeds a number is a mean of, and what the brackets hold."""
    counts = sorted({len(g.runs) for g in groups})
    if counts == [1]:
        text = "Single seed: one run behind every number, so small differences may be chance."
    else:
        seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        brackets = ["both values where there are two"] if 2 in counts else []
        brackets += ["95 % t intervals from three on"] if counts[-1] > 2 else []
        text = f"Means over {seeds} seeds; in brackets {' and '.join(brackets)}."
    over = {e.interval for g in groups for losses in g.losses.values() for e in losses.values() if e and e.spread}
    if WORDING_RANGE in over:
        text += " Scores are pooled over wordings. In brackets for a single seed: the lowest and highest loss of one wording."
    return text
