import json

import pytest

from cultural_sp.results import Result, ScoreRecord, Validity, load_result

RECORD = ScoreRecord("naive", "tuned", "none", "expected", 12.5, {"PDI": 40.0, "IDV": None}, {"m01": 3.0}, 0.2, 0.0)
VALIDITY = Validity(
    "not measurable", "not measurable: ...", 12, 24, (0.3, 0.7), {"tuned": 12}, {"PDI": 1.0}, 0.4, None, 0.1, 0.2
)


def result(**changes):
    region = {
        "code": "us",
        "country": "United States",
        "vintage": "x",
        "estimated": False,
        "target": {"PDI": 40.0, "IDV": None},
    }
    fields = {
        "name": "align",
        "region": region,
        "model": "m",
        "seed": 0,
        "evaluations": 4,
        "scores": [RECORD],
        "validity": VALIDITY,
        "provenance": {"config_hash": "abc"},
    }
    return Result(**{**fields, **changes})


@pytest.mark.parametrize("validity", [VALIDITY, None])
def test_a_saved_result_reads_back_equal(tmp_path, validity):
    saved = result(validity=validity)
    saved.save(tmp_path / "result.json")
    assert load_result(tmp_path / "result.json") == saved
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({"schema_version": 99})])
def test_what_is_no_result_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="is no result.json") as error:
        load_result(path)
    assert "\n" not in str(error.value)


def test_score_prefers_the_average_over_orders():
    orders = [
        ScoreRecord("naive", "tuned", o, "expected", 1.0 * i, {}, {}, None, 0.0)
        for i, o in enumerate(["ascending", "both"])
    ]
    found = result(scores=orders)
    assert found.score("naive").option_order == "both"
    assert found.score("naive", order="ascending").loss == 0.0
    assert result(scores=orders[:1]).score("naive").option_order == "ascending"
    with pytest.raises(KeyError):
        found.score("aligned")
