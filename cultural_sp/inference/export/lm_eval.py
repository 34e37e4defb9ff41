"""Task files for lm-evaluation-harness, whose metrics are the same dimension scores as here. Loads no torch."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
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

METRICS = ("loss", "valid_mass")
"""Metrics beside the dimensions; functions of the same names aggregate them."""


def write_tasks(config: AlignConfig, folder: Path) -> list[str]:
    """Write one task per region and wording.

    Returns:
        Names of the tasks, such as ``vsm13_us`` and ``vsm13_us_wording_1``.

    Raises:
        ValueError: if the survey or region is unknown, the tasks don't support the readout, names of the survey become equal
            in the harness, the folder has such a task of another survey, or a file can't be written.
    """
    survey = survey_from_config(config)
    regions = regions_from_config(config, survey)
    if config.readout.kind != "expected":
        raise ValueError(
            f"readout={config.readout.kind} does not go with to=lm_eval, whose tasks score probabilities; use readout=expected"
        )
    (survey_name,) = safe_names("the survey's name", [survey.name])
    metrics = safe_names("dimensions", list(survey.dimensions), METRICS)
    firsts = [f"{survey_name}_{region.code}" for region in regions]
    tasks = {first: [first if w == 0 else f"{first}_wording_{w}" for w in range(survey.n_wordings)] for first in firsts}
    names = [name for wordings in tasks.values() for name in wordings]
    for name in names:
        _refuse_other_survey(folder / f"{name}.yaml", survey.name)
    module = Path(survey_scores.__file__)
    with disk_errors(folder):
        shutil.copyfile(module, folder / module.name)
    for region, (first, wordings) in zip(regions, tasks.items(), strict=True):
        for wording, name in enumerate(wordings):
            lines = [json.dumps(doc) for doc in _documents(config, survey, region, wording)]
            write_text(folder / f"{name}.jsonl", "\n".join(lines) + "\n")
            write_text(folder / f"{name}.yaml", _task(name, first, survey.name, metrics))
    return names


def safe_names(what: str, names: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Return names that the harness takes on its command line, as a file and as a metric.

    Whatever isn't a letter, a digit, an underscore, a dot or a hyphen becomes an underscore; a name begins with a letter, a
    digit or an underscore.

    Args:
        what: what is named, for the message.
        names: names as written in the survey file.
        taken: names that mean something else in the harness.

    Raises:
        ValueError: if nothing of a name is left, or two names become equal.
    """
    safe = [re.sub(r"[^\w.-]+", "_", name).lstrip("-.") for name in names]
    for i, name in enumerate(safe):
        same = [
            *(other for other, x in zip(names[:i], safe[:i], strict=True) if x == name),
            *(x for x in taken if x == name),
        ]
        if same or not name.strip("_"):
            problem = (
                f"{names[i]!r} and {same[0]!r} are both {name!r}" if same else f"{names[i]!r} has no letter or digit"
            )
            raise ValueError(
                f"to=lm_eval: {what} can't become names of the harness, whose names have letters, digits, '_', '.' and '-' only: "
                f"{problem}; rename it in the survey file"
            )
    return safe


def _refuse_other_survey(file: Path, survey: str) -> None:
    """Refuse to replace the task of a survey whose safe name is the same.

    Raises:
        ValueError: if the task file is of another survey.
    """
    with disk_errors(file):
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
    try:
        other = yaml.safe_load(text.replace("!function ", ""))["metadata"]["survey"]
    except (yaml.YAMLError, TypeError, KeyError):  # nothing there, or no task of this program
        return
    if other != survey:
        raise ValueError(
            f"output={file.parent} has {file.name} of the survey {other!r}, not {survey!r}; choose another output="
        )


def _documents(config: AlignConfig, survey: Survey, region: Region, wording: int) -> Iterator[dict[str, Any]]:
    """Yield one document per option order and item or content-free question; each holds all that scoring needs."""
    rule = survey.scoring
    weights = [{item.id: w for item, w in zip(survey.items, row, strict=True) if w} for row in rule.weights.tolist()]
    metrics = safe_names("dimensions", list(survey.dimensions), METRICS)
    scoring = {
        "constants": dict(zip(metrics, rule.constants.tolist(), strict=True)),
        "dimensions": dict(zip(metrics, weights, strict=True)),
        "target": dict(zip(metrics, region_target(survey, region).values(), strict=True)),
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
                "order": order,
                "codes": item.scale.codes,
                **_choices(question),
                **scoring,
            }
        for scale, question in _content_free(survey.items, administration).items():
            yield {"item": None, "scale": scale, "order": order, **_choices(question), **scoring}


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


def _task(name: str, first: str, survey: str, dimensions: Sequence[str]) -> str:
    """Return the YAML of a task; ``first`` is the region's task on the first wording, whose tag all wordings share."""
    metrics = [(dimension, "index") for dimension in dimensions] + [(name, name) for name in METRICS]
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
            "metadata": {"version": 1.0, "survey": survey},
        },
        Dumper=_Dumper,
        sort_keys=False,
    )
