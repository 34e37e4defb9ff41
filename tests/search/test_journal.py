import json

import numpy as np
import pytest
from helpers.journals import read_journal
from helpers.options import optimizer_config
from helpers.searches import of_batches

from cultural_sp.search.journal import Journal
from cultural_sp.search.loop import Evaluation, Search
from cultural_sp.search.optimizers import make_optimizer
from cultural_sp.search.random_search import RandomSearch
from cultural_sp.search.schedule import whole_survey
from cultural_sp.utils import json_lines
from cultural_sp.utils.json_lines import CHECKSUM, encode_line
from cultural_sp.utils.serialize import fingerprint

HEADER = {"config_hash": "abc", "versions": {"numpy": "2.0", "torch": None}, "batch_size": 3}
BUDGET = 21
SEARCHES = {"random_search": RandomSearch, "aligned": make_optimizer}


def small(dimensions, valid_mass):
    return dimensions[:, 0], np.sqrt(dimensions[:, 0])


def shifted(dimensions, valid_mass):
    return np.abs(dimensions[:, 0] - 1) + valid_mass, dimensions[:, 1] ** 2


ONE, TWO = {"us": small}, {"us": small, "in": shifted}


def run(path, header=HEADER, only=tuple(SEARCHES), objectives=ONE):
    """Run both searches on a sphere with holes, where a loss depends on the place in its batch; return results, batch sizes."""
    journal = Journal(
        path, {k: v for k, v in header.items() if k != "batch_size"}, lambda: {"batch_size": header["batch_size"]}
    )
    calls = []

    def evaluate(z):
        calls.append(len(z))
        loss = (z**2).sum(axis=1) / 3 + np.arange(len(z)) * 1e-13
        loss[z[:, 0] > 1] = np.nan
        return Evaluation(np.stack([loss, z[:, 0]], axis=1), loss[:, None], loss)

    results = [
        result
        for name in only
        for result in Search(name, objectives, of_batches(evaluate), whole_survey(BUDGET, 8), ("PDI", "IDV"), journal)
        .run(
            [
                SEARCHES[name](optimizer_config(population=8, budget=BUDGET, seed=4 + i), 5)
                for i in range(1 if name == "random_search" else len(objectives))
            ]
        )
        .values()
    ]
    return results, calls


def timeless(path):
    return [{k: v for k, v in r.items() if k not in ("seconds", CHECKSUM)} for r in read_journal(path)]


@pytest.fixture(scope="module")
def whole_runs(tmp_path_factory):
    """For one objective and for two: the journal of an uninterrupted run, its results and its objectives."""
    runs = []
    for objectives in (ONE, TWO):
        path = tmp_path_factory.mktemp("whole") / "evaluations.jsonl"
        results, calls = run(path, objectives=objectives)
        assert sum(calls) == 2 * BUDGET
        assert len(results) == 2 * len(objectives)
        runs.append((path, results, objectives))
    return runs


@pytest.fixture
def whole(whole_runs):
    return whole_runs[0][:2]


@pytest.mark.parametrize("two_objectives", [False, True])
@pytest.mark.parametrize("with_z", [True, False])
@pytest.mark.parametrize("torn", [0, pytest.param(1, marks=pytest.mark.slow), 40])
def test_a_search_resumes_from_every_length_of_its_journal(tmp_path, capsys, whole_runs, torn, with_z, two_objectives):
    path, results, objectives = whole_runs[two_objectives]
    lines = path.read_bytes().splitlines(keepends=True)
    if not with_z:
        stripped = [{k: v for k, v in json.loads(line).items() if k not in ("z", CHECKSUM)} for line in lines]
        lines = [encode_line(record) for record in stripped]
    for length in range(len(lines)):
        cut = tmp_path / f"{length}.jsonl"
        cut.write_bytes(b"".join(lines[:length]) + lines[length][:torn])
        again, calls = run(cut, objectives=objectives)
        expected = timeless(path) if with_z else [{**r, "z": None} for r in timeless(path)]
        got = timeless(cut) if with_z else [{**r, "z": None} for r in timeless(cut)]
        assert got == expected
        for one, other in zip(again, results, strict=True):
            np.testing.assert_array_equal(one.z, other.z)
            np.testing.assert_array_equal(one.losses, other.losses)
            np.testing.assert_array_equal(one.l1, other.l1)
        evaluated = max(length - 1, 0)
        assert 2 * BUDGET - evaluated <= sum(calls) <= 2 * BUDGET - evaluated + 2  # at most an unfinished batch again
        notice = f"{cut.name}: line {length + 1} was left half-written and is dropped\n"
        assert (notice in capsys.readouterr().out) == (torn > 0)


def test_a_whole_journal_needs_no_evaluation(whole):
    assert run(whole[0])[1] == []


def test_the_journal_sets_the_batch_size(tmp_path, whole):
    path = tmp_path / "evaluations.jsonl"
    path.write_bytes(b"".join(whole[0].read_bytes().splitlines(keepends=True)[:8]))
    _, calls = run(path, {**HEADER, "batch_size": 8})
    assert calls[:2] == [2, 3]  # evaluation 6, left alone in its batch of two, is evaluated again; a generation has 8
    assert timeless(path) == timeless(whole[0])


