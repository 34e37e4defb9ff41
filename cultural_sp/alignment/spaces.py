"""Search spaces by name, built from the config, the model and the statements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cultural_sp.config.registries import SPACES
from cultural_sp.config.schema import AlignConfig
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.soft_prompt import embedded_text, embedding_rms, initial_prompt
from cultural_sp.search.space import Full, Space, Subspace, basis_directions, random_directions
from cultural_sp.survey.instrument import POLES
from cultural_sp.survey.value_statements import Statement, load_statements
from cultural_sp.types import SoftPrompt


def statements_from_config(config: AlignConfig) -> tuple[Statement, ...]:
    """Return the statements that span the configured search space; empty for spaces without statements.

    Raises:
        ValueError: if the statements can't be read, or if ``soft_prompt=poles`` can't pair them or give each pair equally many
            virtual tokens.
    """
    name = config.soft_prompt.statements
    statements = () if name is None else load_statements(name)
    if SPACES[config.soft_prompt.space].statements == 2:
        opposite_pairs(statements)
        n_pairs, n_tokens = len(statements) // 2, config.soft_prompt.n_tokens
        if n_tokens % n_pairs:
            raise ValueError(
                f"soft_prompt.n_tokens={n_tokens} does not give {n_pairs} pairs of statements equally many virtual tokens; "
                f"give a multiple of {n_pairs}"
            )
    return statements


def opposite_pairs(statements: Sequence[Statement]) -> list[tuple[Statement, Statement]]:
    """Pair the high and the low statements of each dimension in their order.

    Raises:
        ValueError: if a dimension has more statements of one pole than of the other.
    """
    pairs: list[tuple[Statement, Statement]] = []
    for dimension in dict.fromkeys(s.dimension for s in statements):
        high, low = ([s for s in statements if (s.dimension, s.pole) == (dimension, pole)] for pole in POLES)
        if len(high) != len(low):
            raise ValueError(
                f"soft_prompt.statements: {dimension} has {len(high)} high and {len(low)} low statements; soft_prompt=poles "
                "needs pairs, so give as many of each"
            )
        pairs += zip(high, low, strict=True)
    return pairs


def full_space(config: AlignConfig, lm: LanguageModel) -> Space:
    """Return the space of every coordinate of every virtual token."""
    return Full(_initial(config, lm), config.soft_prompt.scale * embedding_rms(lm))


def projection_space(config: AlignConfig, lm: LanguageModel) -> Space:
    """Return the space of ``dim`` fixed random directions."""
    start = _initial(config, lm)
    directions = random_directions(config.soft_prompt.dim, start.size, config.seed)
    return Subspace(start, config.soft_prompt.scale * embedding_rms(lm), directions)


def statements_space(config: AlignConfig, lm: LanguageModel) -> Space:
    """Return the space of weights of statements, which share the virtual tokens."""
    start = _initial(config, lm)
    basis = np.stack([embedded_text(statement.text, len(start), lm) for statement in statements_from_config(config)])
    return Subspace(start, config.soft_prompt.scale * embedding_rms(lm), basis_directions(basis))


def poles_space(config: AlignConfig, lm: LanguageModel) -> Space:
    """Return the space with one coordinate, and some virtual tokens, per pair of opposite statements."""
    pairs = opposite_pairs(statements_from_config(config))
    width = config.soft_prompt.n_tokens // len(pairs)  # virtual tokens of a pair
    high, low = (np.stack([embedded_text(pair[i].text, width, lm) for pair in pairs]) for i in (0, 1))
    n_pairs, width, hidden = high.shape
    directions = np.zeros((n_pairs, n_pairs, width, hidden), dtype=np.float32)
    directions[range(n_pairs), range(n_pairs)] = (high - low) / 2
    start = ((high + low) / 2).reshape(-1, hidden).astype(np.float32)
    return Subspace(start, config.soft_prompt.scale, directions.reshape(n_pairs, n_pairs * width * hidden))


def _initial(config: AlignConfig, lm: LanguageModel) -> SoftPrompt:
    return initial_prompt(config.soft_prompt, lm, config.seed)


def search_space(config: AlignConfig, lm: LanguageModel) -> Space:
    """Return the configured search space around its initial prompt [P, H]."""
    space: Space = SPACES[config.soft_prompt.space].make(config, lm)
    return space


def coordinate_labels(config: AlignConfig) -> tuple[Statement, ...]:
    """One statement, or pair of statements, per search coordinate [d]; empty if coordinates have no meaning."""
    statements = statements_from_config(config)
    if SPACES[config.soft_prompt.space].statements != 2:
        return statements
    return tuple(
        Statement(high.dimension, "pair", f"{high.text} / {low.text}") for high, low in opposite_pairs(statements)
    )
