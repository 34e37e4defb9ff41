"""Whole runs of models whose configs lack the usual entries, such as attention heads."""

import csv
import json

import pytest
from helpers.runs import call, folder_of
from helpers.tiny import byte_tokenizer, random_model
from peft import PeftConfig

from cultural_sp.lm.soft_prompt import read_soft_prompt


@pytest.mark.parametrize("kind", ["mamba", "mamba2", "falcon_mamba", "rwkv", "xlstm"])
def test_a_model_without_attention_gets_all_files_of_a_run(monkeypatch, capsys, tmp_path, short_run, no_figures, kind):
    random_model(kind).save_pretrained(tmp_path / "tiny")
    byte_tokenizer().save_pretrained(tmp_path / "tiny")
    overrides = [
        *short_run,
        f"model.name_or_path={tmp_path}/tiny",
        "model.attn_implementation=eager",
        "open_ended_questions=true",
    ]
    code, _, err = call(monkeypatch, capsys, *overrides, f"output_dir={tmp_path}/out")
    assert code == 0, err
    folder = folder_of(tmp_path / "out")
    assert json.loads((folder / "result.json").read_text())["model"] == f"{tmp_path}/tiny"
    assert read_soft_prompt(str(folder / "soft_prompt"))[0].shape == (3, 32)
    settings = PeftConfig.from_pretrained(str(folder / "soft_prompt"))
    assert (settings.num_layers, settings.token_dim) == (2, 32)
    assert (folder / "soft_prompt" / "README.md").read_text().startswith("---")
    with (folder / "nearest_tokens.csv").open(encoding="utf-8", newline="") as handle:
        assert len(list(csv.reader(handle))) == 1 + 3 * 5
