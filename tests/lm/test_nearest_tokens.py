import csv
import io

import numpy as np
import pytest

from cultural_sp.lm.nearest_tokens import NEAREST, nearest_tokens, nearest_tokens_csv


def test_the_nearest_rows_by_hand():
    table = np.array([[1, 0], [0, 2], [3, 3], [0, 0], [-1, 0]], dtype=np.float32)
    nearest, similarities = nearest_tokens(np.array([[2, 0], [0, 0]], dtype=np.float32), table, 3)
    assert nearest.tolist() == [[0, 2, 1], [0, 1, 2]]  # of equal ones the first; a prompt of zeros is near nothing
    assert similarities == pytest.approx(np.array([[1, np.sqrt(0.5), 0], [0, 0, 0]]))


def test_a_prompt_of_tokens_is_next_to_them(tiny_lm):
    ids = tiny_lm.tokenizer("enough hours", add_special_tokens=False)["input_ids"]
    prompt = 7 * tiny_lm.embed(np.array(ids))
    rows = list(csv.DictReader(io.StringIO(nearest_tokens_csv(prompt, tiny_lm))))
    assert len(rows) == NEAREST * len(ids)
    first = [row for row in rows if row["rank"] == "1"]
    assert [row["token"] for row in first] == [tiny_lm.tokenizer.decode([i]) for i in ids]
    assert {row["cosine"] for row in first} == {"1.0000"}
    norms = np.linalg.norm(tiny_lm.embed()[: len(tiny_lm.tokenizer)], axis=1)
    lengths = [7 * norms[i] / norms.mean() for i in ids]
    assert [float(row["length"]) for row in first] == pytest.approx(lengths, abs=1e-3)
