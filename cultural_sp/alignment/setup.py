"""What a run computes with: the frozen model, the search space and the fitness function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cultural_sp.alignment.inputs import RunInputs
from cultural_sp.alignment.journal_header import SCORE_DETERMINANTS, journal_header
from cultural_sp.alignment.spaces import search_space
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.fitness import Fitness
from cultural_sp.evaluation.validity_check import pole_personas
from cultural_sp.lm.language_model import LanguageModel, weights_hash
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.search.space import Space
from cultural_sp.search.warm_start import WarmStart, read_warm_start
from cultural_sp.survey.regions import target_range


@dataclass(frozen=True)
class Setup:
    """The loaded parts of a run. Building it shows every error that a run can have before anything is written."""

    lm: LanguageModel
    weights_hash: str
    """SHA-256 of the weights before the run."""
    space: Space
    fitness: Fitness
    header: dict[str, Any]
    """The journal header, without what is measured when a journal begins."""
    warm_start: WarmStart | None
    """Evaluations of earlier runs; None if there are none."""

    @property
    def evaluator(self) -> SurveyEvaluator:
        """The model with the survey."""
        return self.fitness.evaluator

    @classmethod
    def build(cls, config: AlignConfig, inputs: RunInputs, cache: ModelCache) -> Setup:
        """Load the model and build everything on top of it.

        Raises:
            ValueError: if the model can't be loaded or can't take the survey, or if an earlier run can't seed this one.
        """
        lm = cache.model(config.model, load_model)
        weights, space = weights_hash(lm.model), search_space(config, lm)
        fitness = Fitness(SurveyEvaluator(lm, inputs.survey, config, cache))
        _check_writing(lm, config, fitness.evaluator)
        fitness.generations()
        fitness.survey_respondent()  # renders and tokenizes the survey, which may fail
        if config.validity:
            pole_personas(inputs.survey)
            target_range(inputs.survey)
        header = journal_header(config, inputs, lm, weights, space.initial)
        determinants = {key: header[key] for key in SCORE_DETERMINANTS}
        warm_start = (
            read_warm_start(inputs.journals, determinants, space.dim, fitness.score_names) if inputs.journals else None
        )
        header["warm_start"] = None if warm_start is None else warm_start.fingerprint()
        return cls(lm, weights, space, fitness, header, warm_start)

    def measure(self) -> dict[str, Any]:
        """The entries of the journal header that are measured once, when a journal begins.

        Raises:
            ValueError: if the objective compares valid masses and the model's output isn't finite.
        """
        measured: dict[str, Any] = {"batch_size": self.fitness.batch_size(self.space.initial)}
        if self.fitness.config.objective.valid_mass_weight > 0:
            measured["start_mass"] = self.fitness.start_mass(self.space.initial)
        return measured

    def warm_start_record(self, n_offered: int) -> dict[str, Any] | None:
        """The entry ``warm_start`` of a result; ``n_offered`` candidates of earlier runs had a loss for its region."""
        if self.warm_start is None:
            return None
        return {"sources": self.warm_start.sources, "offered": n_offered}


def _check_writing(lm: LanguageModel, config: AlignConfig, evaluator: SurveyEvaluator) -> None:
    """Refuse a run that ends with text if the model can't write any: the search would be done by then."""
    problem = lm.checks.generation_problem
    if problem is not None and (evaluator.generates or config.open_ended_questions):
        raise ValueError(
            f"model.name_or_path={lm.name} can't generate text ({problem}); set readout.report_generate=false and "
            "open_ended_questions=false, choose another readout than generate, or another model"
        )
