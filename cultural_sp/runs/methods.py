"""The table of methods: a baseline is one line here, and one function if it is an in-context baseline.

Everything that lists methods takes its order, names and styles from this table: final scores, tables, figures, the report and
the dashboard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.personas import native_persona, persona, with_demonstrations
from cultural_sp.survey.regions import Region

Persona = Callable[[Survey, Region], str | None]
"""System message of an in-context baseline; None where a survey or region has none."""


@dataclass(frozen=True)
class Method:
    """One method of answering the survey."""

    key: str
    """Name in ``result.json`` and in tidy tables."""
    label: str
    """Name in printed tables, figures and the report."""
    colour: str
    """In figures: a colour of Okabe and Ito's palette, which readers with any colour vision can tell apart."""
    page_colours: tuple[str, str]
    """On the report's light and dark page: as ``colour``, but with enough contrast for text."""
    marker: str
    """Matplotlib's name of its mark in figures. Methods of one figure differ in it."""
    dash: tuple[int, ...] = ()
    """Lengths of dash and gap of its line in figures, in line widths; empty for a solid line."""
    persona: Persona | None = None
    """Makes the system message of an in-context baseline; None for other methods."""


_ICL_STYLE = ("#D55E00", ("#b94d00", "#ff8a3d"), "^", (6, 2, 1, 2))  # figures show only the strongest of them
_TABLE = (
    Method("midpoint", "midpoint respondent", "#999999", ("#6b717a", "#a8adb5"), "s", (1, 2)),
    Method("naive", "naive", "#000000", ("#000000", "#f2f2f2"), "o", (4, 2)),
    Method("persona", "persona", *_ICL_STYLE, persona),
    Method("persona_demonstrations", "persona + demonstrations", *_ICL_STYLE, with_demonstrations),
    Method(
        "persona_native",
        "native persona",
        *_ICL_STYLE,
        lambda survey, region: native_persona(region),
    ),
    Method("start", "initial soft prompt", "#CC79A7", ("#b0588f", "#e39bc4"), "v", (5, 1, 1, 1, 1, 1)),
    Method("random_search", "random search", "#56B4E9", ("#0f74ab", "#6cc4f5"), "x"),
    Method("aligned", "aligned", "#009E73", ("#00795a", "#27c796"), "D"),
)
METHODS: dict[str, Method] = {method.key: method for method in _TABLE}
"""Key -> method, in the order of tables."""
STRONGEST_ICL = Method("icl", "ICL", *_ICL_STYLE)
"""The in-context baseline with the lowest loss, in tables that show only one."""
SUMMARY = ("midpoint", "naive", "persona", "start", "random_search", "aligned")
"""Methods of a summary, in which ``persona`` is the strongest in-context baseline."""
SEARCHES = ("random_search", "aligned")
"""Methods that are searches, in the order in which a run makes them."""


def style_of(key: str) -> Method:
    """Label and style of a method, or of ``icl``."""
    return STRONGEST_ICL if key == STRONGEST_ICL.key else METHODS[key]


def icl_keys() -> tuple[str, ...]:
    """Keys of the in-context baselines. Not every region has all of them; the strongest is the one that counts."""
    return tuple(key for key, method in METHODS.items() if method.persona is not None)


def persona_texts(survey: Survey, region: Region) -> dict[str, str]:
    """Key -> system message of every in-context baseline that exists for a survey and a region.

    Raises:
        ValueError: if the survey names demonstrations that can't be read.
    """
    texts = {key: method.persona(survey, region) for key, method in METHODS.items() if method.persona is not None}
    return {key: text for key, text in texts.items() if text is not None}
