import dataclasses

import numpy as np
import pytest

from cultural_sp.survey.instrument import load_survey
from cultural_sp.survey.scoring import dimension_scores

NAMES = ("PDI", "IDV", "MAS", "UAI", "LTO", "IVR")


def means(**codes):
    """Item means [24], 3 everywhere but where given."""
    values = np.full(24, 3.0)
    for item, code in codes.items():
        values[int(item[1:]) - 1] = code
    return values


def scores(survey, item_means, constant=50.0):
    survey = dataclasses.replace(survey, scoring=survey.scoring.with_constant(constant))
    return dict(zip(survey.dimension_names, dimension_scores(survey.scoring, item_means), strict=True))


@pytest.mark.parametrize(
    ("dimension", "codes", "by_hand"),
    [
        # each worked out on paper from the manual's formula, C = 0
        ("PDI", {"m07": 2.5, "m02": 1.5, "m20": 4.0, "m23": 2.0}, 85.0),  # 35 * 1.0 + 25 * 2.0
        ("PDI", {"m07": 1.2, "m02": 2.0, "m20": 3.1, "m23": 3.5}, -38.0),  # 35 * -0.8 + 25 * -0.4
        ("IDV", {"m04": 2.0, "m01": 1.4, "m09": 3.0, "m06": 1.6}, 70.0),  # 35 * 0.6 + 35 * 1.4
        ("MAS", {"m05": 2.0, "m03": 1.0, "m08": 2.2, "m10": 2.0}, 42.0),  # 35 * 1.0 + 35 * 0.2
        ("UAI", {"m18": 2.0, "m15": 3.5, "m21": 2.0, "m24": 4.0}, -110.0),  # 40 * -1.5 + 25 * -2.0
        ("LTO", {"m13": 2.5, "m14": 1.5, "m19": 2.0, "m22": 1.6}, 50.0),  # 40 * 1.0 + 25 * 0.4
        ("IVR", {"m12": 3.0, "m11": 1.0, "m17": 3.0, "m16": 2.5}, 90.0),  # 35 * 2.0 + 40 * 0.5
    ],
)
def test_indices_follow_the_manual(survey, dimension, codes, by_hand):
    found = scores(survey, means(**codes), constant=0.0)
    assert found[dimension] == pytest.approx(by_hand)
    others = {d: s for d, s in found.items() if d != dimension}
    assert others == pytest.approx(dict.fromkeys(others, 0.0))


def test_the_other_paper_prints_another_second_mas_weight():
    cat = load_survey("vsm13_cat")
    # 35 * (2.0 - 1.0) + 25 * (2.2 - 2.0)
    assert scores(cat, means(m05=2.0, m03=1.0, m08=2.2, m10=2.0), 0.0)["MAS"] == pytest.approx(40.0)
    assert {d: w for d, w in cat.dimensions.items() if d != "MAS"} == {
        d: w for d, w in load_survey("vsm13").dimensions.items() if d != "MAS"
    }


@pytest.mark.parametrize("constant", [0.0, 50.0])
@pytest.mark.parametrize("code", [1.0, 3.0, 5.0])
def test_equal_answers_everywhere_score_the_constant(survey, constant, code):
    assert scores(survey, np.full(24, code), constant) == dict.fromkeys(NAMES, constant)


@pytest.mark.parametrize(
    ("dimension", "extreme"), [("PDI", 240), ("IDV", 280), ("MAS", 280), ("UAI", 260), ("LTO", 260), ("IVR", 300)]
)
def test_raw_ranges(survey, dimension, extreme):
    weights = survey.scoring.weights[NAMES.index(dimension)]
    highest, lowest = np.where(weights > 0, 5.0, 1.0), np.where(weights > 0, 1.0, 5.0)
    assert scores(survey, highest, 0.0)[dimension] == extreme
    assert scores(survey, lowest, 0.0)[dimension] == -extreme


def test_item_20_runs_from_never_to_always_and_raises_power_distance(survey):
    labels = {item.id: item.scale.labels for item in survey.items}
    assert labels["m20"][0] == "never"
    assert labels["m20"][-1] == "always"
    for other in ("m15", "m16", "m17"):
        assert labels[other][0] == "always"
        assert labels[other][-1] == "never"
    # always being afraid of superiors (code 5) instead of never (code 1): 25 * 4 points more power distance
    low, high = (scores(survey, means(m20=code))["PDI"] for code in (1.0, 5.0))
    assert high - low == 100


def test_a_missing_answer_spoils_only_its_own_index(survey):
    found = scores(survey, means(m20=np.nan))
    assert np.isnan(found.pop("PDI"))
    assert found == dict.fromkeys(NAMES[1:], 50.0)


def test_batches_are_scored_row_by_row(survey):
    batch = np.stack([means(), means(m07=4.0)])
    found = dimension_scores(survey.scoring, batch)
    assert found.shape == (2, 6)
    assert found[1, 0] - found[0, 0] == 35


def test_a_wrong_number_of_items_is_refused(survey):
    with pytest.raises(ValueError, match=r"the scoring has 24 items, got means of shape \(6,\)"):
        dimension_scores(survey.scoring, np.ones(6))
