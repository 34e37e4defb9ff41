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


class CompiledLayers:
    """The model's layers, compiled. To make this object is cheap, but not cheap enough for every forward pass."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Wrap the layers; each compiles in its first pass."""
        self.layers = decoder_layers(model)
        self.compiled = [torch.compile(layer.forward, dynamic=False) for layer in self.layers]
        # Layers share their code but not their index and settings, so each may need an entry of its own.
        n = len(self.layers)
        self.limits = {"recompile_limit": 8 * n + 64, "accumulated_recompile_limit": 64 * n + 256}

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the model run the compiled layers during the block; afterwards they are as before.

        Raises:
            ValueError: if the compiler fails or is missing.
        """
        # Hooks, if the model is spread over several devices.
        replaced = [layer.__dict__.get("forward") for layer in self.layers]
        for layer, compiled in zip(self.layers, self.compiled, strict=True):
            layer.forward = compiled
        try:
            with torch._dynamo.config.patch(self.limits):
                yield
        except InductorError as error:
            reason = reason_of(error)
            raise ValueError(f"model.compile=true does not work here; use model.compile=false ({reason})") from error
        finally:
            for layer, before in zip(self.layers, replaced, strict=True):
                del layer.forward
                if before is not None:
                    layer.forward = before
