import copy
import dataclasses

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, GemmaConfig, GemmaForCausalLM

from cultural_sp.config.groups import SoftPromptConfig
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.soft_prompt import embedded_text, embedding_rms, initial_prompt, load_soft_prompt, save_soft_prompt

PROMPT = np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32)


def config(**changes):
    return SoftPromptConfig(**{"n_tokens": 3, **changes})


def test_a_text_is_stretched_or_squeezed_without_losing_a_token(tiny_lm):
    ids = tiny_lm.tokenizer("How much cheese?", add_special_tokens=False)["input_ids"]
    rows, n = tiny_lm.embed(np.array(ids)), len(ids)
    np.testing.assert_allclose(embedded_text("How much cheese?", n, tiny_lm), rows, rtol=1e-5)
    np.testing.assert_allclose(embedded_text("How much cheese?", 2 * n, tiny_lm), np.repeat(rows, 2, axis=0), rtol=1e-5)
    np.testing.assert_allclose(embedded_text("How much cheese?", 1, tiny_lm)[0], rows.mean(axis=0), atol=1e-6)
    # three tokens to two: each gets one whole token and half of the middle one, over a token and a half
    three = tiny_lm.embed(np.array(tiny_lm.tokenizer("7%Z", add_special_tokens=False)["input_ids"]))
    assert len(three) == 3
    expected = np.stack([three[0] * 2 + three[1], three[1] + three[2] * 2]) / 3
    np.testing.assert_allclose(embedded_text("7%Z", 2, tiny_lm), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="the text '' has no token"):
        embedded_text("", 2, tiny_lm)


@pytest.mark.parametrize("init", ["sampled_vocab", "random"])
def test_initial_prompts_are_seeded(tiny_lm, init):
    prompts = [initial_prompt(config(init=init), tiny_lm, seed) for seed in (1, 1, 2)]
    assert prompts[0].shape == (3, 32)
    assert prompts[0].dtype == np.float32
    np.testing.assert_array_equal(prompts[0], prompts[1])
    assert not np.array_equal(prompts[0], prompts[2])


def test_sampled_tokens_are_distinct_and_ordinary(tiny_lm):
    table = tiny_lm.embeddings.numpy()
    prompt = initial_prompt(config(n_tokens=400), tiny_lm, 0)
    ids = [int(np.flatnonzero((table == row).all(axis=1))[0]) for row in prompt]
    assert len(set(ids)) == 400
    assert not set(ids) & set(tiny_lm.tokenizer.all_special_ids)


def test_text_is_repeated_or_cut(tiny_lm):
    ids = tiny_lm.tokenizer("How much?", add_special_tokens=False)["input_ids"]
    table = tiny_lm.embeddings.numpy()
    for n_tokens in (2, len(ids), 2 * len(ids) + 1):
        prompt = initial_prompt(config(init="text", init_text="How much?", n_tokens=n_tokens), tiny_lm, 0)
        np.testing.assert_array_equal(prompt, table[[ids[i % len(ids)] for i in range(n_tokens)]])
    with pytest.raises(ValueError, match="init_text is empty"):
        initial_prompt(config(init="text"), tiny_lm, 0)


def test_random_prompts_have_the_embeddings_spread(tiny_lm):
    prompt = initial_prompt(config(init="random", n_tokens=1000), tiny_lm, 0)
    assert prompt.std() == pytest.approx(tiny_lm.embeddings.std().item(), rel=0.05)
    assert embedding_rms(tiny_lm) == pytest.approx(tiny_lm.embeddings.std().item(), rel=0.05)


def test_embeddings_off_centre_shift_random_prompts_but_not_the_unit_of_a_step(tiny_lm):
    model = copy.deepcopy(tiny_lm.model)
    model.get_input_embeddings().weight.data += 5
    shifted = dataclasses.replace(tiny_lm, model=model)
    start = config(init="random", n_tokens=1000)
    np.testing.assert_allclose(initial_prompt(start, shifted, 0), initial_prompt(start, tiny_lm, 0) + 5, atol=1e-3)
    assert embedding_rms(shifted) == pytest.approx(embedding_rms(tiny_lm), rel=1e-3)


def test_a_saved_prompt_reads_back_to_the_bit(tiny_lm, tmp_path):
    save_soft_prompt(tmp_path, PROMPT, tiny_lm, "user")
    np.testing.assert_array_equal(load_soft_prompt(str(tmp_path), (3, 32), "user"), PROMPT)
    loaded = initial_prompt(config(init="file", path=str(tmp_path), placement="user"), tiny_lm, 0)
    np.testing.assert_array_equal(loaded, PROMPT)


