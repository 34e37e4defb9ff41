"""Decoder layers with ``torch.compile``, one layer at a time: shapes are static, and a layer compiles in about a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch._inductor.exc import InductorError
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from cultural_sp.utils.errors import reason_of


def decoder_layers(model: PreTrainedModel) -> list[torch.nn.Module]:
    """The repeated blocks of a transformers model."""
    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


@contextmanager
def compiled_layers(model: PreTrainedModel) -> Iterator[None]:
    """Compile the model's layers during the block; afterwards they are as before.

    Raises:
        ValueError: if the compiler fails or is missing.
    """
    layers = decoder_layers(model)
    # Hooks, if the model is spread over several devices.
    replaced = [layer.__dict__.get("forward") for layer in layers]
    for layer in layers:
        layer.forward = torch.compile(layer.forward, dynamic=False)
    # Layers share their code but not their index and settings, so each may need an entry of its own.
    limits = {"recompile_limit": 8 * len(layers) + 64, "accumulated_recompile_limit": 64 * len(layers) + 256}
    try:
        with torch._dynamo.config.patch(limits):
            yield
    except InductorError as error:
        reason = reason_of(error)
        raise ValueError(f"model.compile=true does not work here; use model.compile=false ({reason})") from error
    finally:
        for layer, before in zip(layers, replaced, strict=True):
            del layer.forward
            if before is not None:
                layer.forward = before
