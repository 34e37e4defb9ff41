"""The readout ``generate``: the model writes its answer; a strict parser reads it, or the answer counts as missing."""

from __future__ import annotations

import re

import numpy as np
import torch
from numpy.typing import NDArray

from cultural_sp.config.groups import ReadoutConfig
from cultural_sp.lm.generation import generate_text
from cultural_sp.lm.survey_respondent import SurveyRespondent

# Text that must not follow an answer: the rest of a longer word or number, or a second answer.
NO_END = r"\w|[.,]\s?\d|\s*[-\u2013\u2014/;&+~]\s*\w*\d|\s+\d|,?\s*\(?(or|to|and|through|vs|versus)\b|\s*/"


def parse(text: str, options: tuple[str, ...]) -> float:
    """Parse an answer: the number, from 1, of the option that ``text`` begins with; NaN if there is none.

    Only the start counts, and the option must end there as a word or number does: "3." and "3 = fair" are answers, "30",
    "3.5", "3-4", "3 or 4", "I would say 3" and "As an AI" are not. Among labels that begin alike the longest wins.

    Args:
        text: generated text.
        options: answer texts in the order of their codes.
    """
    answer = " ".join(text.split()).casefold()
    for option in sorted(options, key=len, reverse=True):
        words = re.escape(" ".join(option.split()).casefold())
        if re.match(rf"{words}\b", answer):
            ends = re.match(rf"{words}(?!{NO_END})", answer)
            return float(options.index(option) + 1) if ends else float("nan")
    return float("nan")


def generate_answers(
    respondent: SurveyRespondent, prompt: NDArray[np.float32], config: ReadoutConfig, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Let the model write its answer to every item, in every option order.

    Args:
        respondent: model and rendered survey.
        prompt: one soft prompt [P, H].
        config: number of respondents, temperature and answer length; at temperature 0 one greedy respondent answers.
        seed: seed of the sampling; the state of the global generator is restored.

    Returns:
        Order -> codes [R, Q], NaN where the answer can't be read; the respondents of several wordings stand below each other.
    """
    repeats = 1 if config.temperature == 0 else config.n_respondents
    codes: dict[str, list[NDArray[np.float64]]] = {}
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        scale = respondent.survey.codes()
        for administration, tokenized in zip(respondent.administrations, respondent.tokenized, strict=True):
            questions = administration.questions
            rows = []
            for _ in range(repeats):
                asked = tokenized[: len(questions)]
                texts = generate_text(respondent.lm, asked, prompt, config.max_new_tokens, config.temperature)
                rows.append([parse(text, q.options) for text, q in zip(texts, questions, strict=True)])
            codes.setdefault(administration.order, []).append(_codes(np.array(rows), scale))
    return {order: np.concatenate(parts) for order, parts in codes.items()}


def _codes(places: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Codes [R, Q] of the options with these numbers [R, Q] on scales [Q, O]; NaN stays NaN."""
    known = np.nan_to_num(places, nan=1.0).astype(int) - 1
    return np.where(np.isnan(places), np.nan, scale[np.arange(scale.shape[0]), known])
