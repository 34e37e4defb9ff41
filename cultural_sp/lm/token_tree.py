"""Prefix tree over all rendered questions and their options, so that shared tokens are computed once.

A forward pass over the tree sees ``[before | soft prompt | tree]``: ``before`` holds the tokens in front of the soft prompt's
slot (none for placement ``prefix``), the tree everything after it. The last token of an option is never computed: its
probability is read at the node before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from cultural_sp.lm.chat_prompt import TokenizedPrompt

Path = tuple[int, ...]


@dataclass(frozen=True)
class TokenTree:
    """Questions merged into one tree of T nodes in depth-first order; node -1 is the last token in front of the tree."""

    before: torch.Tensor
    """[B] token ids in front of the slot, the same for every question."""
    tokens: torch.Tensor
    """[T] token ids of the nodes."""
    parents: torch.Tensor
    """[T] parent of each node, always an earlier one; the descendants of a node follow it without a gap."""
    depth: torch.Tensor
    """[T] number of nodes above each node."""
    sources: torch.Tensor
    """[R] nodes whose next-token distribution is read."""
    reads: torch.Tensor
    """[C, 2] reads: row in ``sources`` and token id."""
    options: tuple[tuple[Path, ...], ...]
    """Per question and option, the reads whose log-probabilities add up to the option's."""

    @property
    def n_nodes(self) -> int:
        """Number of nodes T."""
        return len(self.tokens)

    def behind(self, n_front: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Parents and depths [F + T] of F tokens in sequence with the nodes behind them; -1 is the parent of the first."""
        parents = torch.where(self.parents < 0, n_front - 1, self.parents + n_front)
        front = torch.arange(n_front)
        return torch.cat([front - 1, parents]), torch.cat([front, self.depth + n_front])

    @property
    def longest(self) -> int:
        """Length of the longest sequence, without the soft prompt."""
        return len(self.before) + (int(self.depth.max()) + 1 if self.n_nodes else 0)


@dataclass
class _Builder:
    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    children: list[dict[int, int]] = field(default_factory=lambda: [{}])  # of node -1, 0, 1, ...

    def walk(self, node: int, tokens: Sequence[int]) -> int:
        """Follow ``tokens`` below ``node`` and return the last node; missing nodes are created."""
        for token in tokens:
            below = self.children[node + 1]
            if token not in below:
                below[token] = len(self.tokens)
                self.tokens.append(token)
                self.parents.append(node)
                self.children.append({})
            node = below[token]
        return node

    def depth_first(self) -> list[int]:
        """Nodes in depth-first order, children in the order of their creation."""
        order, stack = [], [-1]
        while stack:
            node = stack.pop()
            if node >= 0:
                order.append(node)
            stack.extend(reversed(self.children[node + 1].values()))
        return order


def build_tree(questions: Sequence[TokenizedPrompt]) -> TokenTree:
    """Merge tokenized questions into one tree.

    Raises:
        ValueError: if there are no questions, one lacks tokens or options, or the tokens before the slot differ.
    """
    if not questions:
        raise ValueError("a token tree needs at least one question, got none")
    before = questions[0].before
    builder = _Builder()
    reads: dict[tuple[int, int], int] = {}
    options: list[tuple[Path, ...]] = []
    for question in questions:
        if question.before != before:
            raise ValueError("all questions of a tree must share the tokens before the soft prompt's slot")
        if not before and not question.after:
            raise ValueError("a question must have at least one token besides the soft prompt")
        if not question.options or not all(question.options):  # nothing to read, or an answer of probability one
            raise ValueError("a question must have options, each of at least one token")
        stem = builder.walk(-1, question.after)
        paths = []
        for option in question.options:
            node, path = stem, []
            for i, token in enumerate(option):
                path.append(reads.setdefault((node, token), len(reads)))
                if i + 1 < len(option):
                    node = builder.walk(node, [token])
            paths.append(tuple(path))
        options.append(tuple(paths))
    order = builder.depth_first()
    place = {-1: -1} | {node: i for i, node in enumerate(order)}
    parents = [place[builder.parents[node]] for node in order]
    depth: list[int] = []
    for parent in parents:
        depth.append(depth[parent] + 1 if parent >= 0 else 0)
    sources = sorted({place[node] for node, _ in reads})
    row = {node: i for i, node in enumerate(sources)}
    return TokenTree(
        before=torch.tensor(before, dtype=torch.long),
        tokens=torch.tensor([builder.tokens[node] for node in order], dtype=torch.long),
        parents=torch.tensor(parents, dtype=torch.long),
        depth=torch.tensor(depth, dtype=torch.long),
        sources=torch.tensor(sources, dtype=torch.long),
        reads=torch.tensor([[row[place[node]], token] for node, token in reads], dtype=torch.long),
        options=tuple(options),
    )


def build_trees(questions: Sequence[TokenizedPrompt], max_nodes: int) -> list[TokenTree]:
    """Pack the questions, in their order, into as few trees as possible with at most ``max_nodes`` nodes each.

    A question that needs more nodes gets its own tree. Tokens that two trees share are computed twice, so one tree is best
    if its forward pass fits into memory.
    """
    whole = build_tree(questions)
    if whole.n_nodes <= max_nodes or len(questions) == 1:
        return [whole]
    middle = len(questions) // 2
    return build_trees(questions[:middle], max_nodes) + build_trees(questions[middle:], max_nodes)


def option_log_probs(tree: TokenTree, values: torch.Tensor) -> torch.Tensor:
    """Log-probability [N, Q, O] of every option of every question of a tree.

    Args:
        tree: the packed questions.
        values: log-probabilities [N, C] of the tree's reads.

    Returns:
        Sums over an option's tokens of log P(token | soft prompt and path); ``-inf`` pads questions with fewer options.
    """
    width = max(map(len, tree.options))
    # Two more columns: one adds nothing to an option, the other stands for a missing option.
    nothing, impossible = len(tree.reads), len(tree.reads) + 1
    paths = [[*question, *[(impossible,)] * (width - len(question))] for question in tree.options]
    longest = max(len(path) for question in paths for path in question)
    index = torch.tensor([[[*path, *[nothing] * (longest - len(path))] for path in question] for question in paths])
    ends = values.new_tensor([0.0, -torch.inf]).expand(len(values), 2)
    return torch.cat([values, ends], dim=1)[:, index.to(values.device)].sum(-1)
