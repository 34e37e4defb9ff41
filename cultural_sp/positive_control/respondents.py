"""Synthetic respondents: a description of values in, answers that follow from it by a rule out.

The rule. A respondent stands at one pole, +1 (high) or -1 (low), of some of the dimensions. The answer to an item of such a
dimension, whose weight in the index has the sign s, is spread around 3 + 1.7 s pole with a standard deviation of 0.8. Any
other item is answered by values of the model's own: around 4.3 for the first half of the items of a scale, 1.7 for the second
half and 3 for one in between, with a standard deviation of 1. Before the model is taught values of its own, it is 3 with 1.5
for all of them. Code c has a probability in proportion to exp(-(c - mean)^2 / (2 sd^2)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from cultural_sp.lm.prompt import TokenizedQuestion, tokenize
from cultural_sp.survey.instrument import Item, Survey
from cultural_sp.survey.render import labelled

TEXTS = Path(__file__).with_name("texts.yaml")
REACH, SPREAD = 1.7, 0.8
OWN_REACH, OWN_SPREAD = 1.3, 1.0
SPREAD_OF_NOTHING = 1.5
WATCHED = 2  # texts of each item and pole, the last ones, that are never trained on
NO_QUESTION = ("N/A", "...", "None", "")
ITEMS_AT_ONCE = 12


@dataclass(frozen=True)
class Stage:
    """How hard the questions are; the training moves on when it answers those of a stage."""

    descriptions: int
    """Descriptions per pole."""
    wordings: int
    """Wordings per item."""
    in_slot: float
    """Share of respondents whose description stands where a soft prompt goes, in front of everything, not in the system turn."""
    sizes: tuple[int, ...]
    """Numbers of dimensions on which a respondent may be described, all equally likely."""
    own: bool = False
    """Whether items about which nothing is said are answered by the model's own values."""


@dataclass(frozen=True)
class Lesson:
    """Questions of one training step and the answers that the rule gives."""

    questions: list[TokenizedQuestion]
    answers: NDArray[np.float64]
    """[Q, O] probabilities."""


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


def own_values(survey: Survey) -> dict[str, float]:
    """Item -> 1 in the first half of its scale's items, -1 in the second, 0 in between."""
    sides: dict[str, float] = {}
    for scale in dict.fromkeys(item.scale for item in survey.items):
        items = [item.id for item in survey.items if item.scale == scale]
        sides |= {item: float(np.sign((len(items) - 1) / 2 - place)) for place, item in enumerate(items)}
    return sides


class Respondents:
    """Draws respondents in pairs of opposites, so that only the description tells which answer is right."""

    def __init__(self, survey: Survey, tokenizer: PreTrainedTokenizerBase) -> None:
        """Respondents to ``survey``, for whose items and dimensions there must be texts."""
        self.survey, self.tokenizer = survey, tokenizer
        self.sides = {
            item: (d, float(np.sign(w))) for d, weights in survey.dimensions.items() for item, w in weights.items()
        }
        self.own = own_values(survey)
        self.scales = list(dict.fromkeys(item.scale for item in survey.items))

    def lesson(self, stage: Stage, rng: np.random.Generator) -> Lesson:
        """Questions for one training step."""
        names = list(self.survey.dimensions)
        size = int(rng.choice(stage.sizes))
        drawn = [str(name) for name in rng.choice(names, size=max(size, 3), replace=False)]
        groups = [[name] for name in drawn] if size == 1 else [drawn[:size]]
        n_undescribed = ITEMS_AT_ONCE if size == 0 else 2 if size > 1 or stage.own else int(rng.random() < 0.3)
        return self._ask(groups, stage, (slice(0, stage.descriptions), slice(0, stage.wordings)), n_undescribed, rng)

    def watched(self, size: int, rng: np.random.Generator) -> Lesson:
        """Questions and descriptions that are never trained on, for respondents described on ``size`` dimensions."""
        names = list(self.survey.dimensions)
        groups = [[name] for name in names] if size == 1 else [[str(n) for n in rng.choice(names, size, replace=False)]]
        kept = slice(-WATCHED, None)
        return self._ask(groups, Stage(WATCHED, WATCHED, 0.5, (size,)), (kept, kept), 0, rng)

    def _ask(
        self,
        groups: Sequence[Sequence[str]],
        stage: Stage,
        used: tuple[slice, slice],
        n_undescribed: int,
        rng: np.random.Generator,
    ) -> Lesson:
        questions, answers = [], []
        for group in groups:
            poles = {d: float(rng.choice([-1, 1])) for d in group}
            slot = rng.random() < stage.in_slot
            for turn in (1.0, -1.0):
                turned = {d: turn * pole for d, pole in poles.items()}
                text = self._description(turned, used[0], rng)
                for item in self._items(turned, n_undescribed, rng):
                    wording = str(rng.choice(texts()["wordings"][item.id][used[1]]))
                    questions.append(self._tokens(item, wording, text, slot))
                    answers.append(self._answers(item, turned, stage))
                if rng.random() < 0.3:  # behind no question at all, every option is as good as the others
                    scale = self.scales[rng.integers(len(self.scales))]
                    item = next(item for item in self.survey.items if item.scale == scale)
                    questions.append(self._tokens(item, str(rng.choice(NO_QUESTION)), text, slot))
                    answers.append(np.full(len(scale.labels), 1 / len(scale.labels)))
        return Lesson(questions, np.array(answers))

    def _answers(self, item: Item, poles: dict[str, float], stage: Stage) -> NDArray[np.float64]:
        """Answer probabilities [O] of a respondent at these poles."""
        dimension, sign = self.sides[item.id]
        if dimension in poles:
            return answers_of(len(item.scale.labels), REACH * sign * poles[dimension], SPREAD)
        if stage.own:
            return answers_of(len(item.scale.labels), OWN_REACH * self.own[item.id], OWN_SPREAD)
        return answers_of(len(item.scale.labels), 0.0, SPREAD_OF_NOTHING)

    def _description(self, poles: dict[str, float], used: slice, rng: np.random.Generator) -> str:
        parts = [
            str(rng.choice(texts()["phrasings"][d]["high" if pole > 0 else "low"][used])) for d, pole in poles.items()
        ]
        rng.shuffle(parts)
        return " ".join(parts)

    def _items(self, poles: dict[str, float], n_undescribed: int, rng: np.random.Generator) -> list[Item]:
        """Items of the described dimensions, at most ITEMS_AT_ONCE, and some of the others."""
        described = [item for item in self.survey.items if self.sides[item.id][0] in poles]
        others = [item for item in self.survey.items if self.sides[item.id][0] not in poles]
        chosen = rng.choice(len(described), min(len(described), ITEMS_AT_ONCE), replace=False)
        more: NDArray[np.int_] | list[int] = (
            rng.choice(len(others), min(len(others), n_undescribed), replace=False) if others else []
        )
        return [described[i] for i in sorted(chosen)] + [others[i] for i in sorted(more)]

    def _tokens(self, item: Item, wording: str, text: str, slot: bool) -> TokenizedQuestion:
        question = labelled(item.scale, wording, "" if slot else text)
        tokens = tokenize(question, self.tokenizer, "prefix", {})
        if not slot:
            return tokens
        front = tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return replace(tokens, after=front + tokens.after)
