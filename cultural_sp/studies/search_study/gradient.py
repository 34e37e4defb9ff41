"""Gradient reference: Adam in the space of a search. The searches see only losses, so it shows how much a gradient adds."""

from __future__ import annotations

import numpy as np
import torch

from cultural_sp.lm.forward import TreeForward
from cultural_sp.lm.survey_respondent import SurveyRespondent
from cultural_sp.lm.token_tree import option_log_probs
from cultural_sp.search.space import Space
from cultural_sp.types import Array
from cultural_sp.utils.progress import progress

LEARNING_RATE = 0.1
"""Step size in z, in which the searches begin with standard normal draws."""


def expected_scores(respondent: SurveyRespondent, prompts: torch.Tensor) -> torch.Tensor:
    """Return dimension scores [N, K] under the expected readout for soft prompts [N, P, H], with their gradient.

    They are the scores of :class:`Fitness` in single precision.

    Raises:
        ValueError: if memory doesn't suffice for the survey in one token tree.
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
    """Lower the mean absolute difference to a target [K] by Adam, beginning at z = 0.

    Args:
        respondent: the model with the survey.
        space: the search space, which is affine in z.
        target: dimension scores [K] in the unit of the survey; NaN where the region has none.
        steps: number of gradient steps.

    Returns:
        The best z [d] and the losses [steps].
    """
    known = ~np.isnan(target)
    zero = np.zeros((1, space.dim))
    start = torch.from_numpy(space.decode(zero)).to(respondent.lm.embeddings.device)
    # Spaces are affine in z, so a unit vector adds its own direction to the initial prompt.
    units = space.decode(np.eye(space.dim)) - space.decode(zero)
    directions = torch.from_numpy(units.reshape(space.dim, -1)).to(start.device)
    z = torch.zeros(space.dim, device=start.device, requires_grad=True)
    known_target = torch.from_numpy(target[known]).to(start)
    optimizer = torch.optim.Adam([z], lr=LEARNING_RATE)
    best, losses = np.zeros(space.dim), []
    with progress("gradient_reference", steps) as bar:
        for _ in range(steps):
            scores = expected_scores(respondent, start + (z @ directions).reshape(start.shape))
            loss = (scores[0, torch.from_numpy(known)] - known_target).abs().mean()
            losses.append(float(loss.detach()))
            if losses[-1] == min(losses):
                best = z.detach().cpu().numpy().astype(np.float64)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            bar.update()
    return best, np.array(losses)
