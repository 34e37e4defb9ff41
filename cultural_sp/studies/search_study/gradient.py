"""Gradient reference: what Adam finds in the same space. A yardstick for the searches, which see nothing but losses."""

from __future__ import annotations

import numpy as np
import torch

from cultural_sp.lm.forward import TreeForward
from cultural_sp.lm.survey_respondent import SurveyRespondent
from cultural_sp.lm.token_tree import option_log_probs
from cultural_sp.search.space import Space
from cultural_sp.types import Array
from cultural_sp.utils.progress import progress

LEARNING_RATE = 0.1  # in z, whose standard normal draws the searches begin with


def expected_scores(respondent: SurveyRespondent, prompts: torch.Tensor) -> torch.Tensor:
    """Dimension scores [N, K] by the expected readout of soft prompts [N, P, H], with their gradient.

    The same numbers as :meth:`SurveyEvaluator.fitness` gives, in single precision.

    Raises:
        ValueError: if the survey had to be cut into several trees; gradients need the memory of one.
    """
    if len(respondent.trees) > 1:
        raise ValueError("the gradient reference needs the whole survey in one token tree; raise model.memory_gib")
    tree = respondent.trees[0]
    forward = TreeForward(respondent.lm, tree, prompts.shape[1])
    scores = option_log_probs(tree, forward.log_probs(prompts))
    survey, first, means = respondent.survey, 0, []
    codes = torch.from_numpy(np.nan_to_num(survey.codes())).to(scores)
    for administration in respondent.administrations:
        stop = first + len(administration.questions)
        raw, rows = scores[:, first:stop], list(administration.content_free_of)
        first = stop + len(administration.content_free)
        if rows:
            neutral = scores[:, stop:first][:, rows]
            raw = torch.where(torch.isfinite(raw), raw - neutral.nan_to_num(neginf=0.0), raw)
        means.append((raw.softmax(-1) * codes).sum(-1))
    weights, constants = (torch.from_numpy(x).to(scores) for x in (survey.scoring.weights, survey.scoring.constants))
    return torch.stack(means).mean(0) @ weights.T + constants


def gradient_reference(respondent: SurveyRespondent, space: Space, target: Array, steps: int) -> tuple[Array, Array]:
    """Lower the mean absolute difference to a target [K] by Adam from z = 0.

    Returns:
        The best z [d] and the losses [steps] on the way.
    """
    known = ~np.isnan(target)
    zero = np.zeros((1, space.dim))
    start = torch.from_numpy(space.decode(zero)).to(respondent.lm.embeddings.device)
    # Every space is affine in z, so its directions are what unit vectors add to the initial prompt.
    units = space.decode(np.eye(space.dim)) - space.decode(zero)
    directions = torch.from_numpy(units.reshape(space.dim, -1)).to(start.device)
    z = torch.zeros(space.dim, device=start.device, requires_grad=True)
    wanted = torch.from_numpy(target[known]).to(start)
    optimizer = torch.optim.Adam([z], lr=LEARNING_RATE)
    best, losses = np.zeros(space.dim), []
    with progress("gradient_reference", steps) as bar:
        for _ in range(steps):
            scores = expected_scores(respondent, start + (z @ directions).reshape(start.shape))
            loss = (scores[0, torch.from_numpy(known)] - wanted).abs().mean()
            losses.append(float(loss.detach()))
            if losses[-1] == min(losses):
                best = z.detach().cpu().numpy().astype(np.float64)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            bar.update()
    return best, np.array(losses)
