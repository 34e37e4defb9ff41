from dataclasses import replace

import pytest
from helpers.results import RECORD, result, single_spaced

from cultural_sp.reporting.limits import limits_sentence, limits_table
from cultural_sp.runs.methods import METHODS

NAMES = {key: method.label for key, method in METHODS.items()}


def records(**losses):
    """Records with these losses, 40 + loss on PDI, and a standard deviation of 100 for one respondent."""
    return [
        replace(
            RECORD,
            method=method,
            wording=wording,
            loss=loss,
            dimensions={"PDI": 40.0 + loss, "IDV": None},
            respondent_sd={"PDI": 100.0, "IDV": None},
        )
        for method, loss in losses.items()
        for wording in ("tuned", "held_out_1")
    ]


def test_skill_and_samples_by_hand():
    found = result(scores=records(midpoint=20.0, naive=30.0, persona=22.0, aligned=5.0))
    table = single_spaced(limits_table(found, "expected", NAMES)).splitlines()
    # skill: 100 * (1 - 5 / 20); the standard error of 1,000 respondents is 3.16, so 5 points off are nearly all of the loss
    aligned = next(line for line in table if line.startswith(NAMES["aligned"]))
    assert aligned.split()[-6:-4] == ["75", "75"]
    assert float(aligned.split()[-1]) == pytest.approx(5.2, abs=0.1)
    assert next(line for line in table if line.startswith("naive")).split()[1:3] == ["-50", "-50"]
    # a perfect population: sqrt(2 / pi) * 100 / sqrt(n) for n = 20, 50, 200, 1,000
    assert "perfect population 17.8 11.3 5.6 2.5" in table
    assert table[-1].startswith("in whole numbers, the best that one option per item can do is 3.0; right means")
    assert not [line for line in table if line.startswith("midpoint")]
    sentence = limits_sentence(found, "expected")
    assert "midpoint respondent): 75 on tuned wordings, 75 on held-out wordings." in sentence
    assert "has a loss of 17.8 with 20, 11.3 with 50, 5.6 with 200, 2.5 with 1,000 respondents; " in sentence
    assert sentence.endswith("one option per item can do is 3.0.")


def test_answers_without_probabilities_have_no_sampling_error():
    rows = [replace(r, respondent_sd=None) for r in records(midpoint=20.0, naive=30.0, persona=22.0, aligned=5.0)]
    table = single_spaced(limits_table(result(scores=rows), "expected", NAMES))
    assert "perfect population - - - -" in table
