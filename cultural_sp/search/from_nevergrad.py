"""Optimizers of nevergrad: Differential Evolution, CMA-ES and particle swarms."""

from __future__ import annotations

from typing import Any

import nevergrad as ng
import numpy as np
from numpy.typing import NDArray

from cultural_sp.config import OptimizerConfig

FAILED = 1e20  # what nevergrad is told for a candidate without a loss; it warns at infinity


class FromNevergrad:
    """An optimizer of nevergrad that is asked and told whole generations."""

    def __init__(self, family: Any, config: OptimizerConfig, dim: int, *, drop_one: bool = False) -> None:
        """Optimizer over R^dim, seeded by the config; the first candidate is the initial prompt.

        Args:
            family: nevergrad's configured optimizer class.
            config: seed and generation size.
            dim: number of search coordinates.
            drop_one: let z = 0 take the place of a drawn candidate, for optimizers that draw a generation at a time: one left
                over would shift all later generations.
        """
        parametrization = ng.p.Array(init=np.zeros(dim))
        # Set, not seeded in place: reading the attribute first would draw from the global generator.
        parametrization.random_state = np.random.RandomState(config.seed)
        self.generation_size = config.population
        # Without a budget: the candidates must not depend on how many are still to come.
        self._optimizer = family(parametrization, budget=None, num_workers=config.population)
        if drop_one:
            self._optimizer.ask()
        self._optimizer.suggest(np.zeros(dim))
        self._asked: list[Any] = []

    def ask(self, n: int) -> NDArray[np.float64]:
        """The next ``n`` candidates [n, d]."""
        self._asked = [self._optimizer.ask() for _ in range(n)]
        return np.stack([candidate.value for candidate in self._asked])

    def tell(self, losses: NDArray[np.float64]) -> None:
        """Losses [n] of the candidates asked last."""
        for candidate, loss in zip(self._asked, losses, strict=True):
            self._optimizer.tell(candidate, float(loss) if np.isfinite(loss) else FAILED)
        self._asked = []


def de(config: OptimizerConfig, dim: int) -> FromNevergrad:
    """DE (current-to-best/1): donor = x + F1 (a - b) + F2 (best - x), mixed with x coordinate by coordinate."""
    assert config.crossover is not None
    return _differential_evolution(config, dim, float(config.crossover))


def de_twopoints(config: OptimizerConfig, dim: int) -> FromNevergrad:
    """The same DE, with the donor's coordinates between (or outside) two random points; cheap in many dimensions."""
    return _differential_evolution(config, dim, "twopoints")


def _differential_evolution(config: OptimizerConfig, dim: int, crossover: float | str) -> FromNevergrad:
    # The other initialisations spread the population over quantiles; they or Voronoi crossover use the global generator.
    family = ng.families.DifferentialEvolution(
        initialization="gaussian",
        scale=1.0,
        crossover=crossover,
        F1=config.f1,
        F2=config.f2,
        popsize=config.population,
    )
    return FromNevergrad(family, config, dim)


def cma(config: OptimizerConfig, dim: int) -> FromNevergrad:
    """CMA-ES with a diagonal covariance matrix (sep-CMA-ES, Ros and Hansen 2008), pycma's defaults otherwise.

    A full matrix takes in the order of 10 d^2 evaluations to learn, far beyond the budgets here, and 13 GB for the raw soft
    prompt of a large model; its eigenvectors would differ between numbers of threads, and so would a continued search.
    """
    family = ng.families.ParametrizedCMA(scale=1.0, popsize=config.population, diagonal=True)
    return FromNevergrad(family, config, dim, drop_one=True)


def pso(config: OptimizerConfig, dim: int) -> FromNevergrad:
    """Particle swarm with the constants of SPSO-2011 (Zambrano-Bigiarini et al. 2013): omega 0.72, phi 1.19 and 1.19.

    Without nevergrad's default, an arctan transform, whose speeds in (0, 1) are much larger steps than 1 in z.
    """
    return FromNevergrad(ng.families.ConfPSO(transform="identity", popsize=config.population), config, dim)
