"""After the searches: every method of every region takes the survey, the exam and the open questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cultural_sp.alignment.inputs import RunInputs
from cultural_sp.alignment.methods import final_knowledge, final_scores, methods_of_run, open_answers
from cultural_sp.alignment.searches import RegionSearches
from cultural_sp.alignment.setup import Setup
from cultural_sp.config.schema import AlignConfig
from cultural_sp.runs.folder import RunFolder
from cultural_sp.runs.result import Knowledge, OpenAnswer, ScoreRecord
from cultural_sp.utils.stopwatch import Stopwatch


@dataclass(frozen=True)
class FinalAnswers:
    """What the methods answered, by region code."""

    scores: dict[str, list[ScoreRecord]]
    knowledge: dict[str, Knowledge]
    """Empty if the run asks no knowledge questions."""
    open_answers: dict[str, list[OpenAnswer]]
    """Empty if the run asks no open questions."""


def answer_everything(
    config: AlignConfig, inputs: RunInputs, setup: Setup, searches: Mapping[str, RegionSearches], stopwatch: Stopwatch
) -> FinalAnswers:
    """Let every method answer everything that the config asks for.

    Args:
        config: the run.
        inputs: its survey, regions and questions.
        setup: the model and the search space.
        searches: region code -> outcome of its searches.
        stopwatch: measures the parts.

    Raises:
        ValueError: if the responses can't be stored.
    """
    folder, evaluator = RunFolder(config), setup.evaluator
    methods = {r.code: methods_of_run(inputs.survey, r, searches[r.code], setup.space) for r in inputs.regions}
    with stopwatch("scores"):
        scores = final_scores(evaluator, inputs.regions, methods, folder.score_responses())
    knowledge: dict[str, Knowledge] = {}
    if inputs.questions is not None:
        with stopwatch("knowledge"):
            responses = folder.knowledge_responses(inputs.questions.fingerprint())
            knowledge = final_knowledge(evaluator, inputs.questions, methods, scores, responses)
    answered: dict[str, list[OpenAnswer]] = {}
    if config.open_ended_questions:
        with stopwatch("open_ended_questions"):
            answered = open_answers(setup.lm, methods, config.soft_prompt.placement)
    return FinalAnswers(scores, knowledge, answered)
