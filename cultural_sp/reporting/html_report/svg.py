"""Inline SVG from small functions: escaped tags, linear scales, marks that differ in shape and colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 360  # of every figure, in CSS pixels: the width of a phone, so that text keeps its size there
TEXT = 11  # font size of figures
CHARACTER = 5.9  # mean width of a character at that size

MARKS = {  # method -> path around (0, 0); shapes differ, so that colour is never the only difference
    "midpoint": "M-4-4h8v8h-8z",
    "naive": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "persona": "M0-5.5L5 4H-5z",
    "start": "M0 5.5L5-4H-5z",
    "random_search": "M-4-4L4 4M-4 4L4-4",
    "aligned": "M0-6L6 0L0 6L-6 0z",
}


def tag(name: str, *content: str, **attributes: object) -> Markup:
    """One element; content and attributes are escaped, underscores in names of attributes are hyphens."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{pairs}>{''.join(map(escape, content))}</{name}>")


def _text(value: object) -> object:
    return number(value) if isinstance(value, float) else value


def number(value: float) -> str:
    """A coordinate to a tenth of a pixel."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def figure(height: float, label: str, *content: str) -> Markup:
    """A picture of :data:`WIDTH` with the name that a screen reader says."""
    return tag("svg", *content, viewBox=f"0 0 {WIDTH} {number(height)}", role="img", aria_label=label)


def mark(method: str, x: float, y: float, *, hollow: bool = False, small: bool = False, title: str = "") -> Markup:
    """A method's mark; the page defines its shapes once."""
    kind = "h" if hollow else "s" if small else "k"
    inner = [tag("title", title)] if title else []
    return tag("use", *inner, href=f"#{kind}-{method}", x=x, y=y)


def line(x1: float, y1: float, x2: float, y2: float, kind: str, **more: object) -> Markup:
    """A straight line of a CSS class."""
    return tag("path", class_=kind, d=f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", **more)


def words(text: str, x: float, y: float, kind: str = "", anchor: str | None = None) -> Markup:
    """Text with its baseline at y."""
    return tag("text", text, class_=kind or None, x=x, y=y, text_anchor=anchor)


@dataclass(frozen=True)
class Scale:
    """A linear scale from values to pixels."""

    low: float
    high: float
    first: float
    """Pixel of ``low``."""
    last: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        span = self.high - self.low or 1.0
        return self.first + (value - self.low) / span * (self.last - self.first)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values on the scale, at most ``about`` and a few."""
        return nice_ticks(self.low, self.high, about)


def nice_ticks(low: float, high: float, about: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two numbers."""
    span = high - low
    if not span > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= about)
    return [round(i * step, 10) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def apart(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions moved so that neighbours keep a gap, within the bounds where there is room, in the order given."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    placed = [0.0] * len(positions)
    last = low - gap
    for i in order:
        last = placed[i] = max(positions[i], last + gap)
    limit = high
    for i in reversed(order):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - gap
    return placed


def method_group(method: str, *content: str) -> Markup:
    """Parts of a figure that go when the reader hides a method."""
    return tag("g", *content, data_method=method)
