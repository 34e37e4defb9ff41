"""A Llama of any shape, and what accelerators can do at most: enough to reckon with a model that isn't there."""

from __future__ import annotations

from transformers import LlamaConfig

from cultural_sp.config.studies import GeometryConfig

PEAK_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Dense bfloat16, from the makers' data sheets."""


def llama(shape: GeometryConfig, vocab_size: int) -> LlamaConfig:
    """The configuration of a Llama of this shape with so many tokens, which has room for 8,192 of them."""
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
