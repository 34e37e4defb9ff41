"""Our own questions and the loader of CulturalBench; rows here are invented, only their schema is that of the data set."""

import csv
from collections import Counter

import pytest
import yaml

from cultural_sp.config.groups import KnowledgeConfig
from cultural_sp.evaluation.knowledge.culturalbench import load_culturalbench
from cultural_sp.evaluation.knowledge.questions import OWN_QUESTIONS, load_own

EASY_HEAD = ["data_idx", "question_idx", "prompt_question", "prompt_option_a", "prompt_option_b", "prompt_option_c"]
EASY_HEAD += ["prompt_option_d", "answer", "country"]
EASY = [
    EASY_HEAD,
    [0, 7, "What colour is the toy flag, in Toyland?", "red", "None", "blue, or so", "green", "C", "Toyland"],
    [1, 9, "Who builds toys?", "elves", "bears", "N/A", "NA", "A", "Norway"],
]
HARD_HEAD = ["data_idx", "question_idx", "prompt_question", "prompt_option", "answer", "country"]
HARD = [
    HARD_HEAD,
    *(
        [i, 7, "What colour is the toy flag, in Toyland?", option, option == "blue, or so", "Toyland"]
        for i, option in enumerate(["red", "None", "blue, or so", "green"])
    ),
    *(  # several answers may be right
        [4 + i, 9, "Who builds toys?", option, right, "Norway"]
        for i, (option, right) in enumerate([("elves", "TRUE"), ("bears", "False"), ("N/A", "true"), ("NA", "FALSE")])
    ),
]


def write(folder, task, rows):
    path = folder / f"CulturalBench-{task}.csv"
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return path


@pytest.fixture
def bench(tmp_path):
    write(tmp_path, "Easy", EASY)
    write(tmp_path, "Hard", HARD)
    return tmp_path


def test_both_forms_of_the_data_set_are_read(bench):
    found = load_culturalbench(str(bench))
    assert found.title == "CulturalBench"
    assert [q.options for q in found.easy] == [("red", "None", "blue, or so", "green"), ("elves", "bears", "N/A", "NA")]
    assert [q.right.index(True) for q in found.easy] == [2, 0]
    assert (
        [(q.id, q.country) for q in found.easy]
        == [(q.id, q.country) for q in found.hard]
        == [
            ("7", "Toyland"),
            ("9", "Norway"),
        ]
    )
    assert [q.options for q in found.hard] == [q.options for q in found.easy]
    assert found.hard[1].right == (True, False, True, False)
    assert found.countries == ("Toyland", "Norway")
    assert found.about(["Norway"]).countries == ("Norway",)
    assert len(found.about(["Norway"]).hard) == 1
    with pytest.raises(
        ValueError, match="CulturalBench has nothing about Mars; allowed: Norway, Toyland, or null for all"
    ):
        found.about(["Mars"])


def test_one_file_is_enough(bench):
    (bench / "CulturalBench-Easy.csv").unlink()
    found = load_culturalbench(str(bench))
    assert (len(found.easy), len(found.hard)) == (0, 2)


def test_parquet_gives_the_same_questions(bench):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    expected = load_culturalbench(str(bench))
    for task in ("Easy", "Hard"):
        path = bench / f"CulturalBench-{task}.csv"
        table = pd.read_csv(path, keep_default_na=False)
        if task == "Hard":
            table["answer"] = table["answer"].astype(str).str.lower() == "true"
        table.to_parquet(path.with_suffix(".parquet"))
        path.unlink()
    assert load_culturalbench(str(bench)) == expected


def test_parquet_without_its_reader_is_one_line(bench, monkeypatch):
    def none(path):
        raise ImportError("no engine")

    monkeypatch.setattr("pandas.read_parquet", none)
    (bench / "CulturalBench-Easy.csv").rename(bench / "CulturalBench-Easy.parquet")
    with pytest.raises(ValueError, match="needs pyarrow; pip install 'cultural-sp\\[parquet\\]', or use the .csv file"):
        load_culturalbench(str(bench))