def test_peft_loads_it_with_the_same_logits(tiny_lm, tiny_folder, tmp_path):
    save_soft_prompt(tmp_path, PROMPT, tiny_lm, "prefix")
    ids = torch.tensor([tiny_lm.tokenizer("How much bread?")["input_ids"]])
    with torch.inference_mode():
        inputs = torch.cat([torch.from_numpy(PROMPT), tiny_lm.embeddings[ids[0]]])[None]
        ours = tiny_lm.model(inputs_embeds=inputs).logits[:, len(PROMPT) :]
        tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_folder), str(tmp_path))
        theirs = tuned(input_ids=ids).logits[:, -ids.shape[1] :]
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("placement", ["system", "user"])
def test_what_peft_cannot_express_gets_no_adapter_config(tiny_lm, tmp_path, placement):
    save_soft_prompt(tmp_path, PROMPT, tiny_lm, placement)
    assert [p.name for p in tmp_path.iterdir()] == ["adapter_model.safetensors"]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"prompt_embeddings": torch.zeros(4, 32)}, "holds shape (4, 32)"),
        ({"prompt_embeddings": torch.zeros(96)}, "holds shape (96,)"),
        ({"lora_A": torch.zeros(3, 32)}, "instead of 'prompt_embeddings'"),
        ({"prompt_embeddings": torch.full((3, 32), float("nan"))}, "not finite"),
    ],
)
def test_unfit_prompts_are_refused_in_one_line(tmp_path, tensors, message):
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="^[^\n]+$") as error:
        load_soft_prompt(str(tmp_path), (3, 32), "prefix")
    assert message in str(error.value)
    assert f"soft_prompt.path={tmp_path}" in str(error.value)


def test_another_placement_is_refused(tiny_lm, tmp_path):
    save_soft_prompt(tmp_path, PROMPT, tiny_lm, "system")
    with pytest.raises(ValueError, match="tuned for soft_prompt.placement=system, not prefix"):
        load_soft_prompt(str(tmp_path), (3, 32), "prefix")


@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "text"])
def test_damaged_files_are_refused_in_one_line(tiny_lm, tmp_path, damage):
    file = tmp_path / "adapter_model.safetensors"
    save_soft_prompt(tmp_path, PROMPT, tiny_lm, "prefix")
    content = {"truncated": file.read_bytes()[:-10], "empty": b"", "text": b"no tensors here"}
    file.unlink() if damage == "missing" else file.write_bytes(content[damage])
    with pytest.raises(ValueError, match=r"^soft_prompt.path=\S+: can't read adapter_model.safetensors [^\n]+$"):
        load_soft_prompt(str(tmp_path), (3, 32), "prefix")
    with pytest.raises(ValueError, match="needs soft_prompt.path=FOLDER"):
        initial_prompt(config(init="file"), tiny_lm, 0)


def test_special_tokens_are_never_sampled_even_if_they_have_no_role(tiny_lm, monkeypatch):
    """Only tokens the vocabulary marks as special are excluded by name; roles such as bos are not needed for it."""
    monkeypatch.setattr(type(tiny_lm.tokenizer), "all_special_ids", property(lambda self: []))
    with pytest.raises(ValueError, match="has only 796 ordinary tokens"):
        initial_prompt(config(n_tokens=797), tiny_lm, 0)
    table = tiny_lm.embeddings.numpy()
    prompt = initial_prompt(config(n_tokens=796), tiny_lm, 0)
    assert not any((row == table[:4]).all(axis=1).any() for row in prompt)


def test_prompts_start_from_embeddings_as_the_first_layer_sees_them():
    """Gemma models multiply their embeddings by the root of the hidden size."""
    config_ = GemmaConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    model = GemmaForCausalLM(config_)
    lm = LanguageModel(model, None, {}, "gemma", "gemma")
    ids = np.array([3, 7])
    np.testing.assert_allclose(lm.embed(ids), 4 * model.get_input_embeddings().weight[ids].detach().numpy(), rtol=1e-5)
    scaled = 4 * model.get_input_embeddings().weight.detach().numpy()
    assert embedding_rms(lm) == pytest.approx(scaled.std(axis=0).mean(), rel=0.05)


def test_an_older_adapter_config_does_not_survive_another_placement(tiny_lm, tmp_path):
    save_soft_prompt(tmp_path, PROMPT, tiny_lm, "prefix")
    save_soft_prompt(tmp_path, PROMPT, tiny_lm, "user")
    assert not (tmp_path / "adapter_config.json").exists()
