"""A model taking a set of knowledge questions, with or without a soft prompt or a persona."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cultural_sp.evaluation.knowledge.questions import KnowledgeQuestion, KnowledgeSet
from cultural_sp.evaluation.knowledge.render import JUDGEMENTS, choices, judgements
from cultural_sp.evaluation.knowledge.scoring import CHANCE, choices_right, judgements_right
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.option_scores import ask
from cultural_sp.runs.result import ALL, KnowledgeScore
from cultural_sp.stats.intervals import wilson
from cultural_sp.survey.render import ChatPrompt
from cultural_sp.types import Array
from cultural_sp.utils.progress import progress


class Exam:
    """One model and one set of questions."""

    def __init__(self, lm: LanguageModel, questions: KnowledgeSet, placement: str, batching: Batching) -> None:
        """Set up.

        Args:
            lm: the frozen model.
            questions: what it is asked.
            placement: where a soft prompt goes.
            batching: how forward passes fit into memory.
        """
        self.lm, self.questions, self.placement, self.batching = lm, questions, placement, batching

    def take(self, method: str, prompt: NDArray[np.float32] | None = None, persona: str = "") -> list[KnowledgeScore]:
        """Scores per form and country.

        Args:
            method: what the scores are recorded as.
            prompt: soft prompt [P, H]; None for none.
            persona: system message; empty for none.
        """
        chosen, judged = asked(self.questions, persona)
        placement = "prefix" if prompt is None else self.placement
        given = np.zeros((0, self.lm.hidden_size), dtype=np.float32) if prompt is None else prompt
        with progress(f"knowledge {method}", len(chosen) + len(judged)) as bar:
            scores = []
            for task, prompts in (("easy", chosen), ("hard", judged)):
                if prompts:
                    found = ask(self.lm, prompts, given[None], placement, self.batching, bar.update)[0]
                    scores += self._scores(method, task, found)
        return scores

    def _scores(self, method: str, task: str, log_probs: Array) -> list[KnowledgeScore]:
        """Those of one form from log-probabilities [prompts, answers]."""
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
            _score(method, task, order, country, questions, verdict, mass)
            for order, verdict in verdicts.items()
            for country in (ALL, *dict.fromkeys(q.country for q in questions))
        ]


def asked(questions: KnowledgeSet, persona: str = "") -> tuple[list[ChatPrompt], list[ChatPrompt]]:
    """The rendered prompts of the easy form and of the hard one."""
    chosen = [p for q in questions.easy for p in choices(q, persona)]
    return chosen, [p for q in questions.hard for order in judgements(q, persona) for p in order]


def _score(
    method: str,
    task: str,
    order: str,
    country: str,
    questions: tuple[KnowledgeQuestion, ...],
    verdict: NDArray[np.bool_],
    mass: Array,
) -> KnowledgeScore:
    there = [i for i, q in enumerate(questions) if country in (ALL, q.country)]
    right = int(verdict[there].sum())
    share = wilson(right, len(there))
    return KnowledgeScore(
        method=method,
        task=task,
        order=order,
        country=country,
        right=right,
        total=len(there),
        accuracy=share.estimate,
        low=share.low,
        high=share.high,
        chance=CHANCE[task],
        valid_mass=float(mass[there].mean()),
        answers={questions[i].id: bool(verdict[i]) for i in there},
    )
