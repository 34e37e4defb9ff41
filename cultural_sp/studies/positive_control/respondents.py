"""Synthetic respondents: a description of values in, answers that follow from it by a rule out.

The rule. A respondent has a position on every dimension, from -1 (low) to +1 (high): the mean of what the description says
about it, +1 or -1 for each statement, and, where it says nothing, the model's own, 0.25 above and below 0 by turns. The answer
to an item whose weight in the index has the sign s is spread around 3 + 1.7 s position with a standard deviation of 0.8: code c
has a probability in proportion to exp(-(c - mean)^2 / (2 sd^2)). Index points follow by the survey's own formula. Before the
model is taught positions of its own, nothing said is answered by 3 with a standard deviation of 1.5.

A description is a text of statements, or a *mix*: pairs of a high and a low statement, both squeezed to the same few virtual
tokens, of which a share a of the way from the middle to the high one is taken; such a pair says a, from -1 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from cultural_sp.lm.chat_prompt import TokenizedPrompt, tokenize
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.soft_prompt import embedded_text
from cultural_sp.survey.instrument import POLES, Item, Survey
from cultural_sp.survey.render import labelled

TEXTS = Path(__file__).with_name("texts.yaml")
VALUE_BOUND, SPREAD = 1.7, 0.8
OWN_POSITION_SHARE = 0.25
SPREAD_OF_NOTHING = 1.5
WATCHED = 2  # texts of each item and pole, the last ones, that are never trained on
NO_QUESTION = ("N/A", "...", "None", "")
ITEMS_AT_ONCE = 12
MIXED_TOKENS = (4, 8)  # fewest and most virtual tokens of a pair in a mix


@dataclass(frozen=True)
class CurriculumStage:
    """How hard the questions are; the training moves on when it answers those of a stage."""

    descriptions: int
    """Statements to draw from per pole."""
    wordings: int
    """Wordings to draw from per item."""
    in_slot: float
    """Share of texts that stand where a soft prompt goes, in front of everything, not in the system turn."""
    sizes: tuple[int, ...]
    """Numbers of dimensions on which a respondent may be described, all equally likely."""
    statements: tuple[int, ...] = (1,)
    """Numbers of statements, or of pairs in a mix, that may be made about a dimension."""
    mixed: float = 0.0
    """Share of lessons whose description is a mix."""
    own: bool = False
    """Whether items about which nothing is said are answered by the model's own positions."""


@dataclass(frozen=True)
class TrainingBatch:
    """Questions of one training step and the answers that the rule gives."""

    questions: list[TokenizedPrompt]
    answers: NDArray[np.float64]
    """[N, Q, O] probabilities."""
    prompts: NDArray[np.float32]
    """Mixes [N, P, H] in front of the questions; [1, 0, H] where the description is a text."""


@cache
def texts() -> dict[str, Any]:
    """Wordings by item; descriptions by dimension and pole."""
    loaded: dict[str, Any] = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    return loaded


def answers_of(n_options: int, shift: float, spread: float) -> NDArray[np.float64]:
    """Answer probabilities [O] around the middle code plus ``shift``."""
    codes = np.arange(1, n_options + 1)
    weights = np.exp(-np.square(codes - codes.mean() - shift) / (2 * spread**2))
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def own_positions(survey: Survey) -> dict[str, float]:
    """Dimension -> the model's own position."""
    return {d: OWN_POSITION_SHARE * (-1) ** place for place, d in enumerate(survey.dimensions)}


