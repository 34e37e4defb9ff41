"""Side effects of a soft prompt: how the model changes on text that is unrelated to the survey."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from tabulate import tabulate

from cultural_sp.config.inference import SideEffectsConfig
from cultural_sp.evaluation.evaluator import SurveyEvaluator
from cultural_sp.evaluation.knowledge.from_config import knowledge_from_config
from cultural_sp.inference.effects import (
    Effect,
    Requests,
    harness_metric,
    knowledge,
    perplexity,
    request_effects,
    valid_mass,
)
from cultural_sp.inference.inherit_config import output_folder_of, required_prompt_path
from cultural_sp.inference.lm_eval_harness import run_tasks
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.lm.soft_prompt import configured_prompt
from cultural_sp.runs.inputs import survey_from_config
from cultural_sp.stats.intervals import Interval
from cultural_sp.types import SoftPrompt
from cultural_sp.utils.files import write_text
from cultural_sp.utils.terminal import show

DATA = Path(__file__).parent / "data" / "side_effects.yaml"
TABLE_FILE = "side_effects.md"
COLUMNS = ["measure", "before", "after", "change", "sample"]


def side_effects(config: SideEffectsConfig, cache: ModelCache | None = None) -> Path:
    """Measure the side effects of a soft prompt, print them as a table and write the table beside the run.

    Returns:
        Path of the Markdown table.

    Raises:
        ValueError: if the input is bad or the file can't be written.
    """
    survey, questions = survey_from_config(config), knowledge_from_config(config)
    path, placement = required_prompt_path(config), config.soft_prompt.placement
    if config.lm_eval_tasks and placement != "prefix":
        raise ValueError(
            f"lm_eval_tasks={config.lm_eval_tasks} can't be run with soft_prompt.placement={placement}: the harness loads soft "
            "prompts with PEFT, which knows only prefix; leave lm_eval_tasks out"
        )
    cache = ModelCache() if cache is None else cache
    lm = cache.model(config.model, load_model)
    prompt = configured_prompt(config.soft_prompt, lm)
    evaluator = SurveyEvaluator(lm, survey, config, cache)
    data = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    requests = Requests(data["prompts"], data["harmful"], config.max_new_tokens)
    effects = [
        perplexity(lm, data["texts"], prompt),
        *request_effects(lm, requests, prompt, placement),
        valid_mass(evaluator, prompt),
        *(knowledge(evaluator, questions, prompt) if questions is not None else ()),
        *_harness_effects(lm, config, prompt),
    ]
    note = f"model: {config.model.note}\n\n" if config.model.note else ""
    show(f"\n{table(effects, 'simple')}\n\n{note}".removesuffix("\n"))
    file = output_folder_of(path) / TABLE_FILE
    write_text(file, f"{note}{table(effects, 'github')}\n")
    return file


def _harness_effects(lm: LanguageModel, config: SideEffectsConfig, prompt: SoftPrompt) -> list[Effect]:
    """Measure the effects on the configured tasks of lm-evaluation-harness."""
    if not config.lm_eval_tasks:
        return []
    before, after = (
        run_tasks(lm, soft, config.lm_eval_tasks, config.lm_eval_include, config.lm_eval_limit)
        for soft in (None, prompt)
    )
    return [harness_metric(name, before[name], after[name], config.lm_eval_limit) for name in before]


def table(effects: Sequence[Effect], table_format: str) -> str:
    """Format effects as a table in one of tabulate's formats."""
    alignment = ("left", "right", "right", "right", "left")
    return tabulate(map(_cells, effects), COLUMNS, tablefmt=table_format, colalign=alignment, disable_numparse=True)


def _cells(effect: Effect) -> list[str]:
    before = "-" if effect.before is None else _interval_text(effect.before, effect.digits)
    after = _interval_text(effect.after, effect.digits)
    change = "-"
    if effect.before is not None:
        change = _interval_text(effect.change, effect.digits, sign=not effect.ratio)
    sample = f"{effect.n} {effect.unit}" if effect.n else effect.unit
    return [effect.measure, before, after, change, sample]


def _interval_text(interval: Interval, digits: int, *, sign: bool = False) -> str:
    """Format an interval as ``estimate [low, high]``, or as the estimate alone if the interval is unknown."""
    estimate, low, high = (f"{x:.{digits}f}" for x in (interval.estimate, interval.low, interval.high))
    if sign and interval.estimate >= 0:
        estimate = f"+{estimate}"
    return estimate if np.isnan(interval.low) else f"{estimate} [{low}, {high}]"
