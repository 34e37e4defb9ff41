import pytest

from cultural_sp.utils.errors import MAX_LENGTH, reason_of


@pytest.mark.parametrize("length", [0, 1, 299, 301, MAX_LENGTH])
def test_a_reason_of_usual_length_is_whole_and_one_line(length):
    text = "x" * length
    assert reason_of(ValueError(f"\n{text}\n")) == text


@pytest.mark.parametrize("length", [MAX_LENGTH + 1, 5000])
def test_a_very_long_reason_loses_its_middle_and_keeps_the_advice_at_its_end(length):
    reason = reason_of(
        ValueError("The file is damaged." + "\n." * length + 'Load it with `attn_implementation="eager"`.')
    )
    assert len(reason) == MAX_LENGTH
    assert reason.startswith("The file is damaged. ")
    assert reason.endswith('Load it with `attn_implementation="eager"`.')
    assert " [...] " in reason
