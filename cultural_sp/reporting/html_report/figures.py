"""The figures of a group of runs: convergence and dimension scores."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from cultural_sp.reporting.html_report.groups import TUNED, Group, mean
from cultural_sp.reporting.html_report.searches import Search
from cultural_sp.reporting.html_report.svg import (
    CHARACTER,
    TEXT,
    WIDTH,
    Scale,
    apart,
    figure,
    line,
    mark,
    method_group,
    number,
    words,
)
from cultural_sp.runs.methods import METHODS, SEARCHES, SUMMARY

BASELINES = tuple(method for method in SUMMARY if method not in SEARCHES)
DOTS = 400  # single evaluations in one figure; more are thinned out
RIGHT, ROOM = 226, 13  # where curves end, and how many characters of a name fit behind
OFFSETS = {"naive": -12.0, "persona": -6.0, "midpoint": 0.0, "random_search": 6.0, "aligned": 12.0}  # within a row


def convergence(g: Group) -> Markup | None:
    """Best loss so far of every seed against evaluations, with every baseline; None if no journal can be read."""
    searched = [(method, run.searches[method]) for method in SEARCHES for run in g.runs if method in run.searches]
    if not searched:
        return None
    baselines = {m: e for m in BASELINES if (e := g.losses[TUNED][m]) is not None}
    every = np.concatenate([s.l1 for _, s in searched])
    known = every[np.isfinite(every)]
    tops = [e.mean for e in baselines.values()] + ([float(np.quantile(known, 0.9))] if len(known) else [])
    right, bottom, top = RIGHT - 1.3 * CHARACTER * (g.digits - 1), 218, 12  # longer numbers behind
    y = Scale(0, max(tops, default=1.0) * 1.06 or 1.0, bottom, top)
    x = Scale(1, max(max(len(s.l1) for _, s in searched), 2), 34, right)
    content = [words(f"loss ({g.unit})", 4, 9, "axis")]
    for tick in y.ticks(5):
        content += [line(34, y(tick), right, y(tick), "grid"), words(f"{tick:g}", 30, y(tick) + 4, "tick", "end")]
    for tick in [t for t in x.ticks(4) if t == int(t)]:
        content.append(words(f"{tick:g}", x(tick), bottom + 14, "tick", "middle"))
    content.append(words("evaluations", (34 + right) / 2, bottom + 29, "axis", "middle"))
    thin = thinning(g)
    by_method: dict[str, list[Markup]] = {m: [] for m in SUMMARY}
    for method, search in searched:
        by_method[method] += [_dots(method, search, x, y, thin), _best(method, search, x, y)]
    ends = {method: e.mean for method, e in baselines.items()}
    for method, value in ends.items():
        by_method[method].append(
            line(
                34,
                y(value),
                right,
                y(value),
                f"base m-{method}",
                stroke_dasharray=" ".join(map(str, METHODS[method].dash)),
            )
        )
    for method in SEARCHES:
        last = [float(s.best[-1]) for m, s in searched if m == method and np.isfinite(s.best[-1])]
        if last:
            ends[method] = sum(last) / len(last)
    spots = apart([y(value) for value in ends.values()], TEXT + 2, top + 2, bottom)
    for (method, value), spot in zip(ends.items(), spots, strict=True):
        by_method[method] += [
            line(right + 1, y(value), right + 10, spot, f"lead m-{method}"),
            words(f"{_short(g, method)} {value:.{g.digits}f}", right + 13, spot + 4, f"name m-{method}"),
        ]
    content += [method_group(method, *parts) for method, parts in by_method.items() if parts]
    told = ", ".join(f"{g.names[m]} {v:.{g.digits}f}" for m, v in sorted(ends.items(), key=lambda end: end[1]))
    return figure(252, f"Convergence, {g.title}. Loss on the tuned wording at the end: {told}.", *content)


def thinning(g: Group) -> int:
    """Of how many evaluations one is drawn."""
    return -(-sum(len(s.l1) for run in g.runs for s in run.searches.values()) // DOTS)


def _short(g: Group, method: str) -> str:
    """A label that fits beside a figure."""
    name = {"midpoint": "midpoint", "start": "initial"}.get(method, g.names[method])
    return name if len(name) <= ROOM else f"{name[: ROOM - 1]}…"


def _dots(method: str, search: Search, x: Scale, y: Scale, thin: int) -> Markup:
    spots = [
        f"M{number(x(i + 1))} {number(y(float(v)))}h0"
        for i, v in enumerate(search.l1)
        if i % thin == 0 and np.isfinite(v) and v <= y.high
    ]
    return Markup('<path class="dots m-{}" d="{}"/>').format(method, "".join(spots))


def _best(method: str, search: Search, x: Scale, y: Scale) -> Markup:
    """A stair of the best loss so far; it may begin above the figure, which cuts it off."""
    path, before = "", None
    for i, value in enumerate(np.minimum(search.best, y.high).tolist()):
        if not np.isfinite(value) or value == before:
            continue
        path += (
            f"M{number(x(i + 1))} {number(y(value))}" if before is None else f"H{number(x(i + 1))}V{number(y(value))}"
        )
        before = value
    if path:
        path += f"H{number(x(len(search.best)))}"
    return Markup('<path class="best m-{}" d="{}"/>').format(method, path)


def dimensions(g: Group) -> Markup:
    """Scores before and after beside the target: filled marks tuned, hollow ones held out, small ones single seeds."""
    names, row = list(g.target), 40
    shown = {m: {k: _means(g, m, w) for k, w in g.wordings.items()} for m in OFFSETS}
    single = [record.dimensions for record in g.records("aligned", TUNED)] if len(g.runs) > 1 else []
    values = [v for kinds in shown.values() for scores in kinds.values() for v in scores.values()]
    values += [v for scores in single for v in scores.values()] + list(g.target.values())
    known = [v for v in values if v is not None]
    left = 12 + CHARACTER * max(map(len, names)) * 1.15
    low, high = g.first.result.published_range
    x = Scale(min([low, *known]), max([high, *known]), left + 8, WIDTH - 10)
    bottom = row * len(names) + 8
    content = [
        Markup('<path class="shade" d="M{} 4H{}V{}H{}z"/>').format(*map(number, (x(low), x(high), bottom, x(low))))
    ]
    for tick in x.ticks(6):
        content += [
            line(x(tick), 4, x(tick), bottom, "grid"),
            words(f"{tick:g}", x(tick), bottom + 14, "tick", "middle"),
        ]
    content.append(
        words(f"{g.unit} (published scores: {low:g} to {high:g})", (left + WIDTH) / 2, bottom + 29, "axis", "middle")
    )
    for i, dimension in enumerate(names):
        y = 8 + row * (i + 0.5)
        content.append(words(dimension, left - 4, y + 4, "label", "end"))
        target = g.target[dimension]
        if target is not None:
            content.append(line(x(target), y - 17, x(target), y + 17, "target"))
    for method, offset in OFFSETS.items():
        parts = []
        for i, dimension in enumerate(names):
            y = 8 + row * (i + 0.5) + offset
            before = shown[method].get("held out", {}).get(dimension)
            after = shown[method][TUNED][dimension]
            if before is not None and after is not None:
                parts.append(line(x(after), y, x(before), y, f"thread m-{method}"))
            if before is not None:
                parts.append(mark(method, x(before), y, hollow=True))
            if after is not None:
                parts.append(mark(method, x(after), y))
            if method == "aligned":
                parts += [mark(method, x(s), y, small=True) for v in single if (s := v[dimension]) is not None]
        content.append(method_group(method, *parts))
    told = "; ".join(
        f"{d}: target {_said(g, g.target[d])}, {', '.join(f'{g.names[m]} {_said(g, shown[m][TUNED][d])}' for m in shown)}"
        for d in names
    )
    return figure(bottom + 36, f"Dimension scores, {g.title}, tuned wording. {told}.", *content)


def _means(g: Group, method: str, wordings: list[str]) -> dict[str, float | None]:
    records = [record for wording in wordings for record in g.records(method, wording)]
    return {d: mean(record.dimensions[d] for record in records) for d in g.target}


def _said(g: Group, value: float | None) -> str:
    return "unknown" if value is None else f"{value:.{g.digits - 1}f}"
