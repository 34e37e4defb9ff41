"""Draws figure data as SVG, for the page: convergence and dimension scores of a group of runs."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from cultural_sp.reporting.figure_data import (
    Curve,
    highest_loss,
    line_ends,
    loss_level,
    n_evaluations,
    row_offsets,
    score_marks,
    score_range,
    search_curve,
    spread_out,
)
from cultural_sp.reporting.html_report.groups import HELD_OUT, TUNED, Group
from cultural_sp.reporting.html_report.svg import (
    CHARACTER,
    TEXT,
    WIDTH,
    Scale,
    dash_array,
    figure,
    line,
    mark,
    method_group,
    number,
    words,
)
from cultural_sp.runs.methods import SEARCHES, SUMMARY
from cultural_sp.utils.serialize import as_array

MAX_DOTS = 400  # single evaluations in one figure; more are thinned out
LEFT, RIGHT, TOP, BOTTOM = 34, 226, 12, 218  # pixels of the panel of convergence; names stand right of it
NAME_LENGTH = 13  # characters of a name that fit beside the panel
ROW_HEIGHT = 40
DIMENSION_METHODS = ("naive", "persona", "midpoint", "random_search", "aligned")  # from top to bottom of a row


def convergence(g: Group) -> Markup | None:
    """Draw the best loss so far of every seed against evaluations, and every baseline; None if no journal can be read."""
    curves = [
        search_curve(method, _short_name(g, method), search.l1, search.best)
        for method in SEARCHES
        for run in g.runs
        if (search := run.searches.get(method)) is not None
    ]
    if not curves:
        return None
    baselines = {m: e for m in SUMMARY if m not in SEARCHES and (e := g.losses[TUNED][m]) is not None}
    levels = [loss_level(method, _short_name(g, method), e.mean) for method, e in baselines.items()]
    right = RIGHT - 1.3 * CHARACTER * (g.digits - 1)  # longer numbers need more room
    x, y = Scale(1, n_evaluations(curves), LEFT, right), Scale(0, highest_loss(curves, levels), BOTTOM, TOP)
    thin = thinning(g)
    by_method: dict[str, list[Markup]] = {method: [] for method in SUMMARY}
    for curve in curves:
        by_method[curve.key] += [_dots(curve, x, y, thin), _best(curve, x, y)]
    for level in levels:
        style = {"stroke_dasharray": dash_array(level.dash)}
        by_method[level.key].append(line(LEFT, y(level.loss), right, y(level.loss), "base", **style))
    ends = line_ends(curves, levels)
    spots = spread_out([y(end.loss) for end in ends], TEXT + 2, TOP + 2, BOTTOM)
    for end, spot in zip(ends, spots, strict=True):
        by_method[end.key] += [
            line(right + 1, y(end.loss), right + 10, spot, "lead"),
            words(f"{end.label} {end.loss:.{g.digits}f}", right + 13, spot + 4, "name"),
        ]
    content = [*_loss_axes(x, y, g.unit), *(method_group(m, *parts) for m, parts in by_method.items() if parts)]
    by_loss = ", ".join(f"{g.names[e.key]} {e.loss:.{g.digits}f}" for e in sorted(ends, key=lambda end: end.loss))
    return figure(252, f"Convergence, {g.title}. Loss at the end: {by_loss}.", *content)


def _loss_axes(x: Scale, y: Scale, unit: str) -> list[Markup]:
    """Labels and ticks of the axes of evaluations and losses, with a grid."""
    content = [words(f"loss ({unit})", 4, 9, "axis")]
    for tick in y.ticks(5):
        content += [line(LEFT, y(tick), x.last, y(tick), "grid"), words(f"{tick:g}", 30, y(tick) + 4, "tick", "end")]
    for tick in [t for t in x.ticks(4) if t == int(t)]:
        content.append(words(f"{tick:g}", x(tick), BOTTOM + 14, "tick", "middle"))
    return [*content, words("evaluations", (LEFT + x.last) / 2, BOTTOM + 29, "axis", "middle")]


def thinning(g: Group) -> int:
    """Return n where one of n evaluations is drawn."""
    return -(-sum(len(s.l1) for run in g.runs for s in run.searches.values()) // MAX_DOTS)


def _short_name(g: Group, method: str) -> str:
    """A label that fits beside the panel."""
    name = {"midpoint": "midpoint", "start": "initial"}.get(method, g.names[method])
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"


def _dots(curve: Curve, x: Scale, y: Scale, thin: int) -> Markup:
    """The single evaluations that lie within the panel."""
    spots = [
        f"M{number(x(i + 1))} {number(y(float(v)))}h0"
        for i, v in enumerate(() if curve.evaluations is None else curve.evaluations)
        if i % thin == 0 and np.isfinite(v) and v <= y.high
    ]
    return Markup('<path class="dots" d="{}"/>').format("".join(spots))


def _best(curve: Curve, x: Scale, y: Scale) -> Markup:
    """A stair of the best loss so far; what lies above the panel is cut off."""
    path, before = "", None
    for i, value in enumerate(np.minimum(curve.best, y.high).tolist()):
        if not np.isfinite(value) or value == before:
            continue
        path += (
            f"M{number(x(i + 1))} {number(y(value))}" if before is None else f"H{number(x(i + 1))}V{number(y(value))}"
        )
        before = value
    if path:
        path += f"H{number(x(len(curve.best)))}"
    return Markup('<path class="best" d="{}"/>').format(path)


def dimensions(g: Group) -> Markup:
    """Draw scores beside the target: large marks are means (hollow: held out), small ones single seeds of the search."""
    names = list(g.target)
    wordings = (g.wordings[TUNED], g.wordings.get(HELD_OUT, []))
    results = [run.result for run in g.runs]
    marks = [score_marks(results, m, g.names[m], g.first.readout, wordings) for m in DIMENSION_METHODS]
    target = as_array(g.target.values())
    single = {m.key: m.tuned if m.key == "aligned" and len(g.runs) > 1 else m.tuned[:0] for m in marks}
    left = 12 + CHARACTER * max(map(len, names)) * 1.15
    published = g.first.result.published_range
    means = [mean for method in marks for mean in (method.mean_tuned, method.mean_held_out)]
    x = Scale(*score_range([target, *means, *single.values()], published), left + 8, WIDTH - 10)
    bottom = ROW_HEIGHT * len(names) + 8
    content = _score_axes(x, published, bottom, g.unit)
    middles = [8 + ROW_HEIGHT * (i + 0.5) for i in range(len(names))]
    for dimension, score, middle in zip(names, target, middles, strict=True):
        content.append(words(dimension, left - 4, middle + 4, "label", "end"))
        if np.isfinite(score):
            content.append(line(x(score), middle - 17, x(score), middle + 17, "target"))
    for method, offset in zip(marks, row_offsets(len(marks)), strict=True):
        tuned, held_out = method.mean_tuned, method.mean_held_out
        parts = []
        for k, middle in enumerate(middles):
            y = middle + offset * ROW_HEIGHT
            if np.isfinite(held_out[k]) and np.isfinite(tuned[k]):
                parts.append(line(x(tuned[k]), y, x(held_out[k]), y, "thread"))
            if np.isfinite(held_out[k]):
                title = f"{HELD_OUT} {_score_text(g, held_out[k])}"
                parts.append(mark(method.key, x(held_out[k]), y, hollow=True, title=title))
            if np.isfinite(tuned[k]):
                title = f"{g.names[method.key]} {_score_text(g, tuned[k])}"
                parts.append(mark(method.key, x(tuned[k]), y, title=title))
            parts += [mark(method.key, x(s), y, small=True) for s in single[method.key][:, k] if np.isfinite(s)]
        content.append(method_group(method.key, *parts))
    by_dimension = "; ".join(
        f"{d}: target {_score_text(g, target[k])}, "
        + ", ".join(f"{m.label} {_score_text(g, m.mean_tuned[k])}" for m in marks)
        for k, d in enumerate(names)
    )
    return figure(bottom + 36, f"Dimension scores, {g.title}, tuned wording. {by_dimension}.", *content)


def _score_axes(x: Scale, published: tuple[float, float], bottom: float, unit: str) -> list[Markup]:
    """The shaded published range, and label and ticks of the axis of scores."""
    low, high = published
    corners = map(number, (x(low), x(high), bottom, x(low)))
    content = [Markup('<path class="shade" d="M{} 4H{}V{}H{}z"/>').format(*corners)]
    for tick in x.ticks(6):
        content += [
            line(x(tick), 4, x(tick), bottom, "grid"),
            words(f"{tick:g}", x(tick), bottom + 14, "tick", "middle"),
        ]
    label = f"{unit} (published scores: {low:g} to {high:g})"
    return [*content, words(label, (x.first - 8 + WIDTH) / 2, bottom + 29, "axis", "middle")]


def _score_text(g: Group, score: float) -> str:
    return f"{score:.{g.digits - 1}f}" if np.isfinite(score) else "unknown"
