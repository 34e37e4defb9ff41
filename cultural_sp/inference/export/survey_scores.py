"""Dimension scores of a survey inside lm-evaluation-harness.

This file is copied beside generated task files, so it needs only Python itself. A document is an item in one option order, or
the content-free question of a scale in one option order; it holds everything that scoring needs. The harness returns the
log-likelihoods of its choices, and the aggregations below compute the same scores as ``cultural_sp``.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Doc = dict[str, Any]
Documents = Sequence[Doc]


def documents(file: str, **_: Any) -> dict[str, Any]:
    """Load the documents of a task; the harness's ``custom_dataset``."""
    import datasets  # a dependency of the harness

    lines = (Path(__file__).parent / file).read_text(encoding="utf-8").splitlines()
    return {"test": datasets.Dataset.from_list([{"doc": line, **_prompt(json.loads(line))} for line in lines])}


def _prompt(doc: Doc) -> Doc:
    return {"question": doc["question"], "choices": doc["choices"]}


def process_results(doc: Doc, results: Sequence[tuple[float, bool]]) -> dict[str, Doc]:
    """Return metric -> input of its aggregation, for one document."""
    about = json.loads(doc["doc"])
    likelihoods = [likelihood for likelihood, _ in results]
    if about["lead"]:  # the first choice is the lead alone, and all others begin with it
        likelihoods = [likelihood - likelihoods[0] for likelihood in likelihoods[1:]]
    answer = {**about, "log_probs": likelihoods}
    return {
        **{name: {**answer, "dimension": name} for name in about["dimensions"]},
        "loss": answer,
        "valid_mass": answer,
    }


def index(answers: Documents) -> float:
    """Return the score of one dimension in the survey's unit: the weighted sum of item means plus the constant."""
    return _index(item_means(answers), answers[0], answers[0]["dimension"])


def loss(answers: Documents) -> float:
    """Return the mean absolute difference to the target, in the survey's unit, over the dimensions that have one."""
    means, about = item_means(answers), answers[0]
    targets = {name: score for name, score in about["target"].items() if score is not None}
    return float(sum(abs(_index(means, about, name) - score) for name, score in targets.items()) / len(targets))


def valid_mass(answers: Documents) -> float:
    """Return the mean total probability of an item's options, before calibration."""
    masses = [sum(map(math.exp, answer["log_probs"])) for answer in answers if answer["item"] is not None]
    return sum(masses) / len(masses)


def item_means(answers: Documents) -> dict[str, float]:
    """Return item -> mean code, weighted by the options' probabilities and averaged over option orders."""
    neutral = {_shown(answer): answer["log_probs"] for answer in answers if answer["item"] is None}
    means: dict[str, list[float]] = {}
    for answer in answers:
        if answer["item"] is None:
            continue
        base = neutral.get(_shown(answer), [0.0] * len(answer["log_probs"]))
        scores = [score - baseline for score, baseline in zip(answer["log_probs"], base, strict=True)]
        weights = [math.exp(score - max(scores)) for score in scores]
        mean = sum(code * weight for code, weight in zip(answer["codes"], weights, strict=True)) / sum(weights)
        means.setdefault(answer["item"], []).append(mean)
    return {item: sum(by_order) / len(by_order) for item, by_order in means.items()}


def _shown(answer: Doc) -> tuple[str, str]:
    """Return scale and option order, by which an item finds its content-free question."""
    return answer["scale"], answer["order"]


def _index(means: dict[str, float], about: Doc, name: str) -> float:
    weights: dict[str, float] = about["dimensions"][name]
    return float(about["constants"][name]) + sum(weight * means[item] for item, weight in weights.items())
