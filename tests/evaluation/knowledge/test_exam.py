"""Asking and scoring: places and words must not decide, and every answer must be that of the model asked alone."""

import json

import numpy as np
import pytest
import torch
from helpers.runs import call

from cultural_sp.evaluation.knowledge.exam import Exam
from cultural_sp.evaluation.knowledge.questions import KnowledgeQuestion, KnowledgeSet, load_own
from cultural_sp.evaluation.knowledge.render import choices, judgements
from cultural_sp.evaluation.knowledge.scoring import choices_right, judgements_right
from cultural_sp.lm import option_scores as asking
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.chat_prompt import SLOT, chat_text
from cultural_sp.lm.option_scores import score_options
from cultural_sp.reporting.tables import summary
from cultural_sp.runs.result import ALL_COUNTRIES, KnowledgeScore, load_result
from cultural_sp.stats.intervals import wilson

BREAD = KnowledgeQuestion(
    "1", "Toyland", "What is bread?", ("food", "a tool", "a song", "a town"), (True, False, False, False)
)
DATES = KnowledgeQuestion(
    "2", "Norway", "What is sweet?", ("dates", "apples", "rain", "salt"), (True, True, False, False)
)


def log(p):
    with np.errstate(divide="ignore"):
        return np.log(np.array(p, dtype=float))


def test_every_option_stands_at_every_place_once():
    prompts = choices(BREAD, "You are brief.")
    assert [p.system for p in prompts] == ["You are brief."] * 4
    assert prompts[0].user.endswith("What is bread?\nA. food\nB. a tool\nC. a song\nD. a town")
    assert prompts[0].options == ("A", "B", "C", "D")
    for prompt in prompts:
        for option, letter in zip(BREAD.options, prompt.options, strict=True):
            assert f"\n{letter}. {option}" in prompt.user
    assert {tuple(p.options[i] for p in prompts) for i in range(4)} == {
        tuple("ADCB"), tuple("BADC"), tuple("CBAD"), tuple("DCBA")
    }  # fmt: skip


def test_judgements_name_both_words_in_both_orders():
    first, second = judgements(BREAD, "")
    assert [p.options for p in first + second] == [("True", "False")] * 8
    assert all("either True or False." in p.user for p in first)
    assert all("either False or True." in p.user for p in second)
    assert first[1].user.endswith("Question: What is bread?\nProposed answer: a tool")


def test_a_model_that_knows_only_places_is_right_by_chance_in_one_order_and_never_on_average():
    right = np.eye(4, dtype=bool)  # question k has its right option at place k
    by_place = np.array([0.7, 0.1, 0.1, 0.1])
    shown_at = [[(option - shift) % 4 for option in range(4)] for shift in range(4)]
    log_probs = np.stack([np.tile(log(by_place[places]), (4, 1)) for places in shown_at])
    found = choices_right(log_probs, right)
    assert found["published"].tolist() == [True, False, False, False]
    assert found["averaged"].tolist() == [False] * 4


def test_choices_by_hand():
    right = np.array([[True, False], [True, False], [True, False]])
    one = log([[0.6, 0.4], [0.4, 0.6], [0.5, 0.5]])
    other = log([[0.3, 0.7], [0.7, 0.3], [0.6, 0.4]])
    found = choices_right(np.stack([one, other]), right)
    assert found["published"].tolist() == [True, False, False]  # a tie is not right
    assert found["averaged"].tolist() == [False, True, True]
    nothing = choices_right(np.full((2, 3, 2), np.nan), right)
    assert not nothing["published"].any()
    assert not nothing["averaged"].any()


def test_a_hard_question_needs_all_judgements():
    right = np.array([[True, True, False, False]] * 3)
    true = [[0.9, 0.8, 0.2, 0.1], [0.9, 0.8, 0.2, 0.6], [0.9, 0.5, 0.2, 0.1]]
    published = np.stack([log(true), log(1 - np.array(true))], axis=-1)
    swapped = published.copy()
    swapped[1, 3] = log([0.3, 0.7])
    found = judgements_right(np.stack([published, swapped]), right)
    assert found["published"].tolist() == [True, False, False]  # undecided is not right
    assert found["averaged"].tolist() == [True, True, False]  # (0.6 + 0.3) / 2
    assert not judgements_right(np.full((2, 3, 4, 2), np.nan), right)["published"].any()


