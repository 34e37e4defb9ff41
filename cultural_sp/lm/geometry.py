"""Shapes of Llama models and peak speeds of accelerators: enough to plan for a model without its weights."""

from __future__ import annotations

import torch
from transformers import LlamaConfig

from cultural_sp.config.studies import GeometryConfig

PEAK_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Dense bfloat16, from the makers' data sheets."""


def llama(shape: GeometryConfig, vocab_size: int) -> LlamaConfig:
    """Configuration of a Llama of this shape and vocabulary, for sequences of up to 8,192 tokens."""
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=8192,
        tie_word_embeddings=False,
    )


def peak_flops(device: torch.device) -> float | None:
    """Peak of a GPU in FLOP/s; None for a CPU and for a GPU that isn't in the list."""
    if device.type != "cuda":
        return None
    card = torch.cuda.get_device_name(device)
    return next((peak for name, peak in PEAK_FLOPS.items() if name in card), None)