class Respondents:
    """Draws respondents in pairs of opposites, so that only the description tells which answer is right."""

    def __init__(self, survey: Survey, lm: LanguageModel) -> None:
        """Respondents to ``survey``, for whose items and dimensions there must be texts."""
        self.survey, self.lm = survey, lm
        self.sides = {
            item: (d, float(np.sign(w))) for d, weights in survey.dimensions.items() for item, w in weights.items()
        }
        self.own = own_positions(survey)
        self.scales = list(dict.fromkeys(item.scale for item in survey.items))

    def lesson(self, stage: CurriculumStage, rng: np.random.Generator) -> TrainingBatch:
        """Questions for one training step."""
        names = list(self.survey.dimensions)
        size = int(rng.choice(stage.sizes))
        used = slice(0, stage.descriptions), slice(0, stage.wordings)
        n_undescribed = ITEMS_AT_ONCE if size == 0 else 2 if size > 1 or stage.own else int(rng.random() < 0.3)
        if size and rng.random() < stage.mixed:
            drawn = [str(name) for name in rng.choice(names, size, replace=False)]
            return self._mixed(drawn, stage, used, n_undescribed, rng)
        drawn = [str(name) for name in rng.choice(names, size=max(size, 3), replace=False)]
        groups = [[name] for name in drawn] if size == 1 else [drawn[:size]]
        return self._ask(groups, stage, used, n_undescribed, rng)

    def validation_accuracy(self, size: int, rng: np.random.Generator, *, mixed: bool = False) -> TrainingBatch:
        """Questions and statements that are never trained on, for respondents described on ``size`` dimensions."""
        names = list(self.survey.dimensions)
        drawn = [str(n) for n in rng.choice(names, size, replace=False)]
        kept = slice(-WATCHED, None)
        stage = CurriculumStage(WATCHED, WATCHED, 0.5, (size,), (WATCHED,) if mixed else (1,))
        if mixed:
            return self._mixed(drawn, stage, (kept, kept), 0, rng)
        return self._ask([[n] for n in names] if size == 1 else [drawn], stage, (kept, kept), 0, rng)

    def _ask(
        self,
        groups: Sequence[Sequence[str]],
        stage: CurriculumStage,
        used: tuple[slice, slice],
        n_undescribed: int,
        rng: np.random.Generator,
    ) -> TrainingBatch:
        questions, answers = [], []
        for group in groups:
            said = {d: rng.choice([-1.0, 1.0], int(rng.choice(stage.statements))) for d in group}
            slot = rng.random() < stage.in_slot
            for turn in (1.0, -1.0):
                turned = {d: turn * poles for d, poles in said.items()}
                text = self._description(turned, used[0], rng)
                for item in self._items(group, n_undescribed, rng):
                    wording = str(rng.choice(texts()["wordings"][item.id][used[1]]))
                    questions.append(self._tokens(item, wording, text, slot))
                    answers.append(self._answers(item, turned, stage))
                if rng.random() < 0.3:  # behind no question at all, every option is as good as the others
                    questions.append(self._nothing(text, slot, rng))
                    answers.append(np.full(answers[0].shape, 1 / len(answers[0])))
        return TrainingBatch(
            questions, np.array(answers)[None], np.zeros((1, 0, self.lm.hidden_size), dtype=np.float32)
        )

    def _mixed(
        self,
        group: Sequence[str],
        stage: CurriculumStage,
        used: tuple[slice, slice],
        n_undescribed: int,
        rng: np.random.Generator,
    ) -> TrainingBatch:
        """A respondent and its opposite, both described by a mix, and the same questions for both."""
        said = {d: rng.uniform(-1, 1, int(rng.choice(stage.statements))) for d in group}
        phrasings, pairs = texts()["phrasings"], []
        width = int(rng.integers(MIXED_TOKENS[0], MIXED_TOKENS[1] + 1))
        for dimension, shares in said.items():
            chosen = [rng.choice(phrasings[dimension][pole][used[0]], len(shares), replace=False) for pole in POLES]
            for high, low, share in zip(*chosen, shares, strict=True):
                at_high, at_low = (embedded_text(str(text), width, self.lm) for text in (high, low))
                pairs.append(((at_high + at_low) / 2, share * (at_high - at_low) / 2))
        rng.shuffle(pairs)
        middle, away = (np.concatenate([pair[i] for pair in pairs]) for i in (0, 1))
        items = self._items(group, n_undescribed, rng)
        wordings = [str(rng.choice(texts()["wordings"][item.id][used[1]])) for item in items]
        questions = [self._tokens(item, wording, "", False) for item, wording in zip(items, wordings, strict=True)]
        answers = [
            [self._answers(item, {d: turn * shares for d, shares in said.items()}, stage) for item in items]
            for turn in (1.0, -1.0)
        ]
        return TrainingBatch(questions, np.array(answers), np.stack([middle + away, middle - away]).astype(np.float32))

    def _answers(
        self, item: Item, said: Mapping[str, NDArray[np.float64]], stage: CurriculumStage
    ) -> NDArray[np.float64]:
        """Answer probabilities [O] of a respondent about whom this is said."""
        dimension, sign = self.sides[item.id]
        if dimension not in said and not stage.own:
            return answers_of(len(item.scale.labels), 0.0, SPREAD_OF_NOTHING)
        position = float(said[dimension].mean()) if dimension in said else self.own[dimension]
        return answers_of(len(item.scale.labels), VALUE_BOUND * sign * position, SPREAD)

    def _description(self, said: Mapping[str, NDArray[np.float64]], used: slice, rng: np.random.Generator) -> str:
        parts: list[str] = []
        for dimension, poles in said.items():
            for pole, sign in zip(POLES, (1, -1), strict=True):
                known = texts()["phrasings"][dimension][pole][used]
                parts += map(str, rng.choice(known, int((poles == sign).sum()), replace=False))
        rng.shuffle(parts)
        return " ".join(parts)

    def _nothing(self, text: str, slot: bool, rng: np.random.Generator) -> TokenizedPrompt:
        scale = self.scales[rng.integers(len(self.scales))]
        item = next(item for item in self.survey.items if item.scale == scale)
        return self._tokens(item, str(rng.choice(NO_QUESTION)), text, slot)

    def _items(self, group: Sequence[str], n_undescribed: int, rng: np.random.Generator) -> list[Item]:
        """Items of the described dimensions, at most ITEMS_AT_ONCE, and some of the others."""
        described = [item for item in self.survey.items if self.sides[item.id][0] in group]
        others = [item for item in self.survey.items if self.sides[item.id][0] not in group]
        chosen = rng.choice(len(described), min(len(described), ITEMS_AT_ONCE), replace=False)
        more: NDArray[np.int_] | list[int] = (
            rng.choice(len(others), min(len(others), n_undescribed), replace=False) if others else []
        )
        return [described[i] for i in sorted(chosen)] + [others[i] for i in sorted(more)]

    def _tokens(self, item: Item, wording: str, text: str, slot: bool) -> TokenizedPrompt:
        question = labelled(item.scale, wording, "" if slot else text)
        tokens = tokenize(question, self.lm.tokenizer, "prefix", {})
        if not slot:
            return tokens
        front = tuple(self.lm.tokenizer(text, add_special_tokens=False)["input_ids"])
        return replace(tokens, after=front + tokens.after)
