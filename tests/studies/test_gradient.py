import numpy as np
import pytest
import torch

from cultural_sp.config.groups import SurveyConfig
from cultural_sp.lm.readout import expected
from cultural_sp.lm.survey_respondent import Condition, SurveyRespondent
from cultural_sp.search.space import Subspace, random_directions
from cultural_sp.studies.search_study.gradient import expected_scores, gradient_reference
from cultural_sp.survey.scoring import dimension_scores


@pytest.mark.parametrize(("scoring", "placement"), [("label", "prefix"), ("number", "prefix"), ("label", "system")])
def test_scores_are_those_of_the_search(tiny_lm, toy_survey, scoring, placement):
    respondent = SurveyRespondent(
        tiny_lm, toy_survey, SurveyConfig(instrument="toy", scoring=scoring), Condition(placement=placement)
    )
    prompts = np.random.default_rng(0).standard_normal((2, 3, tiny_lm.hidden_size)).astype(np.float32)
    answers = respondent.answer(prompts)
    means = np.mean([expected(x, toy_survey.codes()) for x in answers.log_probs.values()], axis=0)
    wanted = torch.from_numpy(prompts).requires_grad_(True)
    scores = expected_scores(respondent, wanted)
    assert scores.detach().numpy() == pytest.approx(dimension_scores(toy_survey.scoring, means), abs=1e-2)
    scores[0, 0].backward()
    assert wanted.grad[0].abs().max() > 0
    assert wanted.grad[1].abs().max() == 0


def test_adam_lowers_the_loss_and_returns_the_best_it_saw(tiny_lm, toy_survey):
    respondent = SurveyRespondent(tiny_lm, toy_survey, SurveyConfig(instrument="toy"))
    start = np.random.default_rng(1).standard_normal((3, tiny_lm.hidden_size)).astype(np.float32) * 0.3
    space = Subspace(start, 0.5, random_directions(8, start.size, 0))
    reachable = space.decode(np.random.default_rng(2).standard_normal((1, 8)))
    target = expected_scores(respondent, torch.from_numpy(reachable))[0].detach().numpy().astype(float)
    target[1] = np.nan
    z, losses = gradient_reference(respondent, space, target, steps=25)
    assert losses.min() < 0.5 * losses[0]
    scores = expected_scores(respondent, torch.from_numpy(space.decode(z[None])))[0].detach().numpy()
    assert abs(scores[0] - target[0]) == pytest.approx(losses.min(), abs=0.05)
