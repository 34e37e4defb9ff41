"""The benchmark program: the same candidates through the token tree and through the usual ways to score a survey."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from cultural_sp.config.studies import BenchmarkConfig
from cultural_sp.lm.geometry import peak_flops
from cultural_sp.lm.survey_respondent import SurveyRespondent
from cultural_sp.runs.provenance import git_commit, versions
from cultural_sp.studies.benchmark.bound import bare_products, flops_per_candidate
from cultural_sp.studies.benchmark.growth import growth
from cultural_sp.studies.benchmark.measure import TimedMethod, interleaved
from cultural_sp.studies.benchmark.methods import Method, usual_methods
from cultural_sp.studies.benchmark.report import save_figure, tables
from cultural_sp.studies.benchmark.workload import Workload, log_probs_of, make_workload, respondent_in_batches
from cultural_sp.survey.instrument import load_survey
from cultural_sp.utils.files import write_text
from cultural_sp.utils.terminal import show

USUAL_METHODS = ("generate", "per_item", "padded_all_logits", "padded", "peft")


def benchmark(config: BenchmarkConfig) -> Path:
    """Time all methods, print the tables, and write ``bench.json`` and ``bench.png``.

    Returns:
        Folder of the two files.

    Raises:
        ValueError: if the input is bad, the model can't be measured, or a file can't be written.
    """
    survey = load_survey(config.survey.instrument)
    folder = config.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"output_dir={config.output_dir}: can't write {folder} ({error.strerror})") from error
    workload = make_workload(config, survey)
    result = compare_methods(config, workload) | _setting(config, workload)
    if workload.device.type == "cuda":
        result |= _gpu_use(workload, result["seconds_per_1000_evaluations"] / 1000)
    if config.growth:
        result["growth"] = growth(workload.lm, survey, config.survey)
    show(tables(result))
    save_figure(result, folder / "bench.png")
    write_text(folder / "bench.json", json.dumps(result, indent=1) + "\n")
    return folder


def compare_methods(config: BenchmarkConfig, workload: Workload) -> dict[str, Any]:
    """Time the token tree, the usual methods and the bound in turn, and compare their log-probabilities."""
    times, log_probs = interleaved(workload.device, _timed_methods(config, workload), config.rounds)
    return _comparison(times, log_probs)


def _timed_methods(config: BenchmarkConfig, workload: Workload) -> dict[str, TimedMethod]:
    """Return the usual methods, the token tree and the bound, by their names in ``bench.json``."""
    lm, prompts = workload.lm, workload.prompts
    candidates = prompts[:, 0].to(workload.device, lm.embeddings.dtype)
    usual = usual_methods(workload.respondent, config.n_tokens, config.max_new_tokens)
    methods = {name: _first_candidate(method, candidates) for name, method in usual.items()}
    methods["tree"] = whole_batch(workload.respondent, prompts)
    if config.model.compile:
        compiled = respondent_in_batches(config, workload, workload.batch_size, compiled=True)
        try:
            compiled.answer(prompts[0].numpy())
            methods |= {"tree_eager": methods["tree"], "tree": whole_batch(compiled, prompts)}
        except ValueError as error:
            show(f"{error}; the token tree is measured without compilation")
    products = bare_products(lm, workload.batch_size * workload.tokens_tree)

    def bound(_: int) -> tuple[int, None]:
        products()
        return workload.batch_size, None

    return methods | {"bound": bound}


def _first_candidate(method: Method, candidates: torch.Tensor) -> TimedMethod:
    """Run a method on one of the candidates [rounds + 1, P, H] per round."""

    @torch.inference_mode()
    def run(index: int) -> tuple[int, torch.Tensor | None]:
        return 1, method(candidates[index])

    return run


def whole_batch(respondent: SurveyRespondent, prompts: torch.Tensor) -> TimedMethod:
    """Run the token tree on all candidates of a round; ``prompts`` is [rounds + 1, N, P, H]."""

    def run(index: int) -> tuple[int, torch.Tensor]:
        return prompts.shape[1], torch.from_numpy(log_probs_of(respondent, prompts[index].numpy()))

    return run


def _comparison(times: Mapping[str, Sequence[float]], log_probs: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Compare all methods with the token tree: speed, and largest difference of a log-probability."""
    ratios = {name: _ratios(series, times["tree"]) for name, series in times.items() if name != "tree"}
    differences = [log_probs[name] - log_probs["tree"] for name in USUAL_METHODS if name in log_probs]
    return {
        "candidates_per_second": {name: 1 / median(series) for name, series in times.items()},
        "speedup_over": {name: ratios[name][1] for name in (*USUAL_METHODS, "tree_eager") if name in ratios},
        "spread": ratios,
        "fraction_of_bound": ratios["bound"][1],
        "max_abs_diff": max(float(difference.abs().max()) for difference in differences),
        "compiled": "tree_eager" in times,
        "seconds_per_1000_evaluations": 1000 * median(times["tree"]),
    }


def _ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    """Return the lowest, the median and the highest ratio within a round."""
    ratios = sorted(a / b for a, b in zip(slow, fast, strict=True))
    return [ratios[0], median(ratios), ratios[-1]]


def _setting(config: BenchmarkConfig, workload: Workload) -> dict[str, Any]:
    """Describe the model, the machine and the software."""
    lm = workload.lm
    return {
        "tokens": {"sum": workload.tokens_asked, "tree": workload.tokens_tree},
        "batch_size": workload.batch_size,
        "machine": machine_name(workload.device),
        "model": lm.name if config.geometry is None else f"random weights, {lm.model.num_parameters():,} parameters",
        "dtype": config.model.dtype,
        "rounds": config.rounds,
        "packages": versions(),
        "git_commit": git_commit(),
    }


def machine_name(device: torch.device) -> str:
    """Return the name of a GPU, or the kind of CPU and the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def _gpu_use(workload: Workload, seconds_per_candidate: float) -> dict[str, Any]:
    """Return the GPU's FLOP rate, its share of the peak (None for an unknown GPU) and the peak memory."""
    rate = flops_per_candidate(workload) / seconds_per_candidate
    peak = peak_flops(workload.device)
    return {
        "model_flops_per_second": rate,
        "model_flop_utilisation": rate / peak if peak else None,
        "peak_memory_gib": torch.cuda.max_memory_allocated(workload.device) / 2**30,
    }
