"""The benchmark: the same candidates through the token tree and through the usual ways to score a survey."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from cultural_sp.config.studies import BenchmarkConfig
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.geometry import PEAK_FLOPS, llama
from cultural_sp.lm.load import LanguageModel, find_device, load_model, resolve
from cultural_sp.lm.survey_respondent import Respondent
from cultural_sp.runs.provenance import git_commit, versions
from cultural_sp.studies.benchmark.growth import growth
from cultural_sp.studies.benchmark.measure import Timed, bare_products, interleaved, linear_layers, usual
from cultural_sp.studies.benchmark.methods import usual_methods
from cultural_sp.studies.benchmark.report import save_figure, table
from cultural_sp.survey.instrument import load_survey
from cultural_sp.utils.files import write_text

USUAL = ("generate", "per_item", "padded_all_logits", "padded", "peft")


def benchmark(config: BenchmarkConfig) -> Path:
    """Measure, print both tables, and write ``bench.json`` and ``bench.png``; returns their folder.

    Raises:
        ValueError: in one line, for bad input, a model that can't be measured, and if the disk refuses a file.
    """
    survey = load_survey(config.survey.instrument)
    folder = Path(config.output_dir) / config.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"output_dir={config.output_dir}: can't write {folder} ({error.strerror})") from error
    lm = random_model(config) if config.geometry is not None else load_model(config.model)
    device = lm.embeddings.device
    eager = Respondent(
        lm, survey, config.survey, batching=Batching(lm, config.model.batch_size, config.model.memory_gib)
    )
    rng = np.random.default_rng(config.seed)
    shape = (config.n_tokens, lm.hidden_size)
    spread = float(lm.embeddings.float().std())
    size = eager.batch_size(spread * rng.standard_normal((4, *shape)).astype(np.float32))
    prompts = torch.from_numpy(spread * rng.standard_normal((config.rounds + 1, size, *shape)).astype(np.float32))

    methods = {
        name: usual(method, prompts.to(device, lm.embeddings.dtype))
        for name, method in usual_methods(eager, config.n_tokens, config.max_new_tokens).items()
    }
    methods["tree"] = _tree(eager, prompts)
    if config.model.compile:
        compiled = Respondent(lm, survey, config.survey, batching=Batching(lm, size), compiled=True)
        try:
            compiled.answer(prompts[0].numpy())
            methods |= {"tree_eager": methods["tree"], "tree": _tree(compiled, prompts)}
        except ValueError as error:
            print(f"{error}; the token tree is measured without compilation", flush=True)
    n_tree = sum(tree.n_nodes + len(tree.before) + config.n_tokens for tree in eager.trees)
    products = bare_products(lm, size * n_tree)

    def bound(_: int) -> tuple[int, None]:
        products()
        return size, None

    times, found = interleaved(device, methods | {"bound": bound}, config.rounds)
    n_sum = sum(len(q.before) + config.n_tokens + len(q.after) for part in eager.tokenized for q in part)
    result: dict[str, Any] = {
        "candidates_per_second": {name: 1 / median(series) for name, series in times.items()},
        "speedup_over": {
            name: _ratio(times[name], times["tree"])[1] for name in (*USUAL, "tree_eager") if name in times
        },
        "spread": {name: _ratio(times[name], times["tree"]) for name in times if name != "tree"},
        "fraction_of_bound": _ratio(times["bound"], times["tree"])[1],
        "tokens": {"sum": n_sum, "tree": n_tree},
        "max_abs_diff": max(float((found[name] - found["tree"]).abs().max()) for name in USUAL if name in found),
        "batch_size": size,
        "compiled": "tree_eager" in times,
        "seconds_per_1000_evaluations": 1000 * median(times["tree"]),
        "machine": _machine(device),
        "model": lm.name if config.geometry is None else f"random weights, {lm.model.num_parameters():,} parameters",
        "dtype": config.model.dtype,
        "rounds": config.rounds,
        "packages": versions(),
        "git_commit": git_commit(),
    }
    if device.type == "cuda":
        n_rows = sum(len(tree.sources) for tree in eager.trees)
        flops = 2 * (n_tree * sum(m.weight.numel() for m in linear_layers(lm)) + n_rows * lm.embeddings.numel())
        rate = flops / median(times["tree"])
        peak = next((p for name, p in PEAK_FLOPS.items() if name in torch.cuda.get_device_name(device)), None)
        result["model_flops_per_second"] = rate
        result["model_flop_utilisation"] = rate / peak if peak else None
        result["peak_memory_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
    if config.growth:
        result["growth"] = growth(lm, survey, config.survey)
    print(table(result))
    save_figure(result, folder / "bench.png")
    write_text(folder / "bench.json", json.dumps(result, indent=1) + "\n")
    return folder


def _tree(respondent: Respondent, prompts: torch.Tensor) -> Timed:
    def run(index: int) -> tuple[int, torch.Tensor]:
        answers = respondent.answer(prompts[index].numpy())
        return prompts.shape[1], torch.from_numpy(np.concatenate([x[0] for x in answers.log_probs.values()]))

    return run


def _ratio(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    """Lowest, median and highest ratio within a round."""
    ratios = sorted(a / b for a, b in zip(slow, fast, strict=True))
    return [ratios[0], median(ratios), ratios[-1]]


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def random_model(config: BenchmarkConfig) -> LanguageModel:
    """A Llama of the configured geometry with random weights, and the configured model's tokenizer."""
    shape = config.geometry
    assert shape is not None
    path = resolve(config.model.name_or_path)
    tokenizer = AutoTokenizer.from_pretrained(path)
    torch.manual_seed(config.seed)
    with find_device(config.model.device):
        model = AutoModelForCausalLM.from_config(
            llama(shape, max(shape.vocab_size, len(tokenizer))),
            dtype=getattr(torch, config.model.dtype),
            attn_implementation=config.model.attn_implementation,
        )
    model.requires_grad_(False)
    model.generation_config.eos_token_id = None  # random weights end nowhere
    return LanguageModel(model.eval(), tokenizer, dict(config.model.chat_template_args), "random", path)
