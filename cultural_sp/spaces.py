"""The search spaces by name: what each takes from the config, the model and the shipped texts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cultural_sp.config import AlignConfig
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.soft_prompt import embedded_text, embedding_rms
from cultural_sp.search.space import Full, Prompt, Space, Subspace, basis_directions, random_directions
from cultural_sp.survey.statements import Statement, load_statements


def open_statements(config: AlignConfig) -> tuple[Statement, ...]:
    """The statements [d] whose weights are searched; none in another space."""
    name = config.soft_prompt.statements
    return () if name is None else load_statements(name)


def _full(config: AlignConfig, lm: LanguageModel, start: Prompt, step: float) -> Space:
    return Full(start, step)


def _projection(config: AlignConfig, lm: LanguageModel, start: Prompt, step: float) -> Space:
    return Subspace(start, step, random_directions(config.soft_prompt.dim, start.size, config.seed))


def _statements(config: AlignConfig, lm: LanguageModel, start: Prompt, step: float) -> Space:
    texts = [statement.text for statement in open_statements(config)]
    basis = np.stack([embedded_text(text, len(start), lm) for text in texts])
    return Subspace(start, step, basis_directions(basis))


SPACES: dict[str, Callable[[AlignConfig, LanguageModel, Prompt, float], Space]] = {
    "projection": _projection,
    "full": _full,
    "statements": _statements,
}


def search_space(config: AlignConfig, lm: LanguageModel, start: Prompt) -> Space:
    """The configured search space around the initial prompt [P, H]."""
    return SPACES[config.soft_prompt.space](config, lm, start, config.soft_prompt.scale * embedding_rms(lm))
