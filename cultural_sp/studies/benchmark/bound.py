"""Lower bound for the time of an evaluation: the matrix products of the linear layers and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import torch

from cultural_sp.lm.compile import decoder_layers
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.studies.benchmark.workload import Workload


def linear_layers(lm: LanguageModel) -> list[torch.nn.Linear]:
    """Return the linear layers that every token passes through. The output matrix isn't one of them."""
    layers = decoder_layers(lm.model)
    return [m for layer in layers for m in layer.modules() if isinstance(m, torch.nn.Linear)]


def bare_products(lm: LanguageModel, n_tokens: int) -> Callable[[], None]:
    """Return a function that multiplies ``n_tokens`` random inputs by the matrix of every linear layer."""
    layers = linear_layers(lm)
    inputs = {
        width: torch.randn(n_tokens, width, device=lm.embeddings.device).to(lm.embeddings.dtype)
        for width in {layer.in_features for layer in layers}
    }

    @torch.inference_mode()
    def multiply() -> None:
        for layer in layers:
            torch.nn.functional.linear(inputs[layer.in_features], layer.weight)

    return multiply


def flops_per_candidate(workload: Workload) -> float:
    """Return the floating-point operations of a candidate's matrix products, those of the output matrix included."""
    n_rows = sum(len(tree.sources) for tree in workload.respondent.trees)  # rows through the output matrix
    n_weights = sum(m.weight.numel() for m in linear_layers(workload.lm))
    return 2.0 * (workload.tokens_tree * n_weights + n_rows * workload.lm.embeddings.numel())
