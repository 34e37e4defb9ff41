"""A byte tokenizer, random models and a toy survey: all that a test needs of a model and an instrument, made here."""

import json

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from cultural_sp.survey.instrument import DATA

SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

TOY = """
name: toy
title: Toy survey
targets: hofstede.csv
default_vintage: insights_2021
scales:
  five: {lead: "I say", labels: [first, second, third, fourth, fifth]}
  three: {lead: "I think", labels: [much, some, none]}
items:
  - {id: a, construct: a, scale: five, wordings: ["Do you like apples?", "Are apples good?"]}
  - {id: b, construct: b, scale: five, wordings: ["Do you like bread?", "Is bread good?"]}
  - {id: c, construct: c, scale: three, wordings: ["How much cheese?", "How many cheeses?"]}
  - {id: d, construct: d, scale: five, wordings: ["Do you like dates?", "Are dates good?"]}
dimensions:
  PDI: {a: 10, b: -10}
  IDV: {c: 20, d: -5}
poles:
  PDI: {high: You like apples., low: You like bread.}
  IDV: {high: You eat no cheese., low: You eat cheese.}
"""


def byte_tokenizer():
    """Byte-level, with a few hundred merges learnt from the survey so that prompts stay short."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=800,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train([str(DATA / "vsm13.yaml")], trainer)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    fast.chat_template = TEMPLATE
    return fast


VOCABULARY = 800  # as many tokens as the tokenizer has
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
NEEDS = {  # model type -> sizes under names of its own
    "gemma2": {"query_pre_attn_scalar": 8},
    "mamba": {"state_size": 4},
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "chunk_size": 8},
    "falcon_mamba": {"state_size": 4},
    "rwkv": {"attention_hidden_size": 32},
    "xlstm": {"num_heads": 4, "qk_dim_factor": 2.0, "v_dim_factor": 2.0},  # widths are rounded up to 64
    "falcon_h1": {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8},
}


def random_model(kind, dtype=torch.float32, implementation=None, **settings):
    """A frozen random model of a type that transformers knows, of width 32."""
    usual = AutoConfig.for_model(kind)
    sizes = {
        name: value for name, value in SIZES.items() if hasattr(usual, name)
    }  # any other would become an entry too
    config = AutoConfig.for_model(kind, **(sizes | NEEDS.get(kind, {}) | settings))
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, attn_implementation=implementation)
        for weight in model.parameters():
            weight.data.add_(0.2 * torch.randn_like(weight))
    return model.eval().requires_grad_(False).to(dtype)


def write_gguf(path, seed=0):
    """A random Llama of width 32 with the byte tokenizer, as a GGUF file."""
    import gguf
    import numpy as np

    tokenizer = byte_tokenizer()
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer = gguf.GGUFWriter(path, "llama")
    for name, value in {
        "context_length": 512,
        "embedding_length": 32,
        "block_count": 2,
        "feed_forward_length": 64,
        "head_count": 4,
        "head_count_kv": 2,
        "layer_norm_rms_eps": 1e-5,
        "vocab_size": len(vocabulary),
    }.items():
        getattr(writer, f"add_{name}")(value)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(vocabulary)
    writer.add_token_types([3 if token in SPECIAL else 1 for token in vocabulary])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(1)
    writer.add_chat_template(TEMPLATE)
    rng = np.random.default_rng(seed)
    blocks = {
        "attn_q": (32, 32), "attn_k": (16, 32), "attn_v": (16, 32), "attn_output": (32, 32), "ffn_gate": (64, 32),
        "ffn_up": (64, 32), "ffn_down": (32, 64), "attn_norm": (32,), "ffn_norm": (32,),
    }  # fmt: skip
    shapes = {"token_embd": (len(vocabulary), 32), "output": (len(vocabulary), 32), "output_norm": (32,)}
    shapes |= {f"blk.{i}.{name}": shape for i in range(2) for name, shape in blocks.items()}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", (0.3 * rng.standard_normal(shape)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