def test_what_is_no_culturalbench_is_one_line(bench, tmp_path):
    cases = {
        "has the answer 'E', not A to D": ("Easy", [EASY_HEAD, [*EASY[1][:7], "E", "Toyland"]]),
        "needs four rows of one question with the answers true or false, got 3": ("Hard", HARD[:4]),
        "got 4 with 'False', 'maybe'": ("Hard", [*HARD[:2], [*HARD[2][:4], "maybe", "Toyland"], *HARD[3:]]),
        "lacks the columns answer, prompt_option of CulturalBench-Hard": (
            "Hard",
            [["question_idx", "country", "prompt_question"]],
        ),
    }
    for message, (task, rows) in cases.items():
        write(bench, task, rows)
        with pytest.raises(ValueError, match="^[^\n]+$") as error:
            load_culturalbench(str(bench))
        assert message in str(error.value)
        write(bench, "Easy", EASY)
        write(bench, "Hard", HARD)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has neither CulturalBench-Easy nor CulturalBench-Hard"):
        load_culturalbench(str(tmp_path / "empty"))


def test_offline_the_hub_is_one_line_with_a_way_out():
    with pytest.raises(ValueError, match="^[^\n]+$") as error:
        load_culturalbench("nobody/no-such-set")
    assert "knowledge.source=nobody/no-such-set can't be loaded from the hub" in str(error.value)
    assert "choose knowledge=own or knowledge=none" in str(error.value)


def test_our_own_questions_are_balanced_sourced_and_not_called_culturalbench():
    own = load_own()
    assert min(Counter(q.country for q in own.easy).values()) >= 12
    assert set(own.countries) == {"Saudi Arabia", "United States", "China", "India"}
    places = Counter((q.country, q.right.index(True)) for q in own.easy)
    assert len(places) == 16
    assert set(places.values()) == {3}  # each country's right options stand equally often at each place
    assert own.title == "own questions (not CulturalBench)"
    assert own.hard == own.easy
    entries = yaml.safe_load(OWN_QUESTIONS.read_text(encoding="utf-8"))["questions"]
    assert all(len(entry["source"]) > 10 for entry in entries)
    assert len({entry["text"] for entry in entries}) == len(entries)


BAD = {
    "questions: []": "it has no questions",
    "{name: a, title: b}": "'questions' is missing",
    "questions: [{country: a, text: b, right: c, wrong: [d, e, f]}]": "'source' is missing",
    "questions: [{country: a, text: b, right: c, wrong: [d, e], source: s}]": "question 1 needs three different wrong",
    "questions: [{country: a, text: b, right: d, wrong: [d, e, f], source: s}]": "question 1 needs three different wrong",
    "questions: [{country: a, text: b, right: 3, wrong: [d, e, f], source: s}]": "question 1 needs texts, in quotes",
    "a: [b": "while parsing a flow sequence",
}


@pytest.mark.parametrize("text", BAD)
def test_a_malformed_file_of_questions_is_one_line(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="^[^\n]+$") as error:
        load_own(path)
    assert BAD[text] in str(error.value)
    with pytest.raises(ValueError, match="can't read the file"):
        load_own(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "mmlu"}, "knowledge.kind='mmlu' is not allowed; choose one of: none, own, culturalbench"),
        ({"kind": "culturalbench"}, "knowledge.source is empty"),
        ({"kind": "own", "countries": []}, "knowledge.countries is empty"),
        ({"source": "x"}, "knowledge.source=x does not go with knowledge.kind=none"),
    ],
)
def test_bad_settings_are_one_line(given, message):
    with pytest.raises(ValueError, match="^[^\n]+$") as error:
        KnowledgeConfig(**given)
    assert message in str(error.value)


def test_endings_in_capitals_are_the_same(bench):
    expected = load_culturalbench(str(bench))
    for task in ("Easy", "Hard"):
        (bench / f"CulturalBench-{task}.csv").rename(bench / f"CulturalBench-{task}.CSV")
    assert load_culturalbench(str(bench)) == expected
