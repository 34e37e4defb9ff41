"""Builds inline SVG from small functions: escaped tags, linear scales, marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 360  # of every figure, in CSS pixels: the width of a phone, so that text keeps its size there
TEXT = 11  # font size of figures
CHARACTER = 5.9  # mean width of a character at that size

SHAPES = {
    "s": "M-4-4h8v8h-8z",
    "o": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "^": "M0-5.5L5 4H-5z",
    "v": "M0 5.5L5-4H-5z",
    "x": "M-4-4L4 4M-4 4L4-4",
    "D": "M0-6L6 0L0 6L-6 0z",
}
"""Matplotlib's name of a mark -> its path around (0, 0)."""


def tag(name: str, *content: str, **attributes: object) -> Markup:
    """Return one element. Content and attributes are escaped; underscores in names of attributes become hyphens."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{pairs}>{''.join(map(escape, content))}</{name}>")


def _text(value: object) -> object:
    return number(value) if isinstance(value, float) else value


def number(value: float) -> str:
    """Format a coordinate to a tenth of a pixel."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def figure(height: float, label: str, *content: str) -> Markup:
    """Return a picture of :data:`WIDTH`; ``label`` is what a screen reader says."""
    return tag("svg", *content, viewBox=f"0 0 {WIDTH} {number(height)}", role="img", aria_label=label)


def mark(method: str, x: float, y: float, *, hollow: bool = False, small: bool = False, title: str = "") -> Markup:
    """Return the mark of a method at a point. The page defines the shapes once; ``title`` is shown on hover."""
    kind = "h" if hollow else "s" if small else "k"
    inner = [tag("title", title)] if title else []
    return tag("use", *inner, href=f"#{kind}-{method}", x=x, y=y)


def line(x1: float, y1: float, x2: float, y2: float, kind: str, **more: object) -> Markup:
    """Return a straight line of the CSS class ``kind``."""
    return tag("path", class_=kind, d=f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", **more)


def words(text: str, x: float, y: float, kind: str = "", anchor: str | None = None) -> Markup:
    """Return text with its baseline at ``y``."""
    return tag("text", text, class_=kind or None, x=x, y=y, text_anchor=anchor)


@dataclass(frozen=True)
class Scale:
    """Linear scale from values to pixels."""

    low: float
    high: float
    first: float
    """Pixel of ``low``."""
    last: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        span = self.high - self.low or 1.0
        return self.first + (value - self.low) / span * (self.last - self.first)

    def ticks(self, about: int = 5) -> list[float]:
        """Return round values on the scale, about ``about`` of them."""
        return nice_ticks(self.low, self.high, about)


def nice_ticks(low: float, high: float, about: int) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten between two numbers, at most ``about`` steps apart."""
    span = high - low
    if not span > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= about)
    return [round(i * step, 10) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def dash_array(dash: Sequence[int]) -> str | None:
    """Return the ``stroke-dasharray`` of a line; None for a solid one."""
    return " ".join(map(str, dash)) or None


def method_group(method: str, *content: str) -> Markup:
    """Group the parts of a figure that have a method's colour and disappear when the reader hides the method."""
    return tag("g", *content, class_=f"m-{method}", data_method=method)
