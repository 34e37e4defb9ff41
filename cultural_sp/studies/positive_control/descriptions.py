"""Descriptions of synthetic respondents: texts of statements, or mixes of them.

A *mix* is made of pairs of a high and a low statement, both squeezed into the same few virtual tokens. A pair that says a, from
-1 to 1, is the middle of the two plus a times half of their difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.soft_prompt import embedded_text
from cultural_sp.survey.instrument import POLES
from cultural_sp.types import Array

TEXTS = Path(__file__).with_name("texts.yaml")
N_VALIDATION_TEXTS = 2
"""Last texts of each item and pole; never trained on."""
MIX_TOKENS = (4, 8)
"""Fewest and most virtual tokens of a pair in a mix."""


@cache
def texts() -> dict[str, Any]:
    """Load ``wordings`` (item -> texts) and ``phrasings`` (dimension -> pole -> texts)."""
    loaded: dict[str, Any] = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    return loaded


def text_of(stances: Mapping[str, Array], used: slice, rng: np.random.Generator) -> str:
    """Draw statements in random order.

    Args:
        stances: dimension -> +1 for each high statement and -1 for each low one.
        used: slice of the texts per pole to draw from.
        rng: of the draws.
    """
    statements: list[str] = []
    for dimension, poles in stances.items():
        for pole, sign in zip(POLES, (1, -1), strict=True):
            phrasings = texts()["phrasings"][dimension][pole][used]
            statements += map(str, rng.choice(phrasings, int((poles == sign).sum()), replace=False))
    rng.shuffle(statements)
    return " ".join(statements)


def mix_of(
    stances: Mapping[str, Array], used: slice, lm: LanguageModel, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw the pairs of a mix, in random order.

    Args:
        stances: dimension -> what each pair says, from -1 to 1.
        used: slice of the texts per pole to draw from.
        lm: the model whose embeddings the statements have.
        rng: of the draws.

    Returns:
        Middle and offset, both [P, H]. Their sum says ``stances``, and their difference says the opposite.
    """
    phrasings, pairs = texts()["phrasings"], []
    width = int(rng.integers(MIX_TOKENS[0], MIX_TOKENS[1] + 1))
    for dimension, shares in stances.items():
        chosen = [rng.choice(phrasings[dimension][pole][used], len(shares), replace=False) for pole in POLES]
        for high, low, share in zip(*chosen, shares, strict=True):
            at_high, at_low = (embedded_text(str(text), width, lm) for text in (high, low))
            pairs.append(((at_high + at_low) / 2, share * (at_high - at_low) / 2))
    rng.shuffle(pairs)
    middle, offset = (np.concatenate([pair[i] for pair in pairs]) for i in (0, 1))
    return middle, offset
