"""Prefix tree over all rendered questions and their options, so that shared tokens are computed once.

Layout of one forward pass: ``[before | soft prompt | tree]``. ``before`` holds the tokens in front of the soft prompt's
slot (empty for placement ``prefix``), the tree holds everything after it. A tree node sees ``before``, the soft prompt, its
ancestors and itself, which is exactly what it would see in a separate forward pass over its own path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from cultural_sp.lm.prompt import TokenizedQuestion


@dataclass(frozen=True)
class TokenTree:
    """Q questions merged into one tree of T nodes; parent indices refer to nodes, -1 is the soft prompt's last token."""

    before: torch.Tensor
    """[B] token ids in front of the slot, the same for every question."""
    tokens: torch.Tensor
    """[T] token ids of the nodes, every parent before its children."""
    depth: torch.Tensor
    """[T] number of ancestors of each node."""
    visible: torch.Tensor
    """[T, T] bool, row i marks the nodes that node i attends to: its ancestors and itself."""
    options: tuple[tuple[tuple[int, ...], ...], ...]
    """Per question and option, the nodes whose conditional log-probabilities add up to the option's."""
    parents: torch.Tensor
    """[T] parent of each node."""

    @property
    def n_nodes(self) -> int:
        """Number of nodes T."""
        return len(self.tokens)

    def mask(self, n_virtual: int, dtype: torch.dtype) -> torch.Tensor:
        """Additive attention mask [1, 1, B+P+T, B+P+T]: causal over the trunk, tree-shaped behind it."""
        trunk = len(self.before) + n_virtual
        size = trunk + self.n_nodes
        allowed = torch.zeros(size, size, dtype=torch.bool)
        allowed[:trunk, :trunk] = torch.ones(trunk, trunk, dtype=torch.bool).tril()
        allowed[trunk:, :trunk] = True
        allowed[trunk:, trunk:] = self.visible
        mask = torch.zeros(size, size, dtype=dtype)
        return mask.masked_fill_(~allowed, torch.finfo(dtype).min)[None, None]

    def positions(self, n_virtual: int) -> torch.Tensor:
        """Position ids [1, B+P+T]: a node's position is its place in its own sequence."""
        trunk = len(self.before) + n_virtual
        return torch.cat([torch.arange(trunk), trunk + self.depth])[None]


@dataclass
class _Builder:
    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    children: dict[tuple[int, int], int] = field(default_factory=dict)

    def walk(self, parent: int, tokens: Sequence[int]) -> list[int]:
        """Nodes along ``tokens`` below ``parent``, created where they are missing."""
        path = []
        for token in tokens:
            key = (parent, token)
            if key not in self.children:
                self.children[key] = len(self.tokens)
                self.tokens.append(token)
                self.parents.append(parent)
            parent = self.children[key]
            path.append(parent)
        return path


def build_tree(questions: Sequence[TokenizedQuestion]) -> TokenTree:
    """Merge tokenized questions into one tree.

    Raises:
        ValueError: if there are no questions or the tokens before the slot differ between them.
    """
    if not questions:
        raise ValueError("a token tree needs at least one question, got none")
    before = questions[0].before
    builder = _Builder()
    options = []
    for question in questions:
        if question.before != before:
            raise ValueError("all questions of a tree must share the tokens before the soft prompt's slot")
        if not before and not question.after:
            raise ValueError("a question must have at least one token besides the soft prompt")
        stem = builder.walk(-1, question.after)
        last = stem[-1] if stem else -1
        options.append(tuple(tuple(builder.walk(last, option)) for option in question.options))
    size = len(builder.tokens)
    visible = torch.eye(size, dtype=torch.bool)
    depth = torch.zeros(size, dtype=torch.long)
    for node, parent in enumerate(builder.parents):
        if parent >= 0:
            visible[node] |= visible[parent]
            depth[node] = depth[parent] + 1
    return TokenTree(
        before=torch.tensor(before, dtype=torch.long),
        tokens=torch.tensor(builder.tokens, dtype=torch.long),
        depth=depth,
        visible=visible,
        options=tuple(options),
        parents=torch.tensor(builder.parents, dtype=torch.long),
    )
