"""What can be chosen by name: an optimizer is one file and one line here. Loads none of what it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cultural_sp.config.checks import check_in_range

DE_SETTINGS = {"f1": 2.0, "f2": 2.0, "crossover": 1.0}
"""Settings that only some optimizers have, each with its upper bound; the lower one is 0."""


@dataclass(frozen=True)
class OptimizerEntry:
    """An optimizer that ``optimizer.kind`` can name."""

    factory: str | Callable[..., Any]
    """``module:name``, imported when needed, or the object: takes an ``OptimizerConfig`` and the number of coordinates d."""
    label: str
    """What tables and figures call it."""
    settings: tuple[str, ...] = ()
    """Those of :data:`DE_SETTINGS` that it has."""


OPTIMIZERS: dict[str, OptimizerEntry] = {
    "de": OptimizerEntry("cultural_sp.search.nevergrad:de", "DE", ("f1", "f2", "crossover")),
    "de_surrogate": OptimizerEntry("cultural_sp.search.surrogate:SurrogateEvolution", "surrogate-assisted DE"),
    "de_twopoints": OptimizerEntry("cultural_sp.search.nevergrad:de_twopoints", "two-point DE", ("f1", "f2")),
    "cma": OptimizerEntry("cultural_sp.search.nevergrad:cma", "CMA-ES"),
    "pso": OptimizerEntry("cultural_sp.search.nevergrad:pso", "PSO"),
    "one_plus_lambda": OptimizerEntry("cultural_sp.search.one_plus_lambda:OnePlusLambda", "(1+lambda)-ES"),
    "random": OptimizerEntry("cultural_sp.search.random_search:random_optimizer", "more random search"),
}


def loaded(factory: str | Callable[..., Any]) -> Callable[..., Any]:
    """The object that an entry names as ``module:name``, or the entry itself if it is the object."""
    if not isinstance(factory, str):
        return factory
    module, _, name = factory.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def check_settings(kind: str, values: Mapping[str, float | None]) -> None:
    """Raise a ValueError in one line if a setting of the kind is missing or out of range, or one that it hasn't is given."""
    for key, high in DE_SETTINGS.items():
        value = values[key]
        if key not in OPTIMIZERS[kind].settings:
            if value is not None:
                raise ValueError(
                    f"optimizer.{key}={value} is not allowed, as {kind} has no such setting; leave it out, and choose "
                    f"optimizer={kind} rather than optimizer.kind"
                )
        elif value is None:
            raise ValueError(
                f"optimizer.{key} is missing; choose optimizer={kind}, or give a number from 0 to {high:g}"
            )
        else:
            check_in_range(f"optimizer.{key}", value, 0, high)
