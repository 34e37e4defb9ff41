"""Loss of a training batch, and which of its answers are right."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import log_softmax

from cultural_sp.lm.forward import TreeForward
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.token_tree import build_tree, option_log_probs
from cultural_sp.studies.positive_control.respondents import TrainingBatch

MASS_WEIGHT = 0.2
"""Weight of the log-probability that the model gives any valid answer."""
CLEAR_DISTANCE = 0.5
"""An answer counts as right or wrong if its expected code is further than this from the middle of the scale."""


def batch_loss(lm: LanguageModel, batch: TrainingBatch) -> tuple[torch.Tensor, NDArray[np.bool_]]:
    """Return the loss of a batch, and for each clear answer whether the model is on the right side of the middle.

    The loss is the cross-entropy among the options minus the weighted log-probability of all options together.
    """
    log_probs = option_scores(lm, batch)
    targets = torch.from_numpy(batch.answers).to(log_probs)
    cross_entropy = -(targets * log_softmax(log_probs, dim=-1)).sum(-1).mean()
    loss = cross_entropy - MASS_WEIGHT * log_probs.logsumexp(-1).mean()
    middle = (targets.shape[-1] + 1) / 2
    sides = expected_codes(targets) - middle
    right = (expected_codes(log_probs.detach().softmax(-1)) - middle) * sides > 0
    return loss, right[sides.abs() > CLEAR_DISTANCE].cpu().numpy()


def option_scores(lm: LanguageModel, batch: TrainingBatch) -> torch.Tensor:
    """Return the log-probabilities [N, Q, O] of the options."""
    tree = build_tree(batch.questions)
    prompts = torch.from_numpy(batch.prompts).to(lm.embeddings)
    return option_log_probs(tree, TreeForward(lm, tree, prompts.shape[1]).log_probs(prompts))


def expected_codes(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the expected codes [N, Q] of answer probabilities [N, Q, O]."""
    return probabilities @ torch.arange(1, probabilities.shape[-1] + 1).to(probabilities)
