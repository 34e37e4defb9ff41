"""Speed of the token tree at each batch size, and over many evaluations in a row, against the bare matrix products."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cultural_sp.config.studies import GpuCheckConfig
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.forward import PaddedForward, TreeForward
from cultural_sp.lm.geometry import peak_flops
from cultural_sp.lm.survey_respondent import SurveyRespondent
from cultural_sp.lm.token_tree import option_log_probs
from cultural_sp.studies.benchmark.bound import bare_products, flops_per_candidate
from cultural_sp.studies.benchmark.measure import TimedMethod, interleaved, seconds
from cultural_sp.studies.benchmark.workload import Workload, log_probs_of, respondent_in_batches
from cultural_sp.types import Array
from cultural_sp.utils.progress import progress


def batch_sizes(config: GpuCheckConfig, workload: Workload) -> list[dict[str, Any]]:
    """Measure one forward pass of every size: token tree, captured token tree (CUDA graph), bare products, and memory.

    Returns:
        One row per size: candidates, seconds per candidate of each method (the median of the rounds), and the activations' peak
        in GiB beside its estimate.
    """
    return [_one_size(config, workload, size) for size in config.batch_sizes]


def _one_size(config: GpuCheckConfig, workload: Workload, size: int) -> dict[str, Any]:
    device, prompts = workload.device, torch.from_numpy(workload.draw(size))
    [forward] = workload.respondent.forwards(workload.n_virtual)
    assert isinstance(forward, TreeForward), "the geometries' Llama takes the token tree"
    methods: dict[str, Callable[[], Any]] = {"tree": partial(forward, prompts)}
    row: dict[str, Any] = {"candidates": size}
    if device.type == "cuda":
        row |= _memory(workload, forward, prompts)
        methods["graph"] = captured(forward, prompts)
    methods["bound"] = bare_products(workload.lm, size * workload.tokens_tree)
    timed: dict[str, TimedMethod] = {name: partial(_timed, call, size) for name, call in methods.items()}
    times, _ = interleaved(device, timed, config.rounds)
    return row | {name: median(series) for name, series in times.items()}


def _timed(call: Callable[[], Any], size: int, _round: int) -> tuple[int, None]:
    call()
    return size, None


def _memory(workload: Workload, forward: TreeForward, prompts: torch.Tensor) -> dict[str, float]:
    """Return the peak of the activations in GiB, beside the estimate that the batch size is chosen by."""
    device = workload.device
    forward(prompts)
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    forward(prompts)
    torch.cuda.synchronize(device)
    [tree] = workload.respondent.trees
    estimate = Batching(workload.lm).bytes_needed(workload.tokens_tree, len(tree.sources)) * len(prompts)
    return {
        "peak_gib": (torch.cuda.max_memory_allocated(device) - before) / 2**30,
        "estimated_gib": estimate / 2**30,
    }


def captured(forward: TreeForward, prompts: torch.Tensor) -> Callable[[], torch.Tensor]:
    """Return a function that replays a forward pass as one CUDA graph, which spares the launch of each kernel."""
    held = prompts.to(forward.nodes.device)
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with torch.inference_mode(), torch.cuda.stream(stream):
        forward.log_probs(held)  # the first pass chooses kernels, which a capture must not
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph, stream=stream):
        values = forward.log_probs(held)

    def replay() -> torch.Tensor:
        graph.replay()
        return values.double().cpu()

    return replay


def sustained(config: GpuCheckConfig, workload: Workload) -> dict[str, Any]:
    """Measure ``config.evaluations`` evaluations in a row, in batches of ``config.population``, as a search has them.

    Returns:
        Seconds of each method, its share of the card's peak (None for an unknown card), and the share of the bare products'
        speed. They are measured in the same call and as long, because a card lowers its clock under load.
    """
    size = min(config.population, config.evaluations)
    n_batches = -(-config.evaluations // size)
    prompts = workload.draw(size)
    respondents = {"tree": respondent_in_batches(config, workload, size)}
    compilation = None
    if config.model.compile:
        respondents["tree_compiled"] = respondent_in_batches(config, workload, size, compiled=True)
        compilation, _ = seconds(workload.device, partial(respondents["tree_compiled"].answer, prompts))
    calls: dict[str, Callable[[], Any]] = {name: partial(r.answer, prompts) for name, r in respondents.items()}
    calls["bound"] = bare_products(workload.lm, size * workload.tokens_tree)
    taken = {}
    for name, call in calls.items():
        call()
        taken[name], _ = seconds(workload.device, partial(_repeat, name, call, n_batches))
    work = n_batches * size * flops_per_candidate(workload)
    peak = peak_flops(workload.device)
    return {
        "evaluations": n_batches * size,
        "batch_size": size,
        "tokens_tree": workload.tokens_tree,
        "seconds": taken,
        "compilation_seconds": compilation,
        "tflops_per_second": {name: work / s / 1e12 for name, s in taken.items()},
        "model_flop_utilisation": None if peak is None else {name: work / s / peak for name, s in taken.items()},
        "share_of_bound": {name: taken["bound"] / s for name, s in taken.items()},
    }


def _repeat(name: str, call: Callable[[], Any], times: int) -> None:
    with progress(f"{name}, in a row", times) as bar:
        for _ in range(times):
            call()
            bar.update()


def agreement(config: GpuCheckConfig, workload: Workload) -> dict[str, dict[str, float]]:
    """Compare one candidate's log-probabilities in different batches, compiled, and in float32.

    Returns:
        Way -> ``first``: its largest difference, in nats, from the candidate at the first place of a batch; and, if float32
        weights fit into memory beside the others, ``float32``: its largest difference from the token tree in float32.
    """
    size = config.population
    prompts = workload.draw(size)
    respondent = respondent_in_batches(config, workload, size)
    turned = np.concatenate([prompts[1:], prompts[:1]])
    ways = {
        "first in a batch": log_probs_of(respondent, prompts),
        "the same again": log_probs_of(respondent, prompts),
        "last in a batch": log_probs_of(respondent, turned, size - 1),
        "alone": log_probs_of(respondent, prompts[:1]),
    }
    if config.model.compile:
        ways["compiled"] = log_probs_of(respondent_in_batches(config, workload, size, compiled=True), prompts)
    [tree] = workload.respondent.trees
    padded = PaddedForward(workload.lm, tree)(torch.from_numpy(prompts[:1]))
    ways["separate passes"] = option_log_probs(tree, padded)[0].numpy()
    first = ways["first in a batch"]
    rows = {name: {"first": float(np.abs(x - first).max())} for name, x in ways.items()}
    if (exact := _in_float32(config, workload, prompts[:1])) is not None:
        for name, x in ways.items():
            rows[name]["float32"] = float(np.abs(x - exact).max())
    return rows


def _in_float32(config: GpuCheckConfig, workload: Workload, prompts: NDArray[np.float32]) -> Array | None:
    """Return a candidate's log-probabilities from the same weights in float32; None if memory is too small for a copy."""
    model, device = workload.lm.model, workload.device
    if device.type == "cuda" and torch.cuda.mem_get_info(device)[0] < 6 * model.num_parameters():
        return None
    exact = replace(workload.lm, model=deepcopy(model).float())
    return log_probs_of(SurveyRespondent(exact, workload.survey, config.survey, batching=Batching(exact, 1)), prompts)
