"""A model takes a knowledge exam, with or without a soft prompt or a persona."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cultural_sp.evaluation.knowledge.questions import KnowledgeQuestion, KnowledgeSet
from cultural_sp.evaluation.knowledge.render import JUDGEMENTS, choices, judgements
from cultural_sp.evaluation.knowledge.scoring import CHANCE, choices_right, judgements_right
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.option_scores import score_options
from cultural_sp.runs.result import ALL_COUNTRIES, KnowledgeScore
from cultural_sp.stats.intervals import wilson
from cultural_sp.survey.render import ChatPrompt
from cultural_sp.types import Array, SoftPrompt
from cultural_sp.utils.progress import progress


class Exam:
    """One model and one set of questions."""

    def __init__(self, lm: LanguageModel, questions: KnowledgeSet, placement: str, batching: Batching) -> None:
        """Prepare an exam.

        Args:
            lm: the frozen model.
            questions: the exam.
            placement: where a soft prompt goes.
            batching: how forward passes fit into memory.
        """
        self.lm, self.questions, self.placement, self.batching = lm, questions, placement, batching

    def take(self, method: str, soft_prompt: SoftPrompt | None = None, persona: str = "") -> list[KnowledgeScore]:
        """Return one score per form, order and country.

        Args:
            method: its name in the scores.
            soft_prompt: [P, H]; None for none.
            persona: system message; empty for none.
        """
        easy, hard = exam_prompts(self.questions, persona)
        placement = "prefix" if soft_prompt is None else self.placement
        prompts = (self.lm.no_soft_prompt if soft_prompt is None else soft_prompt)[None]
        scores = []
        with progress(f"knowledge {method}", len(easy) + len(hard)) as bar:
            for task, chat_prompts in (("easy", easy), ("hard", hard)):
                if chat_prompts:
                    log_probs = score_options(self.lm, chat_prompts, prompts, placement, self.batching, bar.update)[0]
                    scores += self._scores(method, task, log_probs)
        return scores

    def _scores(self, method: str, task: str, log_probs: Array) -> list[KnowledgeScore]:
        """Return the scores of one form from log-probabilities [prompts, answers]."""
        questions = self.questions.easy if task == "easy" else self.questions.hard
        right = np.array([q.right for q in questions])
        n_questions, n_options = right.shape
        mass = np.exp(log_probs).sum(axis=-1).reshape(n_questions, -1).mean(axis=1)
        if task == "easy":
            ordered = log_probs.reshape(n_questions, n_options, n_options).transpose(1, 0, 2)
            verdicts = choices_right(ordered, right)
        else:
            shape = (n_questions, len(JUDGEMENTS), n_options, len(JUDGEMENTS))
            verdicts = judgements_right(log_probs.reshape(shape).transpose(1, 0, 2, 3), right)
        return [
            _score((method, task, order), country, questions, verdict, mass)
            for order, verdict in verdicts.items()
            for country in (ALL_COUNTRIES, *dict.fromkeys(q.country for q in questions))
        ]


def exam_prompts(questions: KnowledgeSet, persona: str = "") -> tuple[list[ChatPrompt], list[ChatPrompt]]:
    """Return the prompts of the easy form and of the hard form."""
    easy = [p for q in questions.easy for p in choices(q, persona)]
    return easy, [p for q in questions.hard for order in judgements(q, persona) for p in order]


def _score(
    condition: tuple[str, str, str],
    country: str,
    questions: tuple[KnowledgeQuestion, ...],
    verdict: NDArray[np.bool_],
    mass: Array,
) -> KnowledgeScore:
    """Return the score of a condition (method, task, order) over the questions about one country or all."""
    method, task, order = condition
    chosen = [i for i, q in enumerate(questions) if country in (ALL_COUNTRIES, q.country)]
    right = int(verdict[chosen].sum())
    share = wilson(right, len(chosen))
    return KnowledgeScore(
        method=method,
        task=task,
        order=order,
        country=country,
        right=right,
        total=len(chosen),
        accuracy=share.estimate,
        low=share.low,
        high=share.high,
        chance=CHANCE[task],
        valid_mass=float(mass[chosen].mean()),
        answers={questions[i].id: bool(verdict[i]) for i in chosen},
    )
