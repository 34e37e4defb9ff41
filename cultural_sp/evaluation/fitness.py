"""The fitness function of the search: soft prompts in, dimension scores pooled over wordings out."""

from __future__ import annotations

import numpy as np

from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.score_rows import mean_of_present
from cultural_sp.lm.answer_parsing import generate_answers
from cultural_sp.lm.readout import make_readout
from cultural_sp.lm.survey_respondent import SurveyRespondent
from cultural_sp.runs.result import single_wordings
from cultural_sp.search.loop import Evaluation
from cultural_sp.search.schedule import Generation, one_wording_each, whole_survey
from cultural_sp.survey.scoring import dimension_scores
from cultural_sp.types import Array, SoftPrompt, SoftPrompts
from cultural_sp.utils.serialize import fingerprint

SELECTED = "selected"
"""Stands for all wordings to select on together."""


class Fitness:
    """Scores candidates on wordings: item means are averaged over them before they become dimension scores.

    If the objective weighs argmax answers, there is a second set of scores, from the likeliest answers.
    """

    def __init__(self, evaluator: SurveyEvaluator) -> None:
        """Set up for one run.

        Raises:
            ValueError: if the objective weighs probabilities and the readout has none.
        """
        self.evaluator, self.config = evaluator, evaluator.config
        for name in ("valid_mass_weight", "argmax_weight"):
            weight = getattr(self.config.objective, name)
            if weight and self.config.readout.kind == "generate":
                raise ValueError(
                    f"objective.{name}={weight} needs probabilities, which readout=generate doesn't have; set it to 0 or choose "
                    "another readout"
                )

    @property
    def single_wordings(self) -> tuple[str, ...]:
        """Names of the tuned wordings if a candidate is asked one of them at a time; empty if it is asked all."""
        names = tuple(self.evaluator.tuned_wordings)
        return names if self.config.optimizer.wordings == "one" and len(names) > 1 else ()

    def generations(self) -> list[Generation]:
        """Return what each search evaluates in its generations.

        Raises:
            ValueError: if the budget has no room for a check in all tuned wordings.
        """
        settings, single = self.config.optimizer, self.single_wordings
        if single:
            return one_wording_each(settings.budget, settings.population, single, self.config.seed)
        return whole_survey(settings.budget, settings.population)

    @property
    def selected_wordings(self) -> list[str]:
        """Names of the wordings that the best candidates are selected on."""
        return single_wordings(self.evaluator.wordings, "selected")

    def survey_respondent(self, wording: str = "") -> SurveyRespondent:
        """Return the model with some wordings; all jobs that share the model share it.

        Args:
            wording: the name of one, :data:`SELECTED`, or an empty text for all tuned ones.
        """
        scoring = "number" if self.config.readout.kind == "generate" else None
        placement = self.config.soft_prompt.placement
        evaluator, compiled = self.evaluator, self.config.model.compile
        of_pools = {"": list(evaluator.tuned_wordings), SELECTED: self.selected_wordings}
        names = of_pools.get(wording, [wording])
        places = tuple(evaluator.wordings[name] for name in names)
        respondent = evaluator.cache.get_or_compute(
            ("tuning", evaluator.survey_key, scoring, placement, places),
            lambda: evaluator.survey_respondent(names, scoring=scoring, soft=True, compiled=compiled),
        )
        respondent.batching = evaluator.batching  # token trees are shared; the batch size belongs to the job
        return respondent

    def batch_size(self, initial: SoftPrompt) -> int:
        """Candidates per forward pass, measured with a soft prompt [P, H]."""
        if self.config.readout.kind == "generate":
            return 1
        return self.survey_respondent(next(iter(self.single_wordings), "")).batch_size(initial[None])

    def start_mass(self, initial: SoftPrompt) -> float:
        """Mean valid mass of the initial prompt [P, H] on the tuned wordings.

        Raises:
            ValueError: if the model's output isn't finite.
        """
        mass = float(self._evaluate(initial[None]).valid_mass[0])
        if not np.isfinite(mass):
            raise ValueError(
                f"objective.valid_mass_weight={self.config.objective.valid_mass_weight} compares with the initial prompt, for "
                "which the model's output is not finite; set it to 0, or choose another soft_prompt.init or model.dtype"
            )
        return mass

    @property
    def readouts(self) -> list[str]:
        """Readouts that the objective sees."""
        return [self.config.readout.kind, *(["argmax"] if self.config.objective.argmax_weight else [])]

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of the V K scores: the K dimensions, once for each of the V readouts."""
        names = self.evaluator.survey.dimension_names
        return names + tuple(f"{name}, {kind}" for kind in self.readouts[1:] for name in names)

    def __call__(self, soft_prompts: SoftPrompts, wording: str = "") -> Evaluation:
        """Scores of candidates [N, P, H] on some wordings, see :meth:`survey_respondent` and :attr:`score_names`.

        Jobs that share a model share the evaluations of the candidates they have in common, such as those of random search.
        """
        config, evaluator = self.config, self.evaluator
        constants = tuple(evaluator.survey.scoring.constants.tolist())
        reading = (repr(config.readout), constants, config.objective.argmax_weight > 0, config.seed)
        asked = (evaluator.survey_key, config.soft_prompt.placement, wording)
        key = ("fitness", asked, reading, fingerprint(soft_prompts))
        return evaluator.cache.get_or_compute(key, lambda: self._evaluate(soft_prompts, wording))

    def failed(self, n: int) -> Evaluation:
        """The evaluation of ``n`` candidates for which the model's output isn't finite: NaN throughout."""
        return Evaluation(
            np.full((n, len(self.score_names)), np.nan),
            np.full((n, len(self.evaluator.survey.items)), np.nan),
            np.full(n, np.nan),
        )

    def _evaluate(self, soft_prompts: SoftPrompts, wording: str = "") -> Evaluation:
        item_means, mass = self._answers(soft_prompts, wording)
        scores = [dimension_scores(self.evaluator.survey.scoring, means) for means in item_means]
        return Evaluation(np.concatenate(scores, axis=1), item_means[0], mass)

    def _answers(self, soft_prompts: SoftPrompts, wording: str) -> tuple[list[Array], Array]:
        """Item means [N, Q] over wordings and orders under each of :attr:`readouts`, and the valid mass [N]."""
        settings, respondent = self.config.readout, self.survey_respondent(wording)
        if settings.kind == "generate":
            codes = [generate_answers(respondent, p, settings, self.config.seed) for p in soft_prompts]
            means = np.stack([mean_of_present(np.concatenate(list(c.values()))) for c in codes])
            return [means], np.full(len(soft_prompts), np.nan)
        answers = respondent.answer_wordings(soft_prompts)
        mass = np.mean([x.mean(axis=1) for each in answers for x in each.valid_mass.values()], axis=0)
        item_means = []
        for kind in self.readouts:
            readout = make_readout(kind, settings.n_respondents, self.config.seed)
            asked = [readout(x, self.evaluator.survey.codes()) for each in answers for x in each.log_probs.values()]
            # argmax and sample make an answer even of log-probabilities that are NaN.
            item_means.append(np.where(np.isfinite(mass)[:, None], np.mean(asked, axis=0), np.nan))
        return item_means, mass
