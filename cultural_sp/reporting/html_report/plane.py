"""Draws the map: countries and models in the plane in which the countries of one edition differ most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from cultural_sp.reporting.html_report.groups import TUNED, Group, mean
from cultural_sp.reporting.html_report.svg import (
    CHARACTER,
    WIDTH,
    Scale,
    figure,
    line,
    mark,
    method_group,
    number,
    tag,
    words,
)
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.regions import Region, complete_regions
from cultural_sp.types import Array

HEIGHT = 330
MAP_METHODS = ("midpoint", "naive", "persona", "random_search", "aligned")


@dataclass(frozen=True)
class Plane:
    """The first two principal components of target scores."""

    centre: Array
    """[K]"""
    axes: Array
    """[2, K], orthonormal; the entry largest in size is positive."""
    shares: Array
    """[2], share of the variance along each axis."""
    dimensions: tuple[str, ...]

    def at(self, scores: Array) -> Array:
        """Return coordinates [..., 2] of scores [..., K]."""
        coordinates: Array = (scores - self.centre) @ self.axes.T
        return coordinates

    def name(self, axis: int) -> str:
        """Describe an axis: its main dimensions and its share of the variance."""
        weights = self.axes[axis]
        main = [k for k in np.argsort(-np.abs(weights)) if abs(weights[k]) >= 0.35]
        parts = " ".join(f"{'+' if weights[k] > 0 else '−'}{self.dimensions[k]}" for k in main)
        return f"{parts} ({self.shares[axis]:.0%} of variance)"


def principal_plane(scores: Array, dimensions: tuple[str, ...]) -> Plane:
    """Return the plane of the first two principal components of scores [N, K].

    Scores aren't rescaled, because all dimensions have one scale. With two dimensions, these are the axes, the first one upwards.
    """
    centre = scores.mean(axis=0)
    _, sizes, axes = np.linalg.svd(scores - centre, full_matrices=False)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    if len(dimensions) == 2:
        variances = scores.var(axis=0)[::-1]
        return Plane(centre, np.eye(2)[::-1], variances / variances.sum(), dimensions)
    return Plane(centre, (axes * signs[:, None])[:2], (sizes**2 / (sizes**2).sum())[:2], dimensions)


@dataclass(frozen=True)
class Map:
    """A map, or why there is none."""

    model: str
    title: str
    regions: tuple[str, ...]
    svg: Markup | None
    note: str


def maps(groups: Sequence[Group]) -> list[Map]:
    """Draw one map for each model, setting and vintage."""
    by_map: dict[tuple[str, str, str], list[Group]] = {}
    for g in groups:
        by_map.setdefault((g.model, g.setting, g.vintage), []).append(g)
    return [_map(members) for members in by_map.values()]


def _map(groups: Sequence[Group]) -> Map:
    g = groups[0]
    title = " · ".join(part for part in (g.model, g.setting, g.vintage) if part)
    regions = tuple(dict.fromkeys(x.region for x in groups))
    dimensions = tuple(g.target)
    problem = g.survey if isinstance(g.survey, str) else None
    if isinstance(g.survey, Survey) and g.survey.dimension_names != dimensions:
        problem = f"{g.survey.name} has other dimensions now"
    if isinstance(g.survey, str) or problem:
        return Map(g.model, title, regions, None, f"No map, as the survey's target table can't be read: {problem}")
    countries = complete_regions(g.survey, g.vintage)
    if len(countries) < 3 or len(dimensions) < 2:
        return Map(g.model, title, regions, None, "No map: it needs three countries and two dimensions.")
    country_plane = principal_plane(np.stack([c.target for c in countries]), dimensions)
    note = f"{len(countries)} countries with all {len(dimensions)} scores in {g.vintage}, the grey dots."
    incomplete = sorted({x.region for x in groups if None in x.target.values()})
    if incomplete:
        note += f" Without a complete target there: {', '.join(incomplete)}."
    return Map(g.model, title, regions, _map_svg(country_plane, countries, groups, title), note)


def _map_svg(plane: Plane, countries: Sequence[Region], groups: Sequence[Group], title: str) -> Markup:
    spots = {c.code.upper(): plane.at(c.target) for c in countries}
    positions = {(g.id, m): spot for g in groups for m in MAP_METHODS if (spot := _spot(plane, g, m)) is not None}
    targets = {
        g.id: plane.at(np.array(list(g.target.values()), dtype=float)) for g in groups if None not in g.target.values()
    }
    every = np.stack([*spots.values(), *positions.values(), *targets.values()])
    low, high = every.min(axis=0), every.max(axis=0)
    unit = max((high[0] - low[0]) / (WIDTH - 38), (high[1] - low[1]) / (HEIGHT - 50))  # one scale for both axes
    middle = (low + high) / 2
    half = np.array([(WIDTH - 38) / 2, (HEIGHT - 50) / 2]) * unit
    x = Scale(middle[0] - half[0], middle[0] + half[0], 26, WIDTH - 12)
    y = Scale(middle[1] - half[1], middle[1] + half[1], HEIGHT - 36, 14)
    content = [
        tag("rect", class_="frame", x=17, y=4, width=WIDTH - 19, height=HEIGHT - 30),
        words(plane.name(0), WIDTH / 2, HEIGHT - 8, "axis", "middle"),
        tag(
            "text",
            plane.name(1),
            class_="axis",
            text_anchor="middle",
            transform=f"translate(11 {HEIGHT / 2 - 12}) rotate(-90)",
        ),
    ]
    named = {g.region for g in groups}
    for c in countries:
        if c.code.upper() not in named:
            px, py = spots[c.code.upper()]
            content.append(
                tag("circle", tag("title", c.country), class_="country", cx=float(x(px)), cy=float(y(py)), r=2.2)
            )
    taken: list[tuple[float, float]] = []
    for g in groups:
        content.append(_journey(g, positions, targets, x, y, taken))
    distances = "; ".join(
        f"{g.country}: "
        + ", ".join(f"{g.names[m]} {_away(g, positions.get((g.id, m)), targets[g.id])}" for m in MAP_METHODS)
        for g in groups
        if g.id in targets
    )
    return figure(
        HEIGHT, f"Map, {title}. Distances to the target in the plane, in {groups[0].unit}. {distances}.", *content
    )


def _spot(plane: Plane, g: Group, method: str) -> Array | None:
    records = g.records(method, TUNED)
    scores = [mean(record.dimensions[d] for record in records) for d in plane.dimensions]
    return None if None in scores else plane.at(np.array(scores, dtype=float))


def _away(g: Group, spot: Array | None, target: Array) -> str:
    return "unknown" if spot is None else f"{np.linalg.norm(spot - target):.{g.digits - 1}f}"


def _journey(
    g: Group,
    positions: dict[tuple[str, str], Array],
    targets: dict[str, Array],
    x: Scale,
    y: Scale,
    taken: list[tuple[float, float]],
) -> Markup:
    """Draw the target of a region, and the model's answers to it."""
    parts: list[Markup] = []
    here = {m: (float(x(s[0])), float(y(s[1]))) for m in MAP_METHODS if (s := positions.get((g.id, m))) is not None}
    if g.id in targets:
        tx, ty = float(x(targets[g.id][0])), float(y(targets[g.id][1]))
        if "aligned" in here:
            parts.append(method_group("aligned", line(*here["aligned"], tx, ty, "thread")))
        parts.append(
            tag(
                "path",
                tag("title", f"target: {g.country}"),
                class_="goal",
                d=f"M{number(tx - 5)} {number(ty)}h10m-5-5v10",
            )
        )
        parts += _label(g.region, tx, ty, taken)
    if "aligned" in here and "naive" in here:
        parts.append(method_group("aligned", line(*here["naive"], *here["aligned"], "way")))
    for method, (px, py) in here.items():
        parts.append(method_group(method, mark(method, px, py, title=f"{g.names[method]}: {g.country}")))
    return tag("g", *parts, data_region=g.region)


def _label(code: str, x: float, y: float, taken: list[tuple[float, float]]) -> list[Markup]:
    """Write the region's code beside its target, unless another code stands there; the title of the mark has it too."""
    width = CHARACTER * len(code) + 4
    for dx, dy in ((7, -4), (7, 11), (-7 - width, -4), (-7 - width, 11)):
        spot = (x + dx, y + dy)
        clear = all(abs(spot[0] - a) > width or abs(spot[1] - b) > 11 for a, b in taken)
        if clear and 14 < spot[0] < WIDTH - width:
            taken.append(spot)
            return [words(code, *spot, "code")]
    return []
