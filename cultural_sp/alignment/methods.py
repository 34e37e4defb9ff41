"""Every method answers everything: the survey, the knowledge questions and the open questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial

import numpy as np

from cultural_sp.alignment.searches import RegionSearches
from cultural_sp.evaluation.evaluator import PLAIN, Respondent, SurveyEvaluator
from cultural_sp.evaluation.exam import take_exam
from cultural_sp.evaluation.knowledge.questions import KnowledgeSet
from cultural_sp.lm.generation import answer_open_questions
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.runs.checkpoint import ResponseCache, Row
from cultural_sp.runs.methods import persona_texts
from cultural_sp.runs.result import Knowledge, KnowledgeScore, OpenAnswer, ScoreRecord, ScoreRow, strongest_icl
from cultural_sp.search.objective import l1_loss
from cultural_sp.search.space import Space
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.regions import Region
from cultural_sp.types import Candidates
from cultural_sp.utils.progress import progress
from cultural_sp.utils.serialize import as_array, fingerprint, jsonable

Methods = Mapping[str, Respondent]
"""Method -> the respondent that answers for it; the midpoint respondent needs none."""
OPEN_QUESTIONS = (  # each touches a dimension of the survey, in words that no item has
    "How should a team make decisions?",
    "A friend has an offer from a better firm in another town. What should they think about?",
    "What makes a good teacher?",
    "Is it wise to spend savings on a long journey?",
)
MAX_OPEN_ANSWER_TOKENS = 40


def methods_of_run(survey: Survey, region: Region, searches: RegionSearches, space: Space) -> dict[str, Respondent]:
    """All methods of a run for one region, in the order of tables."""

    def soft(z: Candidates) -> Respondent:
        return Respondent(f"soft prompt {fingerprint(z)}", space.decode(z[None])[0])

    return {
        "naive": PLAIN,
        **persona_methods(survey, region),
        "start": soft(np.zeros(space.dim)),
        "random_search": soft(searches.random_search.z),
        "aligned": soft(searches.aligned.z),
    }


def persona_methods(survey: Survey, region: Region) -> dict[str, Respondent]:
    """The in-context baselines that exist for a survey and a region."""
    texts = persona_texts(survey, region)
    return {method: Respondent(f"{method} {region.code}", persona=text) for method, text in texts.items()}


def final_scores(
    evaluator: SurveyEvaluator,
    regions: Sequence[Region],
    methods: Mapping[str, Methods],
    cache: ResponseCache[ScoreRow] | None = None,
) -> dict[str, list[ScoreRecord]]:
    """Region code -> score records of every method, the midpoint respondent first.

    Answers don't depend on the region, so a respondent that stands for several regions or methods answers once.

    Args:
        evaluator: the model and the survey.
        regions: the regions to compare with.
        methods: region code -> its methods.
        cache: answers from before an interruption; None if none are stored.

    Raises:
        ValueError: if the answers can't be stored.
    """
    respondents = {r.name: r for of_region in methods.values() for r in of_region.values()}
    rows = {}
    with progress("scores", len(respondents)) as bar:
        for name, respondent in respondents.items():
            rows[name] = _cached(cache, name, partial(evaluator.score_rows, respondent))
            bar.update()
    midpoint = evaluator.midpoint_score_rows()
    return {
        region.code: score_records("midpoint", midpoint, region)
        + [x for key, r in methods[region.code].items() for x in score_records(key, rows[r.name], region)]
        for region in regions
    }


def final_knowledge(
    evaluator: SurveyEvaluator,
    questions: KnowledgeSet,
    methods: Mapping[str, Methods],
    scores: Mapping[str, Sequence[ScoreRecord]],
    cache: ResponseCache[KnowledgeScore] | None = None,
) -> dict[str, Knowledge]:
    """Region code -> knowledge of the plain model, of the strongest in-context baseline and of the aligned model.

    Raises:
        ValueError: if the answers can't be stored.
    """
    results = {}
    for code, respondents in methods.items():
        rows = []
        for method in ("naive", strongest_icl(scores[code], evaluator.config.readout.kind), "aligned"):
            exam = partial(take_exam, evaluator, questions, method, respondents[method])
            rows += _cached(cache, respondents[method].name, exam)
        results[code] = Knowledge(questions.name, questions.title, questions.fingerprint(), rows)
    return results


def open_answers(lm: LanguageModel, methods: Mapping[str, Methods], placement: str) -> dict[str, list[OpenAnswer]]:
    """Region code -> greedy answers of the plain and the aligned model to each open question."""

    def write(respondent: Respondent, placement: str) -> list[str]:
        soft_prompt = lm.no_soft_prompt if respondent.soft_prompt is None else respondent.soft_prompt
        return answer_open_questions(lm, OPEN_QUESTIONS, soft_prompt, placement, MAX_OPEN_ANSWER_TOKENS)

    answers = {}
    with progress("open questions", 1 + len(methods)) as bar:
        plain = write(PLAIN, "prefix")
        bar.update()
        for code, respondents in methods.items():
            aligned = write(respondents["aligned"], placement)
            answers[code] = [
                OpenAnswer(question, {"naive": before, "aligned": after})
                for question, before, after in zip(OPEN_QUESTIONS, plain, aligned, strict=True)
            ]
            bar.update()
    return answers


def score_records(method: str, rows: Sequence[ScoreRow], region: Region) -> list[ScoreRecord]:
    """Rows of a method with their loss for a region."""
    records = []
    for row in rows:
        scores = as_array(row.dimensions.values())
        loss = jsonable(l1_loss(scores, region.target)[()])
        records.append(ScoreRecord(method=method, loss=loss, **asdict(row)))
    return records


def _cached(cache: ResponseCache[Row] | None, name: str, compute: Callable[[], list[Row]]) -> list[Row]:
    return compute() if cache is None else cache.answers(name, compute)
