"""Names of the arrays that travel between rooms, and the letters of their shapes.

N candidates, P virtual tokens, H hidden size, d search coordinates, Q items, O options, K dimensions, R respondents, T tokens.
NaN stands for what is missing: an answer that can't be read, a target that wasn't published. Index points run on the 0-100 scale
of the published tables.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
"""Real numbers of any shape, which the docstring gives."""
Candidates: TypeAlias = NDArray[np.float64]
"""Search vectors z [N, d]."""
SoftPrompt: TypeAlias = NDArray[np.float32]
"""Virtual-token embeddings [P, H]."""
SoftPrompts: TypeAlias = NDArray[np.float32]
"""Virtual-token embeddings [N, P, H]."""
DimensionScores: TypeAlias = NDArray[np.float64]
"""Scores [N, K] in the unit of the survey."""
Losses: TypeAlias = NDArray[np.float64]
"""One number per candidate [N], lower is better."""
