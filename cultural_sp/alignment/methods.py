"""From finished searches to results: what every method answers, and the files of every region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.knowledge.questions import KnowledgeSet
from cultural_sp.lm.load import LanguageModel, on_hub, weights_hash
from cultural_sp.lm.nearest_tokens import nearest_tokens_csv
from cultural_sp.lm.open_answers import answer_open_questions
from cultural_sp.lm.soft_prompt import save_soft_prompt
from cultural_sp.reporting.figures import save_figures
from cultural_sp.reporting.model_card import write_card
from cultural_sp.reporting.statements import weights_csv
from cultural_sp.runs.checkpoint import ResponseCache
from cultural_sp.runs.folder import RESULT
from cultural_sp.runs.provenance import provenance
from cultural_sp.runs.result import Knowledge, KnowledgeScore, OpenAnswer, Result, ScoreRecord, ScoreRow, strongest_icl
from cultural_sp.search.history import SearchResult
from cultural_sp.search.journal import fingerprint, jsonable
from cultural_sp.search.objective import l1_loss
from cultural_sp.search.space import Space
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.personas import personas
from cultural_sp.survey.regions import Region
from cultural_sp.survey.value_statements import Statement
from cultural_sp.utils.files import disk_errors, write_text
from cultural_sp.utils.progress import progress

OPEN_QUESTIONS = (  # each touches a dimension of the survey, in words that no item has
    "How should a team make decisions?",
    "A friend has an offer from a better firm in another town. What should they think about?",
    "What makes a good teacher?",
    "Is it wise to spend savings on a long journey?",
)
OPEN_TOKENS = 40


@dataclass(frozen=True)
class RegionSearches:
    """What the searches of a run found for one region."""

    random_search: SearchResult
    aligned: SearchResult


def save_solution(
    folder: Path,
    found: RegionSearches,
    space: Space,
    lm: LanguageModel,
    placement: str,
    statements: Sequence[Statement],
) -> None:
    """Write the best soft prompt of a region, the tokens next to it, and what it weighs if statements were searched.

    Raises:
        ValueError: in one line, if the disk refuses a file.
    """
    prompt = space.decode(found.aligned.z[None])[0]
    with disk_errors(folder / "soft_prompt"):
        save_soft_prompt(folder / "soft_prompt", prompt, lm, placement)
    write_text(folder / "nearest_tokens.csv", nearest_tokens_csv(prompt, lm))
    if statements:
        write_text(folder / "statements.csv", weights_csv(statements, found.aligned.z))


def final_scores(
    evaluator: SurveyEvaluator,
    space: Space,
    regions: Sequence[Region],
    found: Mapping[str, RegionSearches],
    kept: ResponseCache[ScoreRow],
) -> dict[str, list[ScoreRecord]]:
    """Region -> the score records of every method.

    Answers don't depend on the region they are compared with, so each respondent is asked once: the plain model and the
    initial prompt for all regions, a soft prompt for all regions and methods that chose it.

    Raises:
        ValueError: in one line, if they can't be kept.
    """
    methods = {region.code: _respondents(evaluator.survey, region, found[region.code], space) for region in regions}
    asked = {name: given for by_method in methods.values() for name, given in by_method.values()}
    with progress("scores", len(asked)) as bar:
        answers = {}
        for name, given in asked.items():
            answers[name] = kept.answers(name, partial(evaluator.answers, **given))
            bar.update()
    midpoint = evaluator.midpoint_answers()
    return {
        region.code: score_records("midpoint", midpoint, region)
        + [
            r
            for method, (name, _) in methods[region.code].items()
            for r in score_records(method, answers[name], region)
        ]
        for region in regions
    }


def final_knowledge(
    evaluator: SurveyEvaluator,
    questions: KnowledgeSet,
    space: Space,
    regions: Sequence[Region],
    found: Mapping[str, RegionSearches],
    scores: Mapping[str, Sequence[ScoreRecord]],
    kept: ResponseCache[KnowledgeScore],
) -> dict[str, Knowledge]:
    """Region -> what the plain model, its strongest in-context baseline and the aligned model know.

    Raises:
        ValueError: in one line, if the answers can't be kept.
    """
    results = {}
    for region in regions:
        respondents = _respondents(evaluator.survey, region, found[region.code], space)
        rows = []
        for method in ("naive", strongest_icl(scores[region.code], evaluator.config.readout.kind), "aligned"):
            name, given = respondents[method]
            rows += kept.answers(name, partial(evaluator.knowledge, questions, method, **given))
        results[region.code] = Knowledge(questions.name, questions.title, questions.fingerprint(), rows)
    return results


def open_answers(
    lm: LanguageModel, space: Space, regions: Sequence[Region], found: Mapping[str, RegionSearches], placement: str
) -> dict[str, list[OpenAnswer]]:
    """Region -> what the plain and the aligned model write to each open question; the plain model writes once for all regions."""
    with progress("open questions", 1 + len(regions)) as bar:
        plain = answer_open_questions(
            lm, OPEN_QUESTIONS, np.zeros((0, lm.hidden_size), dtype=np.float32), "prefix", OPEN_TOKENS
        )
        bar.update()
        results = {}
        for region in regions:
            prompt = space.decode(found[region.code].aligned.z[None])[0]
            aligned = answer_open_questions(lm, OPEN_QUESTIONS, prompt, placement, OPEN_TOKENS)
            results[region.code] = [
                OpenAnswer(question, {"naive": before, "aligned": after})
                for question, before, after in zip(OPEN_QUESTIONS, plain, aligned, strict=True)
            ]
            bar.update()
    return results


def _respondents(
    survey: Survey, region: Region, found: RegionSearches, space: Space
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Method -> name of its respondent, and what that one is given."""

    def prompted(z: np.ndarray) -> tuple[str, dict[str, Any]]:
        return f"soft prompt {fingerprint(z)}", {"prompt": space.decode(z[None])[0]}

    return {
        "naive": ("naive", {}),
        **{m: (f"{m} {region.code}", {"persona": text}) for m, text in personas(survey, region).items()},
        "start": prompted(np.zeros(space.dim)),
        "random_search": prompted(found.random_search.z),
        "aligned": prompted(found.aligned.z),
    }


