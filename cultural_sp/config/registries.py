"""Registries: what a config can choose by name. An optimizer, readout, search space or initialiser is one file and one line here.

Nothing that an entry names is imported before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cultural_sp.config.checks import check_in_range


@dataclass(frozen=True)
class Entry:
    """One choice: what makes it, and its label."""

    factory: str | Callable[..., Any]
    """``module:name``, imported when needed, or the object."""
    label: str
    """Its name in tables and figures, its meaning in the list of options."""

    def make(self, *arguments: Any) -> Any:
        """Call the factory."""
        return load_object(self.factory)(*arguments)


DE_SETTINGS = {"f1": 2.0, "f2": 2.0, "crossover": 1.0}
"""Settings that only some optimizers have, each with its upper bound; the lower one is 0."""


@dataclass(frozen=True)
class OptimizerEntry(Entry):
    """An ``optimizer.kind``. The factory takes an ``OptimizerConfig`` and the number of coordinates d."""

    settings: tuple[str, ...] = ()
    """The settings among :data:`DE_SETTINGS` that it has."""


@dataclass(frozen=True)
class ReadoutEntry(Entry):
    """A ``readout.kind`` on option probabilities. The factory takes the number of respondents and the seed."""

    draws: bool = False
    """Whether the seed changes its answers."""


@dataclass(frozen=True)
class SpaceEntry(Entry):
    """A ``soft_prompt.space``. The factory takes the config of a run and the model."""

    statements: int = 0
    """Statements of value per coordinate: 0 if the space needs none, 1, or 2 for pairs of opposite ones."""
    initial: bool = True
    """Whether it starts from ``soft_prompt.init``."""
    draws: bool = False
    """Whether the seed changes its directions."""


OPTIMIZERS: dict[str, OptimizerEntry] = {
    "de": OptimizerEntry("cultural_sp.search.nevergrad:de", "DE", ("f1", "f2", "crossover")),
    "de_surrogate": OptimizerEntry("cultural_sp.search.surrogate:SurrogateEvolution", "surrogate-assisted DE"),
    "de_twopoints": OptimizerEntry("cultural_sp.search.nevergrad:de_twopoints", "two-point DE", ("f1", "f2")),
    "cma": OptimizerEntry("cultural_sp.search.nevergrad:cma", "CMA-ES"),
    "pso": OptimizerEntry("cultural_sp.search.nevergrad:pso", "PSO"),
    "one_plus_lambda": OptimizerEntry("cultural_sp.search.one_plus_lambda:OnePlusLambda", "(1+lambda)-ES"),
    "random": OptimizerEntry("cultural_sp.search.random_search:random_optimizer", "more random search"),
}

READOUTS: dict[str, ReadoutEntry] = {
    "expected": ReadoutEntry("cultural_sp.lm.readout:expected_readout", "probability-weighted mean of the options"),
    "argmax": ReadoutEntry("cultural_sp.lm.readout:argmax_readout", "likeliest option"),
    "sample": ReadoutEntry("cultural_sp.lm.readout:sampler", "mean of drawn options", draws=True),
}
GENERATE = "generate"
"""The readout that isn't made from option probabilities: the model writes, and its text is parsed."""

SPACES: dict[str, SpaceEntry] = {
    "projection": SpaceEntry(
        "cultural_sp.alignment.spaces:projection_space", "dim numbers times a fixed random matrix", draws=True
    ),
    "full": SpaceEntry("cultural_sp.alignment.spaces:full_space", "every coordinate of every virtual token"),
    "statements": SpaceEntry(
        "cultural_sp.alignment.spaces:statements_space", "weights of texts that share the virtual tokens", statements=1
    ),
    "poles": SpaceEntry(
        "cultural_sp.alignment.spaces:poles_space",
        "one coordinate per pair of opposite texts, each pair with its own virtual tokens; starts halfway between them",
        statements=2,
        initial=False,
    ),
}

INITIALISERS: dict[str, Entry] = {
    "sampled_vocab": Entry("cultural_sp.lm.soft_prompt:sampled_vocab", "embeddings of random ordinary tokens"),
    "text": Entry("cultural_sp.lm.soft_prompt:text", "embeddings of init_text, repeated or cut"),
    "random": Entry("cultural_sp.lm.soft_prompt:random", "normal draws like the embedding matrix"),
    "file": Entry("cultural_sp.lm.soft_prompt:from_file", "the soft prompt in the folder path"),
}
"""``soft_prompt.init``. The factory takes a ``SoftPromptConfig``, the model and a random generator, and returns [P, H]."""

REGISTRIES: dict[str, Mapping[str, Entry]] = {
    "optimizer.kind": OPTIMIZERS,
    "readout.kind": READOUTS,
    "soft_prompt.space": SPACES,
    "soft_prompt.init": INITIALISERS,
}
"""Key of a config -> what it can be."""


def load_object(factory: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return the object that ``module:name`` stands for; an object as it is."""
    if not isinstance(factory, str):
        return factory
    module, _, name = factory.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def check_settings(kind: str, values: Mapping[str, float | None]) -> None:
    """Check the settings of an optimizer.

    Raises:
        ValueError: if a setting is missing, out of range, or not one of this kind.
    """
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
