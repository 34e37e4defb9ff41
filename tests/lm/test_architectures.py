"""Tiny random models of many architectures: whichever way they take the survey, the answers are those of plain passes."""

import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.tiny import byte_tokenizer, random_model
from transformers import AutoConfig

from cultural_sp.lm.chat_prompt import TokenizedPrompt
from cultural_sp.lm.forward import PaddedForward, TreeForward
from cultural_sp.lm.forward_selection import make_forward
from cultural_sp.lm.generation import generate_text
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.model_check import check_model
from cultural_sp.lm.token_tree import build_tree
from cultural_sp.lm.tree_attention import NAME, using_tree_attention

SMALL_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4}
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
MLA = {
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 6,
    "head_dim": 4,
}
TREE, PADDED, ONLY_WITHOUT_FRONT = (True, True), (False, False), (True, False)
KINDS = {
    "llama": ({}, TREE),
    "mistral": ({"sliding_window": 100}, TREE),
    "mistral, short window": ({"sliding_window": 6}, PADDED),
    "qwen2": ({}, TREE),
    "qwen3": ({}, TREE),
    "gemma": ({}, TREE),
    "gemma2": ({"attn_logit_softcapping": 2.0, "query_pre_attn_scalar": 8}, TREE),
    "gemma3_text": ({}, TREE),
    "gemma3_text, short window": ({"sliding_window": 6}, PADDED),
    "phi3": ({}, TREE),
    "gpt2": (SMALL_GPT, TREE),
    "olmo2": ({}, TREE),
    "granite": ({"attention_multiplier": 0.5}, TREE),
    "cohere": ({}, TREE),
    "mixtral": (EXPERTS, TREE),
    "qwen3_moe": ({"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}, TREE),
    "deepseek_v3": (MLA | {"num_key_value_heads": 4, "first_k_dense_replace": 2}, ONLY_WITHOUT_FRONT),  # caches latents
    "afmoe": ({"num_dense_layers": 2}, TREE),  # takes a view of what its attention gives
    "diffllama": ({}, ONLY_WITHOUT_FRONT),  # caches other keys than it attends to
    "gpt_oss": (EXPERTS, PADDED),  # attention sinks
    "doge": ({}, PADDED),  # a learned mask
    "lfm2": ({"layer_types": ["conv", "full_attention"]}, PADDED),
    "mamba": ({"state_size": 4}, PADDED),
    "falcon_h1": ({"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8}, PADDED),
    "recurrent_gemma": ({"num_hidden_layers": 3, "lru_width": 32}, PADDED),
    "bloom": ({"n_layer": 2, "n_head": 4}, PADDED),
    "mpt": ({"d_model": 32, "n_layers": 2, "n_heads": 4}, PADDED),
    "xlstm": (
        {"num_heads": 4, "qk_dim_factor": 0.5, "v_dim_factor": 1.0},
        PADDED,
    ),  # takes logits_to_keep without heeding it
}
MORE_KINDS = (
    *(
        "apertus",
        "arcee",
        "biogpt",
        "bitnet",
        "cohere2",
        "ctrl",
        "cwm",
        "ernie4_5",
        "exaone4",
        "falcon_mamba",
        "flex_olmo",
    ),
    *(
        "glm",
        "glm4",
        "gpt_bigcode",
        "gpt_neox",
        "granitemoe",
        "granitemoeshared",
        "helium",
        "hunyuan_v1_dense",
        "jetmoe",
    ),
    *("ministral3", "modernbert-decoder", "nanochat", "nemotron", "nemotron_h", "olmo", "olmo3", "olmoe", "opt"),
    *(
        "persimmon",
        "phi",
        "phimoe",
        "qwen2_moe",
        "rwkv",
        "seed_oss",
        "smollm3",
        "stablelm",
        "starcoder2",
        "vaultgemma",
        "xglm",
    ),
)
FRONT = (21, 22, 23)
STEMS = [(31, 32, 33, 34, 35), (31, 32, 36, 34, 35), (31, 37)]
QUESTIONS = [TokenizedPrompt((), stem, ((41,), (42, 43), (42, 44, 45))) for stem in STEMS]


def tiny(kind, dtype=torch.float32, implementation=None):
    """A random model whose norms, biases and sinks matter too."""
    name = kind.split(",")[0]
    model = random_model(name, dtype, implementation, **KINDS.get(kind, ({},))[0])
    return LanguageModel(model, None, {}, name, name)


def asked(front):
    return [TokenizedPrompt(front, q.after, q.options) for q in QUESTIONS]


@torch.inference_mode()
def plain(lm, question, option, prompt):
    """Log-probability of one option by a pass over its own sequence, nothing padded, kept or shared."""
    embed = lm.model.get_input_embeddings()
    front = embed(torch.tensor(question.before, dtype=torch.long))
    inputs = torch.cat([front, prompt, embed(torch.tensor([*question.after, *option]))])[None]
    log_probs = lm.model(inputs_embeds=inputs, use_cache=False).logits[0].float().log_softmax(-1)
    return sum(float(log_probs[-1 - k, option[-k]]) for k in range(1, len(option) + 1))


def largest_difference(lm, front, n_virtual):
    """Whether the tree was taken, and how far the second of two candidates is from plain passes."""
    questions = asked(front)
    tree = build_tree(questions)
    prompts = torch.randn(2, n_virtual, lm.hidden_size, generator=torch.Generator().manual_seed(1)) / 2
    prompts = prompts.to(lm.embeddings.dtype)
    forward = make_forward(lm, tree, n_virtual)
    values = forward(prompts)[1]
    found = [float(values[list(path)].sum()) for paths in tree.options for path in paths]
    expected = [plain(lm, question, option, prompts[1]) for question in questions for option in question.options]
    return isinstance(forward, TreeForward), max(abs(a - b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_architecture_answers_as_in_plain_passes(kind, caplog):
    lm, ways = tiny(kind), KINDS[kind][1]
    for front, n_virtual in [((), 0), ((), 3), (FRONT, 0), (FRONT, 3)]:
        by_tree, difference = largest_difference(lm, front, n_virtual)
        assert difference < 1e-4
        assert by_tree == ways[bool(front and n_virtual)]
    warnings = [r for r in caplog.records if r.name == "cultural_sp.lm.forward_selection"]
    assert len(warnings) == (ways != TREE)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"])
def test_rounding_is_no_false_alarm(kind, implementation, dtype):
    if (kind, implementation) == ("gemma2", "sdpa"):
        pytest.skip("transformers refuses sdpa for soft-capped scores")
    lm = tiny(kind, dtype, implementation)
    for front in ((), FRONT):
        by_tree, difference = largest_difference(lm, front, 3)
        assert by_tree
        assert difference < 0.15


@pytest.mark.parametrize("kind", ["gpt_oss", "doge", "lfm2", "xlstm"])
def test_rounding_hides_no_obstacle(kind):
    lm = tiny(kind, torch.bfloat16)
    for front in ((), FRONT):
        by_tree, difference = largest_difference(lm, front, 3)
        assert not by_tree
        assert difference < 0.15


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt2", "gpt_oss", "lfm2"])
def test_a_model_writes_the_same_before_and_after_a_tree(kind):
    lm = tiny(kind)
    ids = torch.tensor([[*FRONT, *STEMS[0]]])

    def written():
        return lm.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=5, do_sample=False).tolist()

    before = written()
    largest_difference(lm, FRONT, 3)
    assert written() == before

    def stop(*_):
        raise RuntimeError("stopped in the middle")

    with lm.model.get_output_embeddings().register_forward_pre_hook(stop):
        forward = (
            TreeForward(lm, build_tree(QUESTIONS), 3) if kind != "lfm2" else PaddedForward(lm, build_tree(QUESTIONS))
        )
        with pytest.raises((RuntimeError, ValueError)):
            forward(torch.zeros(1, 3, lm.hidden_size))
    assert written() == before


def test_the_parts_of_a_model_get_their_own_attention_back():
    config = AutoConfig.for_model("gemma3")
    config._attn_implementation = {"": "sdpa", "text_config": "eager", "vision_config": "sdpa"}
    model = types.SimpleNamespace(config=config)
    with using_tree_attention(model):
        assert config.text_config._attn_implementation == NAME
    ours = (config, config.text_config, config.vision_config)
    assert [part._attn_implementation for part in ours] == ["sdpa", "eager", "sdpa"]


def checked(kind):
    """A random model of a kind with a tokenizer, and what the acceptance check says of it."""
    lm = replace(tiny(kind), tokenizer=byte_tokenizer())
    return replace(lm, checks=check_model(lm, "2024-07-26"))


def writes_alike(lm):
    """Whether a model writes the same behind embeddings of tokens as behind these tokens."""
    question = TokenizedPrompt((), (31, 32, 33, 34), ())
    ids = torch.tensor([[21, 22, *question.after]])
    written = lm.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=4, do_sample=False)
    text = generate_text(lm, [question], lm.embed(np.array([21, 22])), 4)
    return text == lm.tokenizer.batch_decode(written[:, ids.shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize("kind", ["llama", "gemma2", "falcon_h1", "mamba", "gpt_oss"])
def test_a_checked_model_writes_behind_embeddings_as_behind_tokens(kind):
    assert writes_alike(checked(kind))


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", [kind for kind in [*KINDS, *MORE_KINDS] if kind != "xlstm"])
def test_every_architecture_is_accepted_and_answers_as_in_plain_passes(kind):
    lm = checked(kind)
    assert lm.checks.embeddings_gap < 1e-3
    assert lm.checks.generation_problem is None
    assert writes_alike(lm)
    for front, n_virtual in [((), 3), (FRONT, 3)]:
        assert largest_difference(lm, front, n_virtual)[1] < 1e-4


def test_a_model_that_cant_write_says_so():
    assert checked("xlstm").checks.generation_problem
