import re

import numpy as np
import pytest
from helpers.runs import call

from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.validity import assess_validity

RNG = np.random.default_rng(0)


def administered(survey, content, noise=0.0, wordings=("tuned", "held_out_1", "held_out_2"), orders=("none",)):
    """Plain item means: content [Q] plus noise per wording and order."""
    return {w: {o: content + noise * RNG.standard_normal(len(content)) for o in orders} for w in wordings}


def moved(survey, plain, direction):
    """Pole answers that move every item of every dimension by ``direction`` towards its right side."""
    poles = {}
    for wording, orders in plain.items():
        base = np.mean(list(orders.values()), axis=0)
        poles[wording] = {}
        for name, weights in zip(survey.dimensions, survey.measures(), strict=True):
            poles[wording][name, "high"] = base + direction * np.sign(weights)
            poles[wording][name, "low"] = base - direction * np.sign(weights)
    return poles


def test_a_model_that_follows_content_is_measurable(survey):
    plain = administered(survey, RNG.uniform(1, 5, 24), noise=0.05)
    validity = assess_validity(survey, plain, moved(survey, plain, 0.5), 0.9)
    assert validity.verdict == "measurable"
    assert validity.items_right == 24
    # one code step between the poles moves PDI by its weights: 35 + 35 + 25 + 25
    assert validity.effects["PDI"] == pytest.approx(120)
    assert validity.effects["IVR"] == pytest.approx(150)
    assert validity.content_share > 0.9
    assert validity.wording_agreement > 0.9
    assert validity.order_agreement is None


def test_answers_in_the_wrong_direction_are_not_measurable(survey):
    plain = administered(survey, RNG.uniform(1, 5, 24))
    validity = assess_validity(survey, plain, moved(survey, plain, -0.5), 0.9)
    assert validity.items_right == 0
    assert validity.verdict == "not measurable"
    assert validity.effects["UAI"] == pytest.approx(-130)


def test_noise_is_no_content(survey):
    plain = administered(survey, np.full(24, 3.0), noise=1.0)
    assert abs(assess_validity(survey, plain, moved(survey, plain, 0.5), 0.9).content_share) < 0.45


def test_the_interval_is_wilsons(survey):
    plain = administered(survey, np.full(24, 3.0), noise=1.0)
    poles = moved(survey, plain, 0.5)
    wrong = moved(survey, plain, -0.5)
    for wording in poles:
        for dimension in ("UAI", "LTO", "IVR"):
            for pole in ("high", "low"):
                poles[wording][dimension, pole] = wrong[wording][dimension, pole]
    validity = assess_validity(survey, plain, poles, 0.9)
    assert validity.items_right == 12
    # Wilson's formula by hand for 12 of 24: centre 1/2, half width 1.96 sqrt(.25/24 + 1.96^2/(4*24^2)) / (1 + 1.96^2/24)
    assert validity.share_interval == pytest.approx((0.3143, 0.6857), abs=1e-3)
    assert validity.verdict == "weakly measurable"
    assert "PDI, IDV and MAS can be trusted; opposite personas surely move 3 of 6" in validity.sentence
    assert "12 of 24" in validity.sentence


def test_position_bias_shows_as_disagreement_between_orders(survey):
    content = RNG.uniform(2, 4, 24)
    slope = RNG.standard_normal(24)
    plain = {w: {"ascending": content + slope, "descending": content - slope} for w in ("tuned", "held_out_1")}
    validity = assess_validity(survey, plain, moved(survey, plain, 0.5), 0.9)
    assert validity.order_agreement < 0.5
    assert validity.wording_agreement == pytest.approx(1.0)


def test_differences_between_scales_are_not_content(survey):
    names = sorted({item.scale.name for item in survey.items})
    by_scale = np.array([float(names.index(item.scale.name)) for item in survey.items])
    plain = administered(survey, by_scale, noise=0.3)
    assert abs(assess_validity(survey, plain, moved(survey, plain, 0.5), 0.9).content_share) < 0.45


def test_constant_answers_have_no_content_share(survey):
    plain = administered(survey, np.full(24, 3.0))
    validity = assess_validity(survey, plain, moved(survey, plain, 0.0), 0.9)
    assert validity.content_share is None
    assert validity.wording_agreement is None
    assert validity.items_right == 0


def test_the_most_valid_rendering_is_chosen_on_other_wordings_than_it_is_reported_on(monkeypatch, capsys, tiny_folder):
    asked = []
    usual = SurveyEvaluator.survey_respondent

    def noted(evaluator, wordings, *arguments, **settings):
        asked.append((evaluator.config.survey.scoring, evaluator.config.survey.calibrate, tuple(wordings)))
        return usual(evaluator, wordings, *arguments, **settings)

    monkeypatch.setattr(SurveyEvaluator, "survey_respondent", noted)
    code, out, err = call(monkeypatch, capsys, f"model.name_or_path={tiny_folder}", "rendering=auto", entry="validity")
    assert code == 0, err
    select, test = tuple(f"selected_{i}" for i in range(8, 12)), tuple(f"held_out_{i}" for i in range(12, 20))
    tried = dict.fromkeys(asked)
    assert [wordings for *_, wordings in tried] == 4 * [select] + [test]
    assert {scoring for scoring, *_ in tried} == {"label", "number", "list"}
    chosen = re.search(r"most valid: ([a-z, ]+) \(survey.scoring=(\w+)", out)
    assert list(tried)[-1][0] == chosen[2]
    rows = re.findall(r"^(\D+?) +(\d+) +([\d.]+)$", out, re.MULTILINE)
    merits = {name: (int(trusted), float(merit)) for name, trusted, merit in rows}
    assert len(merits) == 4
    assert merits[chosen[1]] == max(merits.values())
    assert "on the wordings to test on:" in out


def test_a_rendering_needs_wordings_to_select_on(monkeypatch, capsys, tiny_folder, toy_survey_file):
    given = [f"model.name_or_path={tiny_folder}", f"survey.instrument={toy_survey_file}"]
    code, _, err = call(monkeypatch, capsys, *given, "rendering=auto", entry="validity")
    assert code == 2
    assert "rendering=auto needs two or more wordings to select on, toy has 0" in err
    code, _, err = call(monkeypatch, capsys, *given, "rendering=best", entry="validity")
    assert "rendering='best' is not allowed; choose one of: configured, auto" in err
