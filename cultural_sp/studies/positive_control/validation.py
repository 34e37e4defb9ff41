"""Validation of the training on texts that are never trained on."""

from __future__ import annotations

import numpy as np
import torch

from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.studies.positive_control.loss import batch_loss, expected_codes, option_scores
from cultural_sp.studies.positive_control.respondents import SyntheticRespondents

N_BATCHES = 4
"""Batches of each kind."""


@torch.no_grad()
def validation_summary(lm: LanguageModel, respondents: SyntheticRespondents) -> str:
    """Return, as text, the shares of right answers to texts and the correlation of answers to mixes with the rule."""
    parts = []
    n_dimensions = len(respondents.survey.dimensions)
    for size in (1, n_dimensions):
        rng = np.random.default_rng(size)
        right = [batch_loss(lm, respondents.validation_batch(size, rng))[1] for _ in range(N_BATCHES)]
        parts.append(f"{np.concatenate(right).mean():.2f} right with {size} described")
    rng, targets, answers = np.random.default_rng(0), [], []
    for _ in range(N_BATCHES):
        batch = respondents.validation_batch(n_dimensions, rng, mix=True)
        answers.append(expected_codes(option_scores(lm, batch).softmax(-1)).ravel())
        targets.append(expected_codes(torch.from_numpy(batch.answers)).ravel())
    correlation = np.corrcoef(torch.cat(targets).numpy(), torch.cat(answers).double().numpy())[0, 1]
    return ", ".join([*parts, f"correlation {correlation:.2f} for mixes"])
