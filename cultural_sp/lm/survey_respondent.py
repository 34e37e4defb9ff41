"""A frozen model takes a survey: soft prompts in, option log-probabilities out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cultural_sp.config.groups import SurveyConfig
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.chat_prompt import tokenize_for
from cultural_sp.lm.forward import Forward
from cultural_sp.lm.forward_selection import make_forward
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.token_tree import build_trees, option_log_probs
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.render import Administration, Rendering, orders_of, render
from cultural_sp.types import Array, SoftPrompts


@dataclass(frozen=True)
class OptionLogProbs:
    """Answers of a model under N soft prompts, per option order."""

    log_probs: dict[str, Array]
    """Order -> option log-probabilities [N, Q, O], options in the order of their codes; ``-inf`` pads shorter scales."""
    valid_mass: dict[str, Array]
    """Order -> probability [N, Q] of all valid options together, before any calibration."""


@dataclass(frozen=True)
class Condition:
    """What varies while model and survey stay the same, apart from the soft prompt."""

    wordings: tuple[int, ...] = (0,)
    """Places of the wordings, which are all asked in the same forward pass."""
    placement: str = "prefix"
    """Where the soft prompt goes: prefix, system or user."""
    persona: str = ""
    """System message; empty for the plain model."""


class SurveyRespondent:
    """One model, one survey and one condition; answers under any soft prompt."""

    def __init__(
        self,
        lm: LanguageModel,
        survey: Survey,
        config: SurveyConfig,
        condition: Condition = Condition(),
        batching: Batching | None = None,
        compiled: bool = False,
    ) -> None:
        """Render and tokenize the survey and pack it into token trees.

        Args:
            lm: the frozen model.
            survey: the instrument.
            config: scoring, layout, option order and calibration.
            condition: wordings, placement and persona.
            batching: how candidates share forward passes; None for a new one.
            compiled: compile the model's layers for this survey, which pays after a hundred candidates or more.
        """
        self.lm, self.survey, self.compiled = lm, survey, compiled
        self.batching = batching or Batching(lm)
        self.administrations: list[Administration] = [
            render(
                survey,
                wording,
                Rendering(config.scoring, config.layout, order, config.calibrate),
                condition.persona,
            )
            for wording in condition.wordings
            for order in orders_of(config.scoring, config.option_order)
        ]
        self.n_wordings = len(condition.wordings)
        self.tokenized = [
            [tokenize_for(lm, p, condition.placement) for p in (*a.questions, *a.content_free)]
            for a in self.administrations
        ]
        prompts = [prompt for administration in self.tokenized for prompt in administration]
        self.trees = build_trees(prompts, self.batching.max_nodes)
        self._forwards: dict[int, list[Forward]] = {}

    def forwards(self, n_virtual: int) -> list[Forward]:
        """The forward pass of each tree behind ``n_virtual`` virtual tokens."""
        if n_virtual not in self._forwards:
            self._forwards[n_virtual] = [
                make_forward(self.lm, tree, n_virtual, compiled=self.compiled) for tree in self.trees
            ]
        return self._forwards[n_virtual]

    def batch_size(self, prompts: SoftPrompts) -> int:
        """Candidates per forward pass for soft prompts [N, P, H]; may measure a few passes."""
        n_virtual = prompts.shape[1]
        tree = max(self.trees, key=lambda tree: tree.n_nodes)
        forward = make_forward(self.lm, tree, n_virtual)  # compiling for every size that is tried would take minutes
        return self.batching.size(forward, torch.from_numpy(prompts), n_virtual + tree.n_nodes, len(tree.sources))

    def answer(self, prompts: SoftPrompts) -> OptionLogProbs:
        """Answer the survey in its only wording under soft prompts [N, P, H], see :meth:`answer_wordings`."""
        [answers] = self.answer_wordings(prompts)
        return answers

    def answer_wordings(self, prompts: SoftPrompts) -> list[OptionLogProbs]:
        """Answer the whole survey in each wording under soft prompts [N, P, H]; P = 0 is the plain model.

        Raises:
            ValueError: if the prompts' width isn't the model's hidden size, or if one candidate doesn't fit into memory.
        """
        if prompts.ndim != 3 or prompts.shape[2] != self.lm.hidden_size:
            raise ValueError(f"soft prompts need shape [N, P, {self.lm.hidden_size}], got {list(prompts.shape)}")
        n_virtual = prompts.shape[1]
        parts = []
        for tree, forward in zip(self.trees, self.forwards(n_virtual), strict=True):
            values = self.batching.run(forward, torch.from_numpy(prompts), n_virtual + tree.n_nodes, len(tree.sources))
            parts.append(option_log_probs(tree, values).numpy())
        width = max(part.shape[2] for part in parts)
        return self._split(np.concatenate([_pad_options(part, width) for part in parts], axis=1))

    def _split(self, scores: Array) -> list[OptionLogProbs]:
        """Split the rows [N, rows, O] of all trees into wordings and orders, and calibrate."""
        parts: list[OptionLogProbs] = []
        per_wording = len(self.administrations) // self.n_wordings
        first = 0
        for number, administration in enumerate(self.administrations):
            if number % per_wording == 0:
                parts.append(OptionLogProbs({}, {}))
            stop = first + len(administration.questions)
            raw = scores[:, first:stop]
            parts[-1].valid_mass[administration.order] = np.exp(raw).sum(axis=-1)
            if administration.content_free:
                neutral = scores[:, stop : stop + len(administration.content_free)]
                neutral = neutral[:, list(administration.content_free_of)]
                raw = np.where(np.isfinite(raw), raw - np.where(np.isfinite(neutral), neutral, 0.0), raw)
            parts[-1].log_probs[administration.order] = raw
            first = stop + len(administration.content_free)
        return parts


def _pad_options(scores: Array, width: int) -> Array:
    """Scores [N, rows, O] with ``width`` options; ``-inf`` for the new ones."""
    return np.pad(scores, ((0, 0), (0, 0), (0, width - scores.shape[2])), constant_values=-np.inf)
