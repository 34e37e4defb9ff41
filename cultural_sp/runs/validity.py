"""Schema of the outcome of a validity check."""

from __future__ import annotations

from dataclasses import dataclass, field

from cultural_sp.runs.records import strict

VERDICTS = ("not measurable", "weakly measurable", "measurable")
"""Verdicts of the validity check, the worst first."""


@strict
@dataclass(frozen=True)
class IndexValidity:
    """What opposite personas do to one index; ``evaluation/index_validity.py`` explains each statistic and the limits."""

    effect: float
    """Score of the high persona minus score of the low one, pooled over wordings, in the unit of the survey."""
    low: float
    """Lower end of its 95 % interval over items and wordings."""
    high: float
    """Upper end."""
    steerable_range: float
    """The effect as a share of the range of countries."""
    reliability: float | None
    """Generalizability coefficient of the score pooled over the wordings; None with one wording, or if nothing varies."""
    wordings_needed: int | None
    """Number of wordings from which on the reliability is at least 0.8; None if there is no such number."""
    entanglement: float
    """Mean movement of the other indices over that of this one, each as a share of the range of countries."""
    trusted: bool


@strict
@dataclass(frozen=True)
class Validity:
    """Whether the model can take the survey at all; ``evaluation/validity.py`` explains each statistic."""

    verdict: str
    """One of :data:`VERDICTS`."""
    sentence: str
    """The verdict with its reasons."""
    items_right: int
    """Number of items that opposite personas move in the right direction, averaged over wordings."""
    items_total: int
    share_interval: tuple[float, float]
    """95 % Wilson interval of ``items_right / items_total``."""
    items_right_by_wording: dict[str, int]
    effects: dict[str, float]
    """Dimension -> score of the high persona minus score of the low one, averaged over wordings."""
    wording_agreement: float | None
    """Mean correlation of item means between wordings, after each scale's mean is subtracted."""
    order_agreement: float | None
    """The same between ascending and descending order; None if there is only one order."""
    content_share: float | None
    """Share of the variance of item means within a scale that is due to the item (one-way ICC over wordings and orders)."""
    valid_mass: float
    """Mean probability of all valid options together, over the personas."""
    indices: dict[str, IndexValidity] = field(default_factory=dict)
    """Dimension -> validity of its index."""