@pytest.mark.parametrize("placement", ["prefix", "user"])
def test_answers_are_those_of_each_prompt_alone_whatever_the_chunks(tiny_lm, monkeypatch, placement):
    prompts = [*choices(BREAD, "You like bread."), *choices(DATES, "You like bread.")]
    soft = np.random.default_rng(0).standard_normal((2, 3, tiny_lm.hidden_size)).astype(np.float32)
    steps = []
    monkeypatch.setattr(asking, "CHUNK", 3)
    found = score_options(tiny_lm, prompts, soft, placement, Batching(tiny_lm, 2), steps.append)
    assert found.shape == (2, 8, 4)
    assert steps == [3, 3, 2]
    embed = tiny_lm.model.get_input_embeddings()
    for row, prompt in enumerate(prompts):
        front, _, back = chat_text(prompt, tiny_lm.tokenizer, placement, {}).partition(SLOT)
        front, back = (
            torch.tensor(tiny_lm.tokenizer(x, add_special_tokens=False)["input_ids"], dtype=torch.long)
            for x in (front, back)
        )
        letters = [tiny_lm.tokenizer(x, add_special_tokens=False)["input_ids"][0] for x in prompt.options]
        for n, z in enumerate(soft):
            inputs = torch.cat([embed(front), torch.from_numpy(z), embed(back)])[None]
            with torch.inference_mode():
                expected = tiny_lm.model(inputs_embeds=inputs).logits[0, -1].log_softmax(-1)[letters]
            np.testing.assert_allclose(found[n, row], expected, atol=1e-4)


def test_scores_per_country_add_up(tiny_lm):
    questions = load_own().about(["India", "China"])
    short = KnowledgeSet("own", "own", questions.easy[:3] + questions.easy[-3:], questions.hard[:2])
    scores = Exam(tiny_lm, short, "prefix", Batching(tiny_lm, 1)).take("naive", persona="You are brief.")
    assert [(s.task, s.order, s.country, s.total) for s in scores] == [
        *(
            ("easy", o, c, n)
            for o in ("published", "averaged")
            for c, n in ((ALL_COUNTRIES, 6), ("China", 3), ("India", 3))
        ),
        *(("hard", o, c, 2) for o in ("published", "averaged") for c in (ALL_COUNTRIES, "China")),
    ]
    for s in scores:
        interval = wilson(s.right, s.total)
        assert (s.accuracy, s.low, s.high) == (interval.estimate, interval.low, interval.high)
        assert (s.right, s.total) == (sum(s.answers.values()), len(s.answers))
        assert 0 < s.valid_mass < 1
    both, china, india = scores[:3]
    assert both.answers == china.answers | india.answers


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    """One easy and hard question about two countries each."""
    path = tmp_path_factory.mktemp("knowledge") / "mine.yaml"
    entry = (
        "{{country: {0}, text: 'What is bread in {0}?', right: food, wrong: [a tool, a song, a town], source: a book}}"
    )
    lines = [f"  - {entry.format(country)}" for country in ("United States", "China")]
    path.write_text("\n".join(["name: mine", "title: my questions", "questions:", *lines]))
    return path


def test_a_run_reports_what_its_methods_know(monkeypatch, capsys, no_figures, short_run, small_set, tmp_path):
    mine = [*short_run, f"output_dir={tmp_path}", "validity=false", "knowledge=own", f"knowledge.source={small_set}"]
    code, out, err = call(monkeypatch, capsys, *mine)
    assert code == 0, err
    file = next(tmp_path.rglob("result.json"))
    result = load_result(file)
    assert result.knowledge.title == "my questions"
    assert list(dict.fromkeys(s.method for s in result.knowledge.scores)) == ["naive", result.icl(), "aligned"]
    assert {s.country for s in result.knowledge.scores} == {ALL_COUNTRIES, "United States", "China"}
    assert all(isinstance(s, KnowledgeScore) for s in result.knowledge.scores)
    head = next(line for line in out.splitlines() if line.startswith("my questions"))
    assert "easy, all" in head
    assert "hard, United States" in head
    assert "China" not in head
    assert "guessing" in out
    assert out.count("my questions") == 1
    lines = (file.parent / "knowledge.jsonl").read_text().splitlines()
    assert [json.loads(line)["respondent"] for line in lines][:2] == ["naive", f"{result.icl()} us"]
    file.unlink()
    with monkeypatch.context() as patch:  # what is kept isn't asked again
        patch.setattr("cultural_sp.evaluation.knowledge.exam.score_options", None)
        assert call(monkeypatch, capsys, *mine)[0] == 0
    assert load_result(file).knowledge == result.knowledge
    code, out, _ = call(monkeypatch, capsys, *mine)
    assert code == 0
    assert summary(result).strip() in out


def test_other_questions_make_another_run(monkeypatch, capsys, short_run, whole_run):
    output = f"output_dir={whole_run.parents[3]}"
    code, out, err = call(monkeypatch, capsys, *short_run, output)
    assert code == 0, err
    assert "already finished with this config" in out
    code, _, err = call(monkeypatch, capsys, *short_run, output, "knowledge=own")
    assert code == 2
    assert "holds a run with another config: knowledge.kind=none there, own here" in err


def test_questions_that_can_not_be_found_stop_before_anything_is_written(monkeypatch, capsys, short_run, tmp_path):
    output = f"output_dir={tmp_path / 'out'}"
    code, _, err = call(monkeypatch, capsys, *short_run, output, "knowledge=own", "knowledge.countries=[Mars]")
    assert code == 2
    assert "knowledge.countries: own questions (not CulturalBench) has nothing about Mars" in err
    assert not (tmp_path / "out").exists()