def score_records(method: str, answers: Sequence[ScoreRow], region: Region) -> list[ScoreRecord]:
    """Answers as the score records of a method, with their loss for a region."""
    records = []
    for answer in answers:
        scores = np.array([np.nan if score is None else score for score in answer.dimensions.values()], dtype=float)
        loss = jsonable(l1_loss(scores, region.target)[()])
        records.append(ScoreRecord(method=method, loss=loss, **asdict(answer)))
    return records


def result_provenance(
    config: AlignConfig, survey: Survey, lm: LanguageModel, weights: str, **more: Any
) -> dict[str, Any]:
    """The provenance of a result, with the hash of the weights as it is now beside what it was before; ``more`` is added."""
    return provenance(
        config,
        survey_hash=survey.fingerprint(),
        chat_template_hash=lm.chat_template_hash,
        weights_hash_before=weights,
        weights_hash_after=weights_hash(lm.model),
        **more,
    )


def save_result(folder: Path, result: Result, found: RegionSearches, config: AlignConfig, survey: Survey) -> None:
    """Write figures and model card of a region, then its ``result.json``: where that lies, the region is finished.

    Raises:
        ValueError: in one line, if the disk refuses a file.
    """
    with disk_errors(folder / "figures"):
        (folder / "figures").mkdir(exist_ok=True)
        save_figures(folder / "figures", result, found.random_search, found.aligned, config.readout.kind)
    write_card(folder / "soft_prompt", result, config, survey.title, on_hub=on_hub(config.model.name_or_path))
    result.save(folder / RESULT)
