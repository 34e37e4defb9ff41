"""Simulated respondents: one frozen model under many personas, drawn from a grid of traits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from cultural_sp.config.studies import RespondentsConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.lm.readout import expected, sampler
from cultural_sp.types import Array, SoftPrompt


@dataclass(frozen=True)
class SimulatedRespondent:
    """One combination of traits."""

    traits: dict[str, str]
    persona: str
    """System message that describes the traits."""
    seed: int
    """Seed of sampled answers."""


def draw_respondents(config: RespondentsConfig) -> list[SimulatedRespondent]:
    """Draw respondents without replacement and return them in the order of the grid. The config's seed fixes the draw.

    Raises:
        ValueError: if the grid has fewer combinations than ``config.number``.
    """
    grid = [dict(zip(config.traits, levels, strict=True)) for levels in product(*config.traits.values())]
    number = len(grid) if config.number is None else config.number
    if number > len(grid):
        raise ValueError(
            f"respondents.number={number} is more than the {len(grid)} combinations of respondents.traits; add levels, or null"
        )
    rng = np.random.default_rng(config.seed)
    chosen = sorted(rng.choice(len(grid), number, replace=False).tolist())
    seeds = np.random.SeedSequence(config.seed).generate_state(len(grid))
    return [SimulatedRespondent(grid[i], config.prompt.format(**grid[i]), int(seeds[i])) for i in chosen]


def survey_answers(
    evaluator: SurveyEvaluator, respondent: SimulatedRespondent, wording: str, readout: str, prompt: SoftPrompt | None
) -> Array:
    """Let a respondent take the survey.

    Args:
        evaluator: model and survey.
        respondent: whose persona the model takes.
        wording: ``tuned``, ``held_out_1``, ...
        readout: ``expected`` is the mean answer over option orders. ``sample`` is one sampled answer per item; the
            respondent's seed decides which option order is shown.
        prompt: soft prompt [P, H]; None for none.

    Returns:
        Answers [Q]; NaN where the model's output isn't finite.
    """
    model = evaluator.survey_respondent(wording, respondent.persona, soft=prompt is not None)
    outputs = model.answer((evaluator.lm.no_soft_prompt if prompt is None else prompt)[None])
    log_probs, codes = list(outputs.log_probs.values()), evaluator.survey.codes()
    finite = np.all([np.isfinite(mass[0]) for mass in outputs.valid_mass.values()], axis=0)
    if readout == "expected":
        answers = np.mean([expected(x, codes)[0] for x in log_probs], axis=0)
    else:
        sample = sampler(1, respondent.seed)
        answers = sample(log_probs[respondent.seed % len(log_probs)], codes)[0]
    finite_answers: Array = np.where(finite, answers, np.nan)
    return finite_answers
