"""A frozen model taking a survey under many soft prompts: soft prompts in, option log-probabilities out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cultural_sp.config.groups import SurveyConfig
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.chat_prompt import tokenize
from cultural_sp.lm.forward import Forward
from cultural_sp.lm.forward_selection import make_forward
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.token_tree import build_trees, option_log_probs
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.render import Administration, orders_of, render


@dataclass(frozen=True)
class OptionLogProbs:
    """What N soft prompts make a model answer, per option order."""

    log_probs: dict[str, NDArray[np.float64]]
    """Order -> option log-probabilities [N, Q, O], options in the order of their codes, ``-inf`` where there is none."""
    valid_mass: dict[str, NDArray[np.float64]]
    """Order -> probability [N, Q] that the model gives to all valid options together, before any calibration."""


class Respondent:
    """One model, one wording of a survey and one persona; answers under any soft prompt."""

    def __init__(
        self,
        lm: LanguageModel,
        survey: Survey,
        config: SurveyConfig,
        *,
        wording: int = 0,
        placement: str = "prefix",
        persona: str = "",
        batching: Batching | None = None,
        compiled: bool = False,
    ) -> None:
        """Render and tokenize the survey and pack it into a token tree.

        Args:
            lm: the frozen model.
            survey: the instrument.
            config: scoring, layout, option order and calibration.
            wording: index of the wording.
            placement: where the soft prompt goes.
            persona: system message, empty for the plain model.
            batching: how candidates share forward passes; chosen by itself if None.
            compiled: compile the model's layers for this survey, which pays after a hundred candidates or two.
        """
        self.lm, self.survey, self.placement, self.compiled = lm, survey, placement, compiled
        self.batching = batching or Batching(lm)
        self.administrations: list[Administration] = [
            render(
                survey,
                wording,
                scoring=config.scoring,
                layout=config.layout,
                order=order,
                calibrate=config.calibrate,
                persona=persona,
            )
            for order in orders_of(config.scoring, config.option_order)
        ]
        self.tokenized = [
            [tokenize(q, lm.tokenizer, placement, lm.template_args) for q in (*a.questions, *a.content_free)]
            for a in self.administrations
        ]
        questions = [question for part in self.tokenized for question in part]
        self.trees = build_trees(questions, self.batching.max_nodes)
        self._forwards: dict[int, list[Forward]] = {}

    def forwards(self, n_virtual: int) -> list[Forward]:
        """The forward pass of each tree behind P virtual tokens."""
        if n_virtual not in self._forwards:
            self._forwards[n_virtual] = [
                make_forward(self.lm, tree, n_virtual, compiled=self.compiled) for tree in self.trees
            ]
        return self._forwards[n_virtual]

    def batch_size(self, prompts: NDArray[np.float32]) -> int:
        """Candidates per forward pass for soft prompts [N, P, H]; may run a few to find out."""
        n_virtual = prompts.shape[1]
        tree = max(self.trees, key=lambda tree: tree.n_nodes)
        forward = make_forward(self.lm, tree, n_virtual)  # compiling for every size that is tried would take minutes
        return self.batching.size(forward, torch.from_numpy(prompts), n_virtual + tree.n_nodes, len(tree.sources))

    def answer(self, prompts: NDArray[np.float32]) -> OptionLogProbs:
        """Answers to the whole survey under soft prompts [N, P, H]; P = 0 is the plain model.

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
        return self._split(np.concatenate([_widened(part, width) for part in parts], axis=1))

    def _split(self, scores: NDArray[np.float64]) -> OptionLogProbs:
        """Sort the tree's rows [N, rows, O] into administrations and calibrate them."""
        log_probs, mass = {}, {}
        first = 0
        for administration in self.administrations:
            stop = first + len(administration.questions)
            raw = scores[:, first:stop]
            mass[administration.order] = np.exp(raw).sum(axis=-1)
            if administration.content_free:
                neutral = scores[:, stop : stop + len(administration.content_free)]
                neutral = neutral[:, list(administration.content_free_of)]
                raw = np.where(np.isfinite(raw), raw - np.where(np.isfinite(neutral), neutral, 0.0), raw)
            log_probs[administration.order] = raw
            first = stop + len(administration.content_free)
        return OptionLogProbs(log_probs, mass)


def _widened(scores: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    return np.pad(scores, ((0, 0), (0, 0), (0, width - scores.shape[2])), constant_values=-np.inf)