def test_the_bar_starts_where_the_journal_ends(tmp_path, capsys, whole):
    path = tmp_path / "evaluations.jsonl"
    path.write_bytes(b"".join(whole[0].read_bytes().splitlines(keepends=True)[:10]))
    run(path)
    assert "random_search: 8/21" in capsys.readouterr().err


def at(line, change):
    def damage(lines):
        lines[line - 1] = change(lines[line - 1])
        return lines

    return damage


def digit(line):
    start = line.index(b'"loss": ') + 10
    return line[:start] + bytes([line[start] ^ 1]) + line[start + 1 :]


def rewritten(**changes):
    """A change with a correct checksum."""

    def change(line):
        record = {**json.loads(line), **changes}
        del record[CHECKSUM]
        return encode_line(record)

    return change


DAMAGE = {
    "garbage": (at(5, lambda _: b"garbage\n"), "line 5 is damaged (Expecting value"),
    "no object": (at(5, lambda _: b"[1]\n"), "line 5 is damaged (not a JSON object)"),
    "bytes lost": (at(5, lambda x: x[:30] + x[50:]), "line 5 is damaged (its checksum is wrong)"),
    "a digit of a loss": (at(9, digit), "line 9 is damaged (its checksum is wrong)"),
    "another candidate": (at(30, rewritten(fingerprint="ab")), "line 30 is damaged (its fingerprint is not that of"),
    "another loss": (at(9, rewritten(loss="x")), "line 9 is damaged (its loss is 'x')"),
    "no l1": (at(9, rewritten(l1=1)), "line 9 is damaged (its l1 is 1)"),
    "no scores": (at(9, rewritten(dimensions=None)), "line 9 is damaged (its dimensions are None)"),
    "no score": (at(9, rewritten(dimensions={"PDI": 1.0})), "line 9 is damaged (its IDV is 'absent')"),
    "another objective": (at(30, rewritten(objective="in")), "line 30 is damaged (its fingerprint is not that of"),
    "a line lost": (lambda lines: lines[:6] + lines[7:], "line 7 is damaged (evaluation 5 of"),
    "lines swapped": (lambda lines: [*lines[:6], lines[7], lines[6], *lines[8:]], "line 7 is damaged (evaluation 5 of"),
    "last line of a search lost": (
        lambda lines: lines[:BUDGET] + lines[BUDGET + 1 :],
        "line 22 is damaged (evaluation 20 of random_search should stand there)",
    ),
    "a line twice": (lambda lines: [*lines[: BUDGET + 1], *lines[BUDGET:]], "line 23 is damaged (evaluation 0 of aligned should"),
    "no header": (lambda lines: lines[1:], "it has no header: another version of this program wrote it"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_journal_is_refused_and_left_as_it_is(tmp_path, whole, case):
    damage, message = DAMAGE[case]
    path = tmp_path / "evaluations.jsonl"
    path.write_bytes(b"".join(damage(whole[0].read_bytes().splitlines(keepends=True))))
    before = path.read_bytes()
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared below
        run(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "choose another name=, or replace it with overwrite=true" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config_hash": "abd"}, "config_hash=abc there, abd here;"),
        ({"versions": {"numpy": "2.1", "torch": None}}, "versions.numpy=2.0 there, 2.1 here;"),
        ({"device": "cpu"}, "device=absent there, cpu here;"),
        ({"config_hash": "f" * 64, "versions": {}}, "config_hash=abc there, ffffffffffff... here; versions"),
    ],
)
def test_the_journal_of_another_run_is_refused_with_what_differs(whole, change, message):
    with pytest.raises(ValueError, match="belongs to another run") as caught:
        Journal(whole[0], {k: v for k, v in {**HEADER, **change}.items() if k != "batch_size"}, None)
    assert message in str(caught.value)


@pytest.mark.parametrize("written", [0, 7])
def test_a_batch_that_finds_no_room_leaves_the_journal_as_it_was(tmp_path, monkeypatch, whole, written):
    path = tmp_path / "evaluations.jsonl"
    path.write_bytes(b"".join(whole[0].read_bytes().splitlines(keepends=True)[:7]))
    before = path.read_bytes()

    def full(descriptor):
        with path.open("ab") as handle:
            handle.write(b"x" * written)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(json_lines.os, "fsync", full)
        with pytest.raises(ValueError, match="can't write .*evaluations.jsonl .No space left on device.; make room"):
            run(path)
    assert path.read_bytes() == before
    run(path)
    assert timeless(path) == timeless(whole[0])


def test_a_fingerprint_is_that_of_the_bytes():
    # printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf0\x3f' | sha256sum
    assert fingerprint(np.array([0.0, 1.0])) == fingerprint(np.array([0, 1], dtype=">f8")) == "fc62429c3e69001d"
    assert fingerprint(np.array([0.0, 1.0])) != fingerprint(np.array([-0.0, 1.0]))
