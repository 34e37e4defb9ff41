import json

import pytest
from helpers.results import VALIDITY, result

from cultural_sp.runs.result import ScoreRecord, load_result


@pytest.mark.parametrize("validity", [VALIDITY, None])
def test_a_saved_result_reads_back_equal(tmp_path, validity):
    saved = result(validity=validity)
    saved.save(tmp_path / "result.json")
    assert load_result(tmp_path / "result.json") == saved
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({"schema_version": 99})])
def test_a_file_that_is_no_result_is_refused_in_one_line(tmp_path, text):
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
    averaged = result(scores=orders)
    assert averaged.score("naive").option_order == "both"
    assert averaged.score("naive", order="ascending").loss == 0.0
    assert result(scores=orders[:1]).score("naive").option_order == "ascending"
    with pytest.raises(KeyError):
        averaged.score("aligned")
