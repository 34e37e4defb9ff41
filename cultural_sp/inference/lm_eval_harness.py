"""Tasks of lm-evaluation-harness, with and without a soft prompt, on the model that is loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.soft_prompt import save_soft_prompt
from cultural_sp.stats.intervals import Interval
from cultural_sp.types import SoftPrompt
from cultural_sp.utils.errors import reason_of


def run_tasks(
    lm: LanguageModel, prompt: SoftPrompt | None, tasks: Sequence[str], include: str | None, limit: int | None
) -> dict[str, Interval]:
    """``task metric`` -> value with the interval of its standard error (normal, 95 %); NaN where the harness gives no error.

    One text at a time: PEFT's virtual tokens would stand in front of the padding of a batch.

    Args:
        lm: the frozen model.
        prompt: soft prompt [P, H] of placement prefix; None for none.
        tasks: names of tasks.
        include: folder with more task files; None for none.
        limit: questions of each; None for all.

    Raises:
        ValueError: in one line, if the harness isn't installed, or doesn't know or can't load a task.
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
        wrapped = HFLM(pretrained=model, tokenizer=lm.tokenizer, batch_size=1)
        try:
            found: Any = simple_evaluate(
                wrapped,
                tasks=list(tasks),
                task_manager=TaskManager(include_path=include),
                limit=limit,
                bootstrap_iters=200,
                apply_chat_template=lm.tokenizer.chat_template is not None,
            )
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"lm_eval_tasks={list(tasks)} can't be run: {reason_of(error, 300)}") from error
    values = {}
    for task, metrics in found["results"].items():
        for name, value in metrics.items():
            metric, _, kind = name.partition(",")
            spread = metrics.get(f"{metric}_stderr,{kind}")
            if kind and not metric.endswith("_stderr") and isinstance(value, float):
                width = 1.96 * spread if isinstance(spread, float) else float("nan")
                values[f"{task} {metric}"] = Interval(value, value - width, value + width)
    return values
