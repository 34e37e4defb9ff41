import io

import pytest
from helpers.runs import call

from cultural_sp.cli.soft_prompt_jobs import question_last
from cultural_sp.inference.ask import side_by_side, typed_questions


def test_a_question_needs_no_key_on_the_command_line():
    arguments = ["soft_prompt.path=a", "Who's right", "about 2+2=4?", "--multirun", "seed=1"]
    assert question_last(arguments) == [
        "soft_prompt.path=a",
        "--multirun",
        "seed=1",
        r"question='Who\'s right about 2+2=4?'",
    ]
    assert question_last(["seed=1"]) == ["seed=1"]


def test_texts_are_side_by_side_if_the_terminal_is_wide_enough():
    texts = {"naive": "one two three", "aligned": "four\n\nfive"}
    wide = side_by_side(texts, 60).splitlines()
    assert wide[0].split() == ["naive", "aligned"]
    assert wide[2].split() == ["one", "two", "three", "four"]
    assert wide[4].split() == ["five"]
    assert all(len(line) <= 60 for line in wide)
    narrow = side_by_side(texts, 40)
    assert narrow.index("one") < narrow.index("aligned") < narrow.index("four")


def test_the_plain_and_the_aligned_model_answer_typed_questions(monkeypatch, capsys, whole_run):
    monkeypatch.setattr("sys.stdin", io.StringIO("Who decides?\nWhy?\n"))
    path = f"soft_prompt.path={whole_run}/soft_prompt"
    code, out, err = call(monkeypatch, capsys, path, "max_new_tokens=3", entry="ask")
    assert code == 0, err
    assert out.count("naive") == 2
    assert out.count("United States (seed 0)") == 2
    code, out, err = call(monkeypatch, capsys, path, "max_new_tokens=0", "Who?", entry="ask")
    assert code == 2
    assert "max_new_tokens=0 is out of range" in err


def test_typed_questions_are_clean_text(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("\ufeffWho decides?\n\ufeffWhy?\n\ufeff\n"))
    assert list(typed_questions()) == ["Who decides?", "Why?"]
    for piped in ("Who decides?\n".encode("utf-16"), "é?\n".encode("latin-1")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(piped), encoding="utf-8"))
        with pytest.raises(ValueError, match="^standard input is not UTF-8 text .* save the questions as UTF-8$"):
            list(typed_questions())


def test_a_prompt_of_another_model_is_one_line(monkeypatch, capsys, whole_run, tiny_lm, tmp_path):
    import numpy as np

    from cultural_sp.lm.soft_prompt import save_soft_prompt

    save_soft_prompt(tmp_path, np.zeros((2, 16), dtype=np.float32), tiny_lm, "prefix")
    arguments = (f"soft_prompt.path={whole_run}/soft_prompt", f"beside=[{tmp_path}]", "Who?")
    code, _, err = call(monkeypatch, capsys, *arguments, entry="ask")
    assert code == 2
    assert "holds shape (2, 16)" in err
