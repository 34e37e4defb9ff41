"""Synthetic respondents: questions with a description of values, and the answers that follow by the rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cultural_sp.lm.chat_prompt import TokenizedPrompt, tokenize_for
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.studies.positive_control.answer_rule import (
    ANSWER_SD,
    MAX_SHIFT,
    UNDESCRIBED_SD,
    answer_probabilities,
    default_positions,
)
from cultural_sp.studies.positive_control.curriculum import CurriculumStage
from cultural_sp.studies.positive_control.descriptions import N_VALIDATION_TEXTS, mix_of, text_of, texts
from cultural_sp.survey.instrument import Item, Survey
from cultural_sp.survey.render import labelled
from cultural_sp.types import Array, SoftPrompts

EMPTY_QUESTIONS = ("N/A", "...", "None", "")
MAX_ITEMS = 12
"""Most described items, and most items without a description, in a batch."""


@dataclass(frozen=True)
class TrainingBatch:
    """Questions of one training step and their answers by the rule."""

    questions: list[TokenizedPrompt]
    answers: Array
    """Probabilities [N, Q, O]."""
    prompts: SoftPrompts
    """Mixes [N, P, H] before the questions; [1, 0, H] if the description is a text."""


@dataclass(frozen=True)
class _Texts:
    """Texts that a batch may use: a slice of the statements per pole, and of the wordings per item."""

    statements: slice
    wordings: slice


class SyntheticRespondents:
    """Draws respondents in pairs of opposites, so that only the description decides which answer is right."""

    def __init__(self, survey: Survey, lm: LanguageModel) -> None:
        """Draw respondents to ``survey``, whose items and dimensions must all have texts."""
        self.survey, self.lm = survey, lm
        self._keys = {
            item: (d, float(np.sign(w))) for d, weights in survey.dimensions.items() for item, w in weights.items()
        }  # item -> its dimension and the sign of its weight
        self._default_positions = default_positions(survey)
        self._scales = list(dict.fromkeys(item.scale for item in survey.items))

    def training_batch(self, stage: CurriculumStage, rng: np.random.Generator) -> TrainingBatch:
        """Draw the questions of one training step."""
        names = list(self.survey.dimensions)
        size = int(rng.choice(stage.n_described))
        used = _Texts(slice(0, stage.n_statements), slice(0, stage.n_wordings))
        if size == 0:
            n_undescribed = MAX_ITEMS
        elif size > 1 or stage.default_positions:
            n_undescribed = 2
        else:
            n_undescribed = int(rng.random() < 0.3)
        if size and rng.random() < stage.mix_share:
            described = [str(name) for name in rng.choice(names, size, replace=False)]
            return self._mix_batch(described, stage, used, n_undescribed, rng)
        drawn = [str(name) for name in rng.choice(names, size=max(size, 3), replace=False)]
        groups = [[name] for name in drawn] if size == 1 else [drawn[:size]]
        return self._text_batch(groups, stage, used, n_undescribed, rng)

    def validation_batch(self, size: int, rng: np.random.Generator, *, mix: bool = False) -> TrainingBatch:
        """Draw questions about ``size`` described dimensions from texts that are never trained on."""
        names = list(self.survey.dimensions)
        described = [str(name) for name in rng.choice(names, size, replace=False)]
        used = _Texts(slice(-N_VALIDATION_TEXTS, None), slice(-N_VALIDATION_TEXTS, None))
        per_dimension = (N_VALIDATION_TEXTS,) if mix else (1,)
        stage = CurriculumStage(N_VALIDATION_TEXTS, N_VALIDATION_TEXTS, 0.5, (size,), per_dimension)
        if mix:
            return self._mix_batch(described, stage, used, 0, rng)
        return self._text_batch([[name] for name in names] if size == 1 else [described], stage, used, 0, rng)

    def _text_batch(
        self,
        groups: Sequence[Sequence[str]],
        stage: CurriculumStage,
        used: _Texts,
        n_undescribed: int,
        rng: np.random.Generator,
    ) -> TrainingBatch:
        """Draw a respondent and its opposite for each group of described dimensions; descriptions are texts."""
        questions, answers = [], []
        for group in groups:
            stances = {d: rng.choice([-1.0, 1.0], int(rng.choice(stage.per_dimension))) for d in group}
            in_slot = rng.random() < stage.slot_share
            for sign in (1.0, -1.0):
                signed = {d: sign * poles for d, poles in stances.items()}
                description = text_of(signed, used.statements, rng)
                for item in self._items(group, n_undescribed, rng):
                    wording = str(rng.choice(texts()["wordings"][item.id][used.wordings]))
                    questions.append(self._question(item, wording, description, in_slot=in_slot))
                    answers.append(self._answers(item, signed, stage))
                if rng.random() < 0.3:  # without a question every option is equally likely
                    questions.append(self._empty_question(description, rng, in_slot=in_slot))
                    answers.append(np.full(answers[0].shape, 1 / len(answers[0])))
        no_prompt = np.zeros((1, 0, self.lm.hidden_size), dtype=np.float32)
        return TrainingBatch(questions, np.array(answers)[None], no_prompt)

    def _mix_batch(
        self,
        described: Sequence[str],
        stage: CurriculumStage,
        used: _Texts,
        n_undescribed: int,
        rng: np.random.Generator,
    ) -> TrainingBatch:
        """Draw a respondent and its opposite with the same questions; descriptions are mixes."""
        stances = {d: rng.uniform(-1, 1, int(rng.choice(stage.per_dimension))) for d in described}
        middle, offset = mix_of(stances, used.statements, self.lm, rng)
        items = self._items(described, n_undescribed, rng)
        wordings = [str(rng.choice(texts()["wordings"][item.id][used.wordings])) for item in items]
        questions = [self._question(item, wording) for item, wording in zip(items, wordings, strict=True)]
        answers = [
            [self._answers(item, {d: sign * shares for d, shares in stances.items()}, stage) for item in items]
            for sign in (1.0, -1.0)
        ]
        prompts = np.stack([middle + offset, middle - offset]).astype(np.float32)
        return TrainingBatch(questions, np.array(answers), prompts)

    def _answers(self, item: Item, stances: Mapping[str, Array], stage: CurriculumStage) -> Array:
        """Return the answer probabilities [O] of a respondent described by ``stances``: dimension -> values from -1 to 1."""
        dimension, sign = self._keys[item.id]
        if dimension not in stances and not stage.default_positions:
            return answer_probabilities(len(item.scale.labels), 0.0, UNDESCRIBED_SD)
        described = dimension in stances
        position = float(stances[dimension].mean()) if described else self._default_positions[dimension]
        return answer_probabilities(len(item.scale.labels), MAX_SHIFT * sign * position, ANSWER_SD)

    def _items(self, described: Sequence[str], n_undescribed: int, rng: np.random.Generator) -> list[Item]:
        """Draw items of the described dimensions, at most :data:`MAX_ITEMS`, and ``n_undescribed`` others."""
        inside = [item for item in self.survey.items if self._keys[item.id][0] in described]
        outside = [item for item in self.survey.items if self._keys[item.id][0] not in described]
        chosen = rng.choice(len(inside), min(len(inside), MAX_ITEMS), replace=False)
        others: NDArray[np.int_] | list[int] = (
            rng.choice(len(outside), min(len(outside), n_undescribed), replace=False) if outside else []
        )
        return [inside[i] for i in sorted(chosen)] + [outside[i] for i in sorted(others)]

    def _empty_question(self, description: str, rng: np.random.Generator, *, in_slot: bool) -> TokenizedPrompt:
        """Draw a scale, with a text that asks nothing."""
        scale = self._scales[rng.integers(len(self._scales))]
        item = next(item for item in self.survey.items if item.scale == scale)
        return self._question(item, str(rng.choice(EMPTY_QUESTIONS)), description, in_slot=in_slot)

    def _question(self, item: Item, wording: str, description: str = "", *, in_slot: bool = False) -> TokenizedPrompt:
        """Tokenize a question; the description stands before everything or in the system turn."""
        question = labelled(item.scale, wording, "" if in_slot else description)
        tokens = tokenize_for(self.lm, question, "prefix")
        if not in_slot:
            return tokens
        front = tuple(self.lm.tokenizer(description, add_special_tokens=False)["input_ids"])
        return replace(tokens, after=front + tokens.after)
