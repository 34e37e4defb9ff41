"""The search spaces by name: what each takes from the config, the model and the shipped texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cultural_sp.config.schema import AlignConfig
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.soft_prompt import embedded_text, embedding_rms, initial_prompt
from cultural_sp.search.space import Full, Space, Subspace, basis_directions, random_directions
from cultural_sp.survey.instrument import POLES
from cultural_sp.survey.value_statements import Statement, load_statements
from cultural_sp.types import SoftPrompt


def statements_from_config(config: AlignConfig) -> tuple[Statement, ...]:
    """The statements of a space that is made of them; none in another space.

    Raises:
        ValueError: in one line, if the space sets opposites side by side and they don't come in pairs or don't fit.
    """
    name = config.soft_prompt.statements
    statements = () if name is None else load_statements(name)
    if config.soft_prompt.space == "poles":
        opposites(statements)
        n_pairs, n_tokens = len(statements) // 2, config.soft_prompt.n_tokens
        if n_tokens % n_pairs:
            raise ValueError(
                f"soft_prompt.n_tokens={n_tokens} does not give {n_pairs} pairs of statements equally many virtual tokens; "
                f"give a multiple of {n_pairs}"
            )
    return statements


def opposites(statements: Sequence[Statement]) -> list[tuple[Statement, Statement]]:
    """Pairs of a high and a low statement of a dimension, the first with the first and so on.

    Raises:
        ValueError: in one line, if a dimension has more of one pole than of the other.
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


def _full(config: AlignConfig, lm: LanguageModel) -> Space:
    return Full(_initial(config, lm), config.soft_prompt.scale * embedding_rms(lm))


def _projection(config: AlignConfig, lm: LanguageModel) -> Space:
    start = _initial(config, lm)
    directions = random_directions(config.soft_prompt.dim, start.size, config.seed)
    return Subspace(start, config.soft_prompt.scale * embedding_rms(lm), directions)


def _statements(config: AlignConfig, lm: LanguageModel) -> Space:
    start = _initial(config, lm)
    basis = np.stack([embedded_text(statement.text, len(start), lm) for statement in statements_from_config(config)])
    return Subspace(start, config.soft_prompt.scale * embedding_rms(lm), basis_directions(basis))


def _poles(config: AlignConfig, lm: LanguageModel) -> Space:
    high, low = _side_by_side(config, lm)
    n_pairs, width, hidden = high.shape
    directions = np.zeros((n_pairs, n_pairs, width, hidden), dtype=np.float32)
    directions[range(n_pairs), range(n_pairs)] = (high - low) / 2
    start = ((high + low) / 2).reshape(-1, hidden).astype(np.float32)
    return Subspace(start, config.soft_prompt.scale, directions.reshape(n_pairs, n_pairs * width * hidden))


def _initial(config: AlignConfig, lm: LanguageModel) -> SoftPrompt:
    return initial_prompt(config.soft_prompt, lm, config.seed)


def _side_by_side(config: AlignConfig, lm: LanguageModel) -> tuple[SoftPrompt, SoftPrompt]:
    """The high and the low statement of every pair, each on the pair's own p virtual tokens, [pairs, p, H] each."""
    pairs = opposites(statements_from_config(config))
    width = config.soft_prompt.n_tokens // len(pairs)
    high, low = (np.stack([embedded_text(pair[i].text, width, lm) for pair in pairs]) for i in (0, 1))
    return high, low


SPACES: dict[str, Callable[[AlignConfig, LanguageModel], Space]] = {
    "projection": _projection,
    "full": _full,
    "statements": _statements,
    "poles": _poles,
}


def search_space(config: AlignConfig, lm: LanguageModel) -> Space:
    """The configured search space around its initial prompt [P, H]."""
    return SPACES[config.soft_prompt.space](config, lm)


def axes(config: AlignConfig) -> tuple[Statement, ...]:
    """What the search coordinates [d] stand for; nothing in a space that can't be read."""
    statements = statements_from_config(config)
    if config.soft_prompt.space != "poles":
        return statements
    return tuple(Statement(high.dimension, "pair", f"{high.text} / {low.text}") for high, low in opposites(statements))
