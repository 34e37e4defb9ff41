"""Task files for lm-evaluation-harness, whose metrics are the same dimension scores as here. Loads no torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cultural_sp.config.schema import AlignConfig
from cultural_sp.inference.export import survey_scores
from cultural_sp.runs.inputs import regions_from_config, survey_from_config
from cultural_sp.runs.result import region_target
from cultural_sp.survey.instrument import Item, Survey
from cultural_sp.survey.regions import Region
from cultural_sp.survey.render import Administration, ChatPrompt, Rendering, orders_of, render
from cultural_sp.utils.files import disk_errors, write_text


def write_tasks(config: AlignConfig, folder: Path) -> list[str]:
    """Write one task per region and wording.

    Returns:
        Names of the tasks, such as ``vsm13_us`` and ``vsm13_us_wording_1``.

    Raises:
        ValueError: if the survey or region is unknown, the tasks don't support the readout, or a file can't be written.
    """
    survey = survey_from_config(config)
    regions = regions_from_config(config, survey)
    if config.readout.kind != "expected":
        raise ValueError(
            f"readout={config.readout.kind} does not go with to=lm_eval, whose tasks score probabilities; use readout=expected"
        )
    module = Path(survey_scores.__file__)
    with disk_errors(folder):
        shutil.copy(module, folder / module.name)
    names = []
    for region in regions:
        first = f"{survey.name}_{region.code}"
        for wording in range(survey.n_wordings):
            name = first if wording == 0 else f"{first}_wording_{wording}"
            lines = [json.dumps(doc) for doc in _documents(config, survey, region, wording)]
            write_text(folder / f"{name}.jsonl", "\n".join(lines) + "\n")
            write_text(folder / f"{name}.yaml", _task(name, first, survey))
            names.append(name)
    return names


def _documents(config: AlignConfig, survey: Survey, region: Region, wording: int) -> Iterator[dict[str, Any]]:
    """Yield one document per option order and item or content-free question; each holds all that scoring needs."""
    rule = survey.scoring
    weights = [{item.id: w for item, w in zip(survey.items, row, strict=True) if w} for row in rule.weights.tolist()]
    scoring = {
        "constants": dict(zip(survey.dimensions, rule.constants.tolist(), strict=True)),
        "dimensions": dict(zip(survey.dimensions, weights, strict=True)),
        "target": region_target(survey, region),
    }
    settings = config.survey
    for order in orders_of(settings.scoring, settings.option_order):
        administration = render(
            survey,
            wording,
            Rendering(scoring=settings.scoring, layout=settings.layout, order=order, calibrate=settings.calibrate),
        )
        for item, question in zip(survey.items, administration.questions, strict=True):
            yield {
                "item": item.id,
                "scale": item.scale.name,
                "codes": item.scale.codes,
                **_choices(question),
                **scoring,
            }
        for scale, question in _content_free(survey.items, administration).items():
            yield {"item": None, "scale": scale, **_choices(question), **scoring}


def _content_free(items: tuple[Item, ...], administration: Administration) -> dict[str, ChatPrompt]:
    """Return scale -> content-free question; empty without calibration."""
    pairs = zip(items, administration.content_free_of, strict=False)
    return {item.scale.name: administration.content_free[i] for item, i in pairs}


def _choices(question: ChatPrompt) -> dict[str, Any]:
    """Return the question and its choices.

    Chat templates differ in how they treat an answer that has begun. So the lead is part of every choice. It is also a choice
    alone, whose likelihood the scoring subtracts.
    """
    lead = [question.lead] if question.lead else []
    choices = lead + [question.lead + option for option in question.options]
    return {"question": question.user, "lead": question.lead, "choices": choices}


class _Function(str):
    """Name of a function in the module beside the task file; written with the harness's YAML tag."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", f"survey_scores.{name}"))


def _task(name: str, first: str, survey: Survey) -> str:
    """Return the YAML of a task; ``first`` is the region's task on the first wording, whose tag all wordings share."""
    metrics = [(dimension, "index") for dimension in survey.dimensions] + [
        ("loss", "loss"),
        ("valid_mass", "valid_mass"),
    ]
    return yaml.dump(
        {
            "task": name,
            "tag": f"{first}_wordings",
            "custom_dataset": _Function("documents"),
            "dataset_kwargs": {"file": f"{name}.jsonl"},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "question",
            "doc_to_choice": "choices",
            "doc_to_target": 0,
            "target_delimiter": "\n\n",  # used only by models without a chat template
            "process_results": _Function("process_results"),
            "metric_list": [
                {"metric": metric, "aggregation": _Function(function), "higher_is_better": metric == "valid_mass"}
                for metric, function in metrics
            ],
            "metadata": {"version": 1.0},
        },
        Dumper=_Dumper,
        sort_keys=False,
    )
