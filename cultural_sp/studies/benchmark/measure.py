"""Interleaved timing: every round takes each method once, so that a noisy machine is noisy to all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from cultural_sp.lm.compile import decoder_layers
from cultural_sp.lm.load import LanguageModel
from cultural_sp.studies.benchmark.methods import Method
from cultural_sp.utils.progress import progress

Timed = Callable[[int], tuple[int, torch.Tensor | None]]
"""Round to the number of candidates evaluated and, for the first of them, log-probabilities [Q, O]."""


def seconds(device: torch.device, call: Callable[[], Any]) -> tuple[float, Any]:
    """Wall time of a call, the accelerator's queue emptied before and after, and its result."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    result = call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started, result


def linear_layers(lm: LanguageModel) -> list[torch.nn.Linear]:
    """The matrices that every token goes through; the output matrix isn't one of them."""
    layers = decoder_layers(lm.model)
    return [m for layer in layers for m in layer.modules() if isinstance(m, torch.nn.Linear)]


def bare_products(lm: LanguageModel, n_tokens: int) -> Callable[[], None]:
    """A call that does exactly the linear layers' products for ``n_tokens`` tokens, and nothing else."""
    layers = linear_layers(lm)
    inputs = {
        width: torch.randn(n_tokens, width, device=lm.embeddings.device).to(lm.embeddings.dtype)
        for width in {layer.in_features for layer in layers}
    }

    @torch.inference_mode()
    def run() -> None:
        for layer in layers:
            torch.nn.functional.linear(inputs[layer.in_features], layer.weight)

    return run


def usual(method: Method, prompts: torch.Tensor) -> Timed:
    """Time a method on the first candidate of a round."""

    @torch.inference_mode()
    def run(index: int) -> tuple[int, torch.Tensor | None]:
        return 1, method(prompts[index, 0])

    return run


def interleaved(
    device: torch.device, methods: dict[str, Timed], rounds: int
) -> tuple[dict[str, list[float]], dict[str, torch.Tensor]]:
    """Seconds per candidate [rounds] of each method, and what each found for the last round's first candidate [Q, O].

    A first round, not counted, lets caches fill and compilers finish.
    """
    times: dict[str, list[float]] = {name: [] for name in methods}
    found: dict[str, torch.Tensor] = {}
    names = list(methods)
    with progress("benchmark", (rounds + 1) * len(names)) as bar:
        for index in range(rounds + 1):
            for name in names[index % len(names) :] + names[: index % len(names)]:
                bar.set_postfix_str(name, refresh=False)
                taken, (count, values) = seconds(device, partial(methods[name], index))
                if index:
                    times[name].append(taken / count)
                if values is not None:
                    found[name] = values
                bar.update()
    return times, found
