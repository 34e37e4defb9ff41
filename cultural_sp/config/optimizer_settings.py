"""The kinds of optimizers and the settings that each has."""

from __future__ import annotations

from collections.abc import Mapping

from cultural_sp.config.checks import check_in_range

DE_SETTINGS = {"f1": 2.0, "f2": 2.0, "crossover": 1.0}  # each with its upper bound; the lower one is 0
OPTIMIZERS: dict[str, tuple[str, ...]] = {  # kind -> the settings it has besides those of every optimizer
    "de": ("f1", "f2", "crossover"),
    "de_surrogate": (),
    "de_twopoints": ("f1", "f2"),
    "cma": (),
    "pso": (),
    "one_plus_one": (),
    "random": (),
}


def check_settings(kind: str, values: Mapping[str, float | None]) -> None:
    """Raise a ValueError in one line if a setting of the kind is missing or out of range, or one that it hasn't is given."""
    for key, high in DE_SETTINGS.items():
        value = values[key]
        if key not in OPTIMIZERS[kind]:
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
