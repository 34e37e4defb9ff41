import csv
import dataclasses

import numpy as np
import pytest

from cultural_sp.lm.readout import argmax, expected
from cultural_sp.survey.instrument import DATA, load_survey
from cultural_sp.survey.personas import midpoint_item_means, persona
from cultural_sp.survey.regions import load_region, region_codes, vintages
from cultural_sp.survey.render import Rendering, render
from cultural_sp.survey.scoring import dimension_scores


@pytest.fixture(scope="module")
def world():
    return load_survey("inglehart_welzel")


@pytest.fixture(scope="module")
def latent():
    return load_survey("inglehart_welzel_factor")


def test_ten_indicators_five_on_each_axis(world):
    assert len(world.items) == 10
    assert {d: len(items) for d, items in world.dimensions.items()} == {"secular": 5, "selfexpression": 5}


def test_codes_are_those_of_the_indicators(world):
    codes = {item.id: item.scale.codes for item in world.items}
    assert codes["F063"] == codes["F118"] == codes["F120"] == (1, 3.25, 5.5, 7.75, 10)
    assert codes["Y003"] == (-2, -1, 0, 1, 2)
    assert codes["G006"] == codes["A008"] == (1, 2, 3, 4)
    assert codes["E018"] == codes["E025"] == codes["Y002"] == (1, 2, 3)
    assert codes["A165"] == (1, 2)
    assert world.codes().shape == (10, 5)


@pytest.mark.parametrize(
    ("item", "first", "last"),
    [
        ("F063", "not important", "extremely important"),
        ("F120", "never acceptable", "always acceptable"),
        ("G006", "very proud", "not proud"),
        ("E018", "a good change", "a bad change"),
        ("A008", "very happy", "not happy"),
        ("E025", "I have done before", "I would never do"),
        ("A165", "deserve trust", "require caution"),
        ("Y002", "order and stable prices", "free speech and participation"),
    ],
)
def test_scales_run_in_the_direction_of_the_codes(world, item, first, last):
    labels = {i.id: i.scale.labels for i in world.items}[item]
    assert (labels[0], labels[-1]) == (first, last)


def test_an_average_respondent_stands_at_the_offsets(world, latent):
    means = np.array([7.021085, 0.153365, 3.799358, 1.593051, 1.544039, 1.819518, 1.877546, 3.805097, 2.0682, 1.720547])
    for survey in (world, latent):
        assert dimension_scores(survey.scoring, means) == pytest.approx([-0.1, 0.038], abs=1e-9)


def test_one_standard_deviation_counts_its_coefficient(world):
    means = np.array([7.021085, 0.153365, 3.799358, 1.593051, 1.544039, 1.819518, 1.877546, 3.805097, 2.0682, 1.720547])
    religious = means + 3.2523 * (np.arange(10) == 0)
    moved = dimension_scores(world.scoring, religious) - dimension_scores(world.scoring, means)
    assert moved == pytest.approx([1.61 * -0.274229, 1.81 * -0.111633])


def test_the_loading_table_follows_from_the_coefficients(world, latent):
    # B = weights of standardised answers; loadings of rotated components are B (B'B)^-1, so B' L is the identity, as with
    # Bartlett scores: whoever stands at a point of the factors gets that point from both.
    slope, deviations = np.array([1.61, 1.81]), item_deviations()
    components = world.scoring.weights * deviations / slope[:, None]
    loadings = np.linalg.inv(components @ components.T) @ components  # [K, Q]
    bartlett = latent.scoring.weights * deviations / slope[:, None]
    assert bartlett @ loadings.T == pytest.approx(np.eye(2), abs=1e-4)
    assert components @ loadings.T == pytest.approx(np.eye(2), abs=1e-9)
    assert not np.allclose(bartlett, components, atol=0.02)


def item_deviations():
    return np.array([3.2523, 1.299132, 2.985047, 0.750029, 0.736462, 0.622181, 0.705911, 3.290408, 0.825391, 0.448731])


@pytest.mark.parametrize(
    ("code", "vintage", "target"),
    [
        ("us", None, [-0.42155, 1.226664]),
        ("us", "map_latest", [0.145632, 1.404754]),
        ("cn", "map_latest", [0.576901, -0.103335]),
        ("no", None, [0.574342, 1.928531]),
    ],
)
def test_coordinates(world, code, vintage, target):
    assert load_region(world, code, vintage).target == pytest.approx(target)


def test_the_table_is_clean(world):
    assert vintages(world) == ["centroids_2005", "map_latest"]
    assert [len(region_codes(world, v)) for v in vintages(world)] == [104, 109]
    rows = list(csv.DictReader((DATA / "inglehart_welzel.csv").open(encoding="utf-8")))
    assert len({(r["vintage"], r["iso_alpha2"]) for r in rows}) == len(rows) == 213
    scores = [float(r[d]) for r in rows for d in world.dimensions]
    assert max(map(abs, scores)) < 3.3


def test_both_vintages_are_of_the_same_map(world):
    both = sorted(set(region_codes(world, "centroids_2005")) & set(region_codes(world, "map_latest")))
    points = np.array([[load_region(world, c, v).target for c in both] for v in vintages(world)])
    for axis in range(2):
        assert np.corrcoef(points[0, :, axis], points[1, :, axis])[0, 1] > 0.9


def test_saudi_arabia_has_no_coordinates(world):
    with pytest.raises(ValueError, match=r"^region\.code='sa' is in no target table of inglehart_welzel[^\n]+$"):
        load_region(world, "sa")


def test_readouts_use_the_codes(world):
    log_probs = np.full((1, 10, 5), -np.inf)
    for q, item in enumerate(world.items):
        log_probs[0, q, len(item.scale.labels) - 1] = 0.0
    highest = np.nanmax(world.codes(), axis=1)
    assert expected(log_probs, world.codes())[0].tolist() == highest.tolist()
    assert argmax(log_probs, world.codes())[0].tolist() == highest.tolist()


def test_the_middle_respondent_is_in_the_middle_of_every_scale(world):
    assert midpoint_item_means(world).tolist() == [5.5, 0, 5.5, 2.5, 2, 2, 2.5, 5.5, 2, 1.5]


@pytest.mark.parametrize("scoring", ["label", "number"])
def test_every_item_can_be_asked_either_way(world, scoring):
    asked = render(
        world, 0, Rendering(scoring=scoring, layout="question_first", order="ascending", calibrate=scoring == "label")
    )
    assert [len(q.options) for q in asked.questions] == [5, 5, 5, 4, 3, 3, 4, 5, 3, 2]


def test_the_fingerprint_sees_codes_and_scoring(world, latent):
    item = world.items[0]
    other = dataclasses.replace(item, scale=dataclasses.replace(item.scale, codes=(1, 2, 3, 4, 5)))
    changed = dataclasses.replace(world, items=(other, *world.items[1:]))
    assert len({s.fingerprint() for s in (world, latent, changed)}) == 3


def test_personas_name_the_country(world):
    assert "from Norway" in persona(world, load_region(world, "no"))
