"""A respondent takes a knowledge exam, once for all jobs that share the model."""

from __future__ import annotations

from cultural_sp.evaluation.evaluator import Respondent, SurveyEvaluator
from cultural_sp.evaluation.knowledge.exam import Exam
from cultural_sp.evaluation.knowledge.questions import KnowledgeSet
from cultural_sp.runs.result import KnowledgeScore
from cultural_sp.utils.serialize import fingerprint


def take_exam(
    evaluator: SurveyEvaluator, questions: KnowledgeSet, method: str, respondent: Respondent
) -> list[KnowledgeScore]:
    """Scores per form, order and country.

    Args:
        evaluator: holds the model.
        questions: the exam.
        method: the method that the scores are recorded for.
        respondent: the soft prompt or persona under which the model answers.
    """
    placement, soft_prompt = evaluator.config.soft_prompt.placement, respondent.soft_prompt
    soft_key = None if soft_prompt is None else (placement, fingerprint(soft_prompt))
    exam = Exam(evaluator.lm, questions, placement, evaluator.batching)
    return evaluator.cache.get_or_compute(
        ("knowledge", questions.fingerprint(), method, respondent.persona, soft_key),
        lambda: exam.take(method, soft_prompt, respondent.persona),
    )
