"""Tasks of lm-evaluation-harness on a loaded model, with and without a soft prompt."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.soft_prompt import save_soft_prompt
from cultural_sp.stats.intervals import Interval
from cultural_sp.types import SoftPrompt
from cultural_sp.utils.errors import reason_of

BOOTSTRAP_SAMPLES = 200
"""Of the standard errors of metrics that have no formula for it."""


def run_tasks(
    lm: LanguageModel, prompt: SoftPrompt | None, tasks: Sequence[str], include: str | None, limit: int | None
) -> dict[str, Interval]:
    """Run tasks of the harness.

    Texts are scored one at a time, because PEFT puts virtual tokens before the padding of a batch.

    Args:
        lm: the frozen model.
        prompt: soft prompt [P, H] with placement ``prefix``; None for the plain model.
        tasks: names of tasks.
        include: folder with more task files; None for none.
        limit: number of questions per task; None for all.

    Returns:
        ``TASK METRIC`` -> value and its normal 95 % interval, from the harness's standard error. The interval is NaN where
        the harness gives no error.

    Raises:
        ValueError: if the harness isn't installed, or doesn't know or can't load a task.
    """
    try:
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise ValueError(f"lm_eval_tasks={list(tasks)} needs pip install 'cultural-sp[lm-eval]' ({error})") from error
    with tempfile.TemporaryDirectory() as folder:
        model: Any = lm.model
        if prompt is not None:
            from peft import PeftModel

            save_soft_prompt(Path(folder), prompt, lm, "prefix")
            model = PeftModel.from_pretrained(lm.model, folder)
        wrapped = HFLM(
            pretrained=model, tokenizer=lm.tokenizer, batch_size=1, chat_template_args=dict(lm.template_args)
        )
        try:
            evaluation: Any = simple_evaluate(
                wrapped,
                tasks=list(tasks),
                task_manager=TaskManager(include_path=include),
                limit=limit,
                bootstrap_iters=BOOTSTRAP_SAMPLES,
                apply_chat_template=lm.tokenizer.chat_template is not None,
            )
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"lm_eval_tasks={list(tasks)} can't be run: {reason_of(error)}") from error
    return {
        f"{task} {metric}": interval
        for task, metrics in evaluation["results"].items()
        for metric, interval in _intervals(metrics).items()
    }


def _intervals(metrics: Mapping[str, Any]) -> dict[str, Interval]:
    """Metric -> value and interval, from the entries ``METRIC,FILTER`` and ``METRIC_stderr,FILTER`` of one task."""
    intervals = {}
    for name, value in metrics.items():
        metric, _, filter_name = name.partition(",")
        error = metrics.get(f"{metric}_stderr,{filter_name}")
        if filter_name and not metric.endswith("_stderr") and isinstance(value, float):
            width = 1.96 * error if isinstance(error, float) else float("nan")
            intervals[metric] = Interval(value, value - width, value + width)
    return intervals
