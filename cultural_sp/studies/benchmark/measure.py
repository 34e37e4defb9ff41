"""Interleaved timing: every round runs each method once, so that noise of the machine affects all methods alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from cultural_sp.utils.progress import progress

TimedMethod = Callable[[int], tuple[int, torch.Tensor | None]]
"""Round -> number of candidates evaluated, and log-probabilities [Q, O] of the first candidate (None if it has none)."""


def seconds(device: torch.device, call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the wall time of a call and its result. On CUDA the device is synchronised before and after."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    result = call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started, result


def interleaved(
    device: torch.device, methods: dict[str, TimedMethod], rounds: int
) -> tuple[dict[str, list[float]], dict[str, torch.Tensor]]:
    """Time methods in turn, in an order that rotates from round to round.

    An extra first round is not counted: in it caches fill and compilers finish.

    Returns:
        Seconds per candidate [rounds] of each method, and the log-probabilities [Q, O] of the last round's first candidate.
    """
    times: dict[str, list[float]] = {name: [] for name in methods}
    log_probs: dict[str, torch.Tensor] = {}
    names = list(methods)
    with progress("benchmark", (rounds + 1) * len(names)) as bar:
        for index in range(rounds + 1):
            for name in names[index % len(names) :] + names[: index % len(names)]:
                bar.set_postfix_str(name, refresh=False)
                duration, (n_candidates, values) = seconds(device, partial(methods[name], index))
                if index:
                    times[name].append(duration / n_candidates)
                if values is not None:
                    log_probs[name] = values
                bar.update()
    return times, log_probs
