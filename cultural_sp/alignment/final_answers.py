"""After the searches: every method of every region takes the survey, the exam and the open questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    knowledge: dict[str, Knowledge] = field(default_factory=dict)
    """Empty if the run asks no knowledge questions."""
    open_answers: dict[str, list[OpenAnswer]] = field(default_factory=dict)
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
    answers = FinalAnswers(scores)
    if inputs.questions is not None:
        with stopwatch("knowledge"):
            responses = folder.knowledge_responses()
            answers.knowledge.update(final_knowledge(evaluator, inputs.questions, methods, scores, responses))
    if config.open_ended_questions:
        with stopwatch("open_ended_questions"):
            answers.open_answers.update(open_answers(setup.lm, methods, config.soft_prompt.placement))
    return answers
