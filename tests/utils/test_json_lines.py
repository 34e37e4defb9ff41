import pytest

from cultural_sp.utils.json_lines import DamagedLineError, JsonLines, encode_line, read_json_lines

LINES = [encode_line({"i": i}) for i in range(3)]


def test_numbers_come_back_exactly(tmp_path):
    values = [0.1 + 0.2, 1e-320, 12.0, -0.0, 1 / 3]
    lines = JsonLines(tmp_path / "x.jsonl")
    lines.append([{"values": values[:2]}, {"values": values[2:]}])
    again = JsonLines(tmp_path / "x.jsonl")
    assert repr([line.record["values"] for line in again.read()]) == repr([values[:2], values[2:]])
    again.append([{"values": None}])
    again.truncate(1)
    assert [line.record for line in JsonLines(tmp_path / "x.jsonl").read()] == [{"values": values[:2]}]


def read(path, **options):
    return [(line.record["i"], line.end) for line in read_json_lines(path, **options)]


def test_reading_goes_on_at_the_end_of_a_line(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"".join(LINES[:2]))
    whole = read(path)
    assert whole == [(0, len(LINES[0])), (1, len(LINES[0] + LINES[1]))]
    path.write_bytes(b"".join(LINES))
    assert read(path, offset=whole[-1][1]) == [(2, len(b"".join(LINES)))]


@pytest.mark.parametrize(("last", "half_written"), [(LINES[2][:-1], True), (LINES[2][:5], True), (b"garbage\n", False)])
def test_a_damaged_last_line_ends_a_lenient_reader_quietly(tmp_path, last, half_written):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"".join(LINES[:2]) + last)
    assert [i for i, _ in read(path, strict=False)] == [0, 1]
    with pytest.raises(DamagedLineError, match=r"x.jsonl, line 3 is damaged \(") as caught:
        read(path)
    assert caught.value.half_written == half_written


@pytest.mark.parametrize("strict", [True, False])
def test_a_damaged_line_before_others_is_named(tmp_path, strict):
    path = tmp_path / "x.jsonl"
    path.write_bytes(LINES[0] + LINES[1].replace(b"1", b"7", 1) + LINES[2])
    with pytest.raises(DamagedLineError, match=r"line 2 is damaged \(its checksum is wrong\)"):
        read(path, strict=strict)
