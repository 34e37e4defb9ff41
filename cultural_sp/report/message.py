"""What a reader must know after ten seconds, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from cultural_sp.report.collect import VERDICTS
from cultural_sp.report.groups import HELD_OUT, TUNED, Group
from cultural_sp.results import METHODS

NOT_CHECKED = "not checked"
WORST_FIRST = (VERDICTS[0], NOT_CHECKED, *VERDICTS[1:])
GENERAL = {
    "midpoint": "the midpoint respondent",
    "naive": "the plain model",
    "persona": "the persona",
    "start": "the initial prompt",
    "random_search": "random search",
    "aligned": "the evolved prompt",
}
SHOWN = ("aligned", "random_search", "midpoint")  # named in any case
WHERE = {TUNED: "On the wording that was tuned on", HELD_OUT: "On wordings that no search saw"}
MEANS_NOTHING = "These numbers show that the search works on its objective; they say nothing about a culture."


@dataclass(frozen=True)
class Verdict:
    """What the validity check said of a model."""

    model: str
    verdict: str
    sentence: str
    runs: int

    @property
    def passed(self) -> bool:
        """Whether scores of this model may be believed at all."""
        return self.verdict == WORST_FIRST[-1]


def verdicts(groups: Sequence[Group]) -> list[Verdict]:
    """Every different verdict with the number of its runs, the worst first."""
    found: Counter[tuple[str, str, str]] = Counter()
    for g in groups:
        for run in g.runs:
            v = run.result.validity
            if v is None:
                reason = "the check whether the model can take this survey was switched off (validity=false)"
                found[g.model, NOT_CHECKED, f"{NOT_CHECKED}: {reason}"] += 1
            else:
                found[g.model, v.verdict, v.sentence] += 1
    return [
        Verdict(*key, runs) for key, runs in sorted(found.items(), key=lambda entry: WORST_FIRST.index(entry[0][1]))
    ]


def wins(groups: Sequence[Group], kind: str) -> dict[str, int]:
    """Method -> number of groups in which it is closest to the target, ties counted for each."""
    found = Counter(method for g in groups if kind in g.losses for method in g.closest(kind))
    return {method: found[method] for method in METHODS}


def headline(groups: Sequence[Group]) -> list[str]:
    """Which method comes closest, on the tuned wording and on those that no search saw."""
    if len(groups) == 1:
        return [_single(groups[0], kind) for kind in groups[0].losses]
    return [_several(groups, kind) for kind in (TUNED, HELD_OUT) if any(kind in g.losses for g in groups)]


def _single(g: Group, kind: str) -> str:
    losses = {m: e.mean for m, e in g.losses[kind].items() if e is not None}
    best = g.closest(kind)
    if not best:
        return f"{WHERE[kind]}, no method has a loss: answers are missing."
    closest = f"{_listed(best)} {'are' if len(best) > 1 else 'is'} closest to {g.country}"
    others = [m for m in SHOWN if m in losses and m not in best]
    text = f"{WHERE[kind]}, {closest}: {losses[best[0]]:.1f} index points away"
    return text + "".join(f", {GENERAL[m]} {losses[m]:.1f}" for m in others) + "."


def _several(groups: Sequence[Group], kind: str) -> str:
    found, n = wins(groups, kind), sum(kind in g.losses for g in groups)
    cases = (
        "regions" if len({(g.model, g.setting) for g in groups}) == 1 else "cases (a region with a model and settings)"
    )
    ranked = [(m, c) for m, c in sorted(found.items(), key=lambda entry: -entry[1]) if c]
    if not ranked:
        return f"{WHERE[kind]}, no method has a loss: answers are missing."
    text = f"{WHERE[kind]}, {GENERAL[ranked[0][0]]} is closest to the target in {ranked[0][1]} of {n} {cases}"
    rest = [f"{GENERAL[m]} in {c}" for m, c in ranked[1:]]
    rest += [f"{GENERAL[m]} in 0" for m in SHOWN if not found[m]]
    return f"{text}{''.join(f'; {part}' for part in rest)}. Median distance: {_medians(groups, kind)}."


def _medians(groups: Sequence[Group], kind: str) -> str:
    """The middle of the groups' losses for the methods that are named in any case."""
    losses = {m: [e.mean for g in groups if (e := g.losses.get(kind, {}).get(m)) is not None] for m in SHOWN}
    return ", ".join(f"{GENERAL[m]} {median(values):.1f}" for m, values in losses.items() if values)


def _listed(methods: Sequence[str]) -> str:
    return " and ".join(GENERAL[m] for m in methods)


def seeds_sentence(groups: Sequence[Group]) -> str:
    """How many seeds stand behind a number, and what brackets are."""
    counts = sorted({len(g.runs) for g in groups})
    if counts == [1]:
        return "Single seed: one run behind every number, so differences of a few points may be chance."
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    brackets = []
    if 2 in counts:
        brackets.append("both values where there are two")
    if counts[-1] > 2:
        brackets.append("95 % t intervals from three on")
    single = " Rows without brackets have a single seed." if counts[0] == 1 else ""
    return f"Means over {seeds} seeds; in brackets {' and '.join(brackets)}.{single}"
