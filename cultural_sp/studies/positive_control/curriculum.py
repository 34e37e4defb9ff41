"""Stages of the training, from one statement about one dimension to mixed descriptions of all dimensions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CurriculumStage:
    """Difficulty of the training questions."""

    n_statements: int
    """Statements per pole that descriptions are drawn from."""
    n_wordings: int
    """Wordings per item that questions are drawn from."""
    slot_share: float
    """Share of descriptions that stand before everything, where a soft prompt goes. The others are system messages."""
    n_described: tuple[int, ...]
    """Numbers of described dimensions, all equally likely."""
    per_dimension: tuple[int, ...] = (1,)
    """Numbers of statements, or of pairs in a mix, about a described dimension; all equally likely."""
    mix_share: float = 0.0
    """Share of batches whose description is a mix."""
    default_positions: bool = False
    """Whether items without a description are answered by the default positions."""


# Trained on everything at once, the answers stay at chance for hundreds of steps. One text each is learnt in fifty.
STAGES = (
    CurriculumStage(1, 1, 0.0, (1,)),
    CurriculumStage(2, 2, 0.0, (1,)),
    CurriculumStage(4, 4, 0.3, (1,)),
    CurriculumStage(14, 8, 0.5, (1,)),
    CurriculumStage(14, 8, 0.5, (1, 3)),
    CurriculumStage(14, 8, 0.5, (1, 3, 3, 6)),
)
"""Stages of learning to answer as described, in order."""
GRADED_STAGE = CurriculumStage(30, 22, 0.5, (0, 0, 1, 2, 6, 6), (1, 2, 3), mix_share=0.4, default_positions=True)
"""Last stage: positions between the poles and default positions, from more texts."""
