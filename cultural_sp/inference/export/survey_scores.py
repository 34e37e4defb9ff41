"""Dimension scores of a survey inside lm-evaluation-harness. Copied beside generated task files: needs nothing but Python.

A document is an item in one option order, or the content-free question of a scale, with everything needed to score it. It
yields the log-likelihoods of its choices; the aggregations make the indices of them, as ``cultural_sp`` does.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Doc = dict[str, Any]
Documents = Sequence[Doc]


def documents(file: str, **_: Any) -> dict[str, Any]:
    """The documents of a task, as the harness's ``custom_dataset``."""
    import datasets  # comes with the harness

    lines = (Path(__file__).parent / file).read_text(encoding="utf-8").splitlines()
    return {"test": datasets.Dataset.from_list([{"doc": line, **_shown(json.loads(line))} for line in lines])}


def _shown(doc: Doc) -> Doc:
    return {"question": doc["question"], "choices": doc["choices"]}


def process_results(doc: Doc, results: Sequence[tuple[float, bool]]) -> dict[str, Doc]:
    """Every metric of a document: what its aggregation needs of it."""
    about = json.loads(doc["doc"])
    likelihoods = [likelihood for likelihood, _ in results]
    if about["lead"]:  # the first choice is the lead alone, which all others begin with
        likelihoods = [likelihood - likelihoods[0] for likelihood in likelihoods[1:]]
    answer = {**about, "log_probs": likelihoods}
    return {
        **{name: {**answer, "dimension": name} for name in about["dimensions"]},
        "loss": answer,
        "valid_mass": answer,
    }


def index(answers: Documents) -> float:
    """Weighted sum of item means plus the constant: the score of one dimension, in the survey's unit."""
    return _index(item_means(answers), answers[0], answers[0]["dimension"])


def loss(answers: Documents) -> float:
    """Mean absolute difference to the target over the dimensions that have one, in the survey's unit."""
    means, about = item_means(answers), answers[0]
    known = {name: score for name, score in about["target"].items() if score is not None}
    return float(sum(abs(_index(means, about, name) - score) for name, score in known.items()) / len(known))


def valid_mass(answers: Documents) -> float:
    """Mean probability given to all options of an item together, before calibration."""
    masses = [sum(map(math.exp, answer["log_probs"])) for answer in answers if answer["item"] is not None]
    return sum(masses) / len(masses)


def item_means(answers: Documents) -> dict[str, float]:
    """Item -> probability-weighted mean code over its options, averaged over option orders."""
    neutral = {answer["scale"]: answer["log_probs"] for answer in answers if answer["item"] is None}
    means: dict[str, list[float]] = {}
    for answer in answers:
        if answer["item"] is None:
            continue
        base = neutral.get(answer["scale"], [0.0] * len(answer["log_probs"]))
        scores = [score - at_rest for score, at_rest in zip(answer["log_probs"], base, strict=True)]
        weights = [math.exp(score - max(scores)) for score in scores]
        mean = sum(code * weight for code, weight in zip(answer["codes"], weights, strict=True)) / sum(weights)
        means.setdefault(answer["item"], []).append(mean)
    return {item: sum(found) / len(found) for item, found in means.items()}


def _index(means: dict[str, float], about: Doc, name: str) -> float:
    weights: dict[str, float] = about["dimensions"][name]
    return float(about["constants"][name]) + sum(weight * means[item] for item, weight in weights.items())
