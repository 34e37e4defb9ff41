"""The tokens of the vocabulary that are nearest to a soft prompt."""

from __future__ import annotations

import csv
from io import StringIO

import numpy as np
from numpy.typing import NDArray

from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.types import Array

NEAREST = 5


def nearest_tokens(prompt: NDArray[np.float32], table: NDArray[np.float32], k: int) -> tuple[NDArray[np.intp], Array]:
    """Find the ``k`` rows of ``table`` [V, H] with the highest cosine similarity to each virtual token of ``prompt`` [P, H].

    Returns:
        Row numbers [P, k] and similarities [P, k], the highest first; the smaller number first on a tie.
    """
    similarities = _unit(prompt) @ _unit(table).T
    nearest = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
    return nearest, np.take_along_axis(similarities, nearest, axis=1).astype(float)


def nearest_tokens_csv(prompt: NDArray[np.float32], lm: LanguageModel) -> str:
    """A CSV of the nearest tokens of every virtual token of a soft prompt [P, H].

    ``length`` is the norm of the virtual token in units of the vocabulary's mean norm. Far above 1, the virtual token is unlike
    any text, and its nearest token says little.
    """
    table = lm.embed()[: len(lm.tokenizer)]  # rows beyond the vocabulary were never trained
    nearest, similarities = nearest_tokens(prompt, table, NEAREST)
    lengths = np.linalg.norm(prompt, axis=1) / np.linalg.norm(table, axis=1).mean()
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["virtual_token", "length", "rank", "token", "cosine"])
    for p, (ids, cosines) in enumerate(zip(nearest.tolist(), similarities.tolist(), strict=True), 1):
        for rank, (token, cosine) in enumerate(zip(ids, cosines, strict=True), 1):
            writer.writerow([p, f"{lengths[p - 1]:.3f}", rank, lm.tokenizer.decode([token]), f"{cosine:.4f}"])
    return text.getvalue()


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows [N, H] of length 1; a row of zeros stays one."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)
