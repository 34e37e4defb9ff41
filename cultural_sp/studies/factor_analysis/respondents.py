"""Simulated respondents: a grid of traits, and their answers to a survey through one frozen model."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cultural_sp.config.studies import RespondentsConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.lm.readout import expected, sampler
from cultural_sp.types import Array


@dataclass(frozen=True)
class Simulated:
    """One respondent."""

    traits: dict[str, str]
    persona: str
    """The system message."""
    seed: int
    """Of the answers it draws."""


def draw(config: RespondentsConfig) -> list[Simulated]:
    """The respondents, in the order of the grid; the same for the same config.

    Raises:
        ValueError: in one line, if more are wanted than the grid has.
    """
    grid = [dict(zip(config.traits, levels, strict=True)) for levels in product(*config.traits.values())]
    wanted = len(grid) if config.number is None else config.number
    if wanted > len(grid):
        raise ValueError(
            f"respondents.number={wanted} is more than the {len(grid)} combinations of respondents.traits; add levels, or null"
        )
    rng = np.random.default_rng(config.seed)
    chosen = sorted(rng.choice(len(grid), wanted, replace=False).tolist())
    seeds = np.random.SeedSequence(config.seed).generate_state(len(grid))
    return [Simulated(grid[i], config.prompt.format(**grid[i]), int(seeds[i])) for i in chosen]


def answer_of(
    evaluator: SurveyEvaluator, simulated: Simulated, wording: str, readout: str, prompt: NDArray[np.float32] | None
) -> Array:
    """Answers [Q] of one respondent, NaN where the model's output isn't finite.

    Its mean answer over option orders, or, with ``sample``, one drawn answer an item in one order, every second respondent's
    the other one.

    Args:
        evaluator: model and survey.
        simulated: the respondent.
        wording: ``tuned``, ``held_out_1``, ...
        readout: expected or sample.
        prompt: soft prompt [P, H]; None for none.
    """
    respondent = evaluator.survey_respondent(wording, simulated.persona, soft=prompt is not None)
    answers = respondent.answer((evaluator.lm.no_soft_prompt if prompt is None else prompt)[None])
    log_probs, codes = list(answers.log_probs.values()), evaluator.survey.codes()
    finite = np.all([np.isfinite(mass[0]) for mass in answers.valid_mass.values()], axis=0)
    if readout == "expected":
        given = np.mean([expected(x, codes)[0] for x in log_probs], axis=0)
    else:
        given = sampler(1, simulated.seed)(log_probs[simulated.seed % len(log_probs)], codes)[0]
    found: Array = np.where(finite, given, np.nan)
    return found
