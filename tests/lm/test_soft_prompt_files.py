import dataclasses
import json
import os
import stat

import numpy as np
import pytest
import torch
from helpers.tiny import random_model
from peft import PeftModel

from cultural_sp.lm.nearest_tokens import nearest_tokens_csv
from cultural_sp.lm.soft_prompt import load_soft_prompt, save_soft_prompt

PROMPT = np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32)


def test_a_missing_folder_is_refused_in_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"^soft_prompt.path=\S+nowhere: can't read [^\n]+ give a soft_prompt folder$"):
        load_soft_prompt(str(tmp_path / "nowhere"), (3, 32), "prefix")


@pytest.mark.parametrize("shape", [(2, 32), (3, 31), (32, 3)])
def test_another_number_or_width_of_tokens_is_refused(tiny_lm, tmp_path, shape):
    save_soft_prompt(tmp_path, PROMPT, tiny_lm, "prefix")
    with pytest.raises(ValueError, match=r"^[^\n]+ holds shape \(3, 32\), but [^\n]+$"):
        load_soft_prompt(str(tmp_path), shape, "prefix")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_is_enough(tiny_lm, tmp_path, value):
    damaged = PROMPT.copy()
    damaged[1, 2] = value
    save_soft_prompt(tmp_path, damaged, tiny_lm, "prefix")
    with pytest.raises(ValueError, match=r"^[^\n]+ not finite[^\n]+$"):
        load_soft_prompt(str(tmp_path), (3, 32), "prefix")


def test_a_view_with_other_strides_is_saved_as_it_reads(tiny_lm, tmp_path):
    prompt = np.asfortranarray(PROMPT.astype(np.float64))
    save_soft_prompt(tmp_path / "new" / "folder", prompt, tiny_lm, "prefix")
    loaded = load_soft_prompt(str(tmp_path / "new" / "folder"), (3, 32), "prefix")
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, PROMPT)


def test_the_files_have_the_mode_that_the_umask_gives(tiny_lm, tmp_path):
    before = os.umask(0o022)
    try:
        save_soft_prompt(tmp_path / "out", PROMPT, tiny_lm, "prefix")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()}
    assert modes == {"adapter_model.safetensors": 0o644, "adapter_config.json": 0o644}


@pytest.mark.parametrize(
    "kind", ["mamba", "mamba2", "falcon_mamba", "rwkv", "xlstm", "recurrent_gemma", "gpt2", "bloom"]
)
def test_a_prompt_of_any_architecture_reads_back_and_gives_the_logits_of_peft(tiny_lm, tmp_path, kind):
    lm = dataclasses.replace(tiny_lm, model=random_model(kind))
    save_soft_prompt(tmp_path, PROMPT, lm, "prefix")
    np.testing.assert_array_equal(load_soft_prompt(str(tmp_path), (3, 32), "prefix"), PROMPT)
    assert nearest_tokens_csv(PROMPT, lm).count("\n") == 1 + 3 * 5
    ids = torch.tensor([[31, 32, 33, 34]])
    with torch.inference_mode():
        vectors = torch.cat([torch.from_numpy(PROMPT)[None], lm.model.get_input_embeddings()(ids)], dim=1)
        ours = lm.model(inputs_embeds=vectors, use_cache=False).logits
        theirs = PeftModel.from_pretrained(lm.model, str(tmp_path))(input_ids=ids, use_cache=False).logits
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_counts_that_are_no_number_are_left_to_peft_as_one(tiny_lm, tmp_path):
    lm = dataclasses.replace(tiny_lm, model=random_model("rwkv"))
    lm.model.config.num_attention_heads = [4, 4]  # one entry per layer, as some configs have it
    save_soft_prompt(tmp_path, PROMPT, lm, "prefix")
    assert json.loads((tmp_path / "adapter_config.json").read_text())["num_attention_heads"] == 1
