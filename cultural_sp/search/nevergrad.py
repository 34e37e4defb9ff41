"""Optimizers of nevergrad: Differential Evolution, CMA-ES and particle swarms."""

from __future__ import annotations

from typing import Any

import nevergrad as ng
import numpy as np
from numpy.typing import NDArray

from cultural_sp.config.groups import OptimizerConfig
from cultural_sp.search.history import Scores
from cultural_sp.types import Array

FAILED = 1e20  # what nevergrad is told for a candidate without a loss; it warns at infinity


class NevergradOptimizer:
    """An optimizer of nevergrad that is asked and told whole generations."""

    def __init__(self, family: Any, config: OptimizerConfig, dim: int) -> None:
        """Optimizer over R^dim, seeded by the config; the first candidate is the initial prompt.

        Args:
            family: nevergrad's configured optimizer class.
            config: seed and generation size.
            dim: number of search coordinates.
        """
        self.generation_size = config.population
        parametrization = ng.p.Array(init=np.zeros(dim))
        # Set, not seeded in place: reading the attribute first would draw from the global generator.
        parametrization.random_state = np.random.RandomState(config.seed)
        # Without a budget: the candidates must not depend on how many are still to come.
        self._optimizer = family(parametrization, budget=None, num_workers=config.population)
        self._optimizer.suggest(np.zeros(dim))
        self._asked: list[Any] = []
        self._begun = False
        self._best = np.inf
        """The lowest loss that was told or offered."""

    def ask(self, n: int) -> Array:
        """The next ``n`` candidates [n, d]."""
        self._begun = True
        self._asked = [self._optimizer.ask() for _ in range(n)]
        return np.stack([candidate.value for candidate in self._asked])

    def tell(self, losses: Array, scores: Scores | None = None) -> None:
        """Losses [n] of the candidates asked last."""
        for candidate, loss in zip(self._asked, losses, strict=True):
            self._optimizer.tell(candidate, float(loss) if np.isfinite(loss) else FAILED)
        self._asked = []
        self._best = min(self._best, lowest(losses))

    def _tell_unasked(self, z: Array, loss: float) -> None:
        """Let nevergrad have a candidate [d] that it didn't ask for."""
        self._optimizer.tell(self._optimizer.parametrization.spawn_child(new_value=z.copy()), loss)


class NevergradDE(NevergradOptimizer):
    """Differential Evolution: a population in which every member is challenged once a generation."""

    def offer(self, z: Array, losses: Array, scores: Scores | None = None) -> None:
        """Before the first generation the best fill the population; later the best one, if it beats everything known, comes in.

        More than ``population`` couldn't stay; z = 0 is left out, as it is asked first anyway and would stand in the population
        twice. Later, nevergrad's own rule would be to let every candidate in that beats the worst member: the population would
        then collect what several searches are after, its differences would stay large, and it would never converge.
        """
        others = best_first(np.where(z.any(axis=1), losses, np.nan))[: self.generation_size]
        for i in others[:1] if self._begun else others:
            if not self._begun or losses[i] < self._best:
                self._tell_unasked(z[i], float(losses[i]))
        self._best = min(self._best, lowest(losses[others]))


class NevergradPSO(NevergradOptimizer):
    """A particle swarm."""

    def offer(self, z: Array, losses: Array, scores: Scores | None = None) -> None:
        """If the best offered candidate beats whatever the swarm knows, its worst particle moves there and all others follow.

        Particles are places with a speed, not a collection of the best: if each generation of somebody else's replaced
        them there would be no swarm left.
        """
        if lowest(losses) < self._best:
            self._best = lowest(losses)
            self._tell_unasked(z[best_first(losses)[0]], self._best)


class NevergradCMA(NevergradOptimizer):
    """CMA-ES: a normal distribution that follows its own better half."""

    def ask(self, n: int) -> Array:
        """The next ``n`` candidates [n, d]."""
        first = not self._begun
        z = super().ask(n)
        if first:
            # A generation is drawn at a time, and z = 0 took a place in it: the one left over would shift all later ones.
            self._optimizer.ask()
        return z

    def offer(self, z: Array, losses: Array, scores: Scores | None = None) -> None:
        """If the best offered candidate beats everything known: the mean starts there, or a generation later looks that way.

        Before the first generation the distribution is centred on it, with its usual step. Afterwards pycma's ``inject``
        puts one candidate towards it into the next generation, no further away than the others (Hansen 2011, arXiv
        1110.4181). The rest is not used: the distribution would shrink to whatever others have drawn.
        """
        if not lowest(losses) < self._best:
            return
        self._best = lowest(losses)
        best = z[best_first(losses)[0]].copy()
        if self._begun:
            self._optimizer.es.inject([best])
        else:
            self._optimizer.es.mean = best


def best_first(losses: Array) -> NDArray[np.intp]:
    """Indices of those losses [n] that are finite, the lowest first; the earlier one on a tie."""
    order = np.argsort(losses, kind="stable")
    return order[np.isfinite(losses[order])]


def lowest(losses: Array) -> float:
    """The lowest finite loss of [n], or infinity."""
    return float(np.min(losses[np.isfinite(losses)], initial=np.inf))


def de(config: OptimizerConfig, dim: int) -> NevergradDE:
    """DE (current-to-best/1): donor = x + F1 (a - b) + F2 (best - x), mixed with x coordinate by coordinate."""
    assert config.crossover is not None
    return _differential_evolution(config, dim, float(config.crossover))


def de_twopoints(config: OptimizerConfig, dim: int) -> NevergradDE:
    """The same DE, with the donor's coordinates between (or outside) two random points; cheap in many dimensions."""
    return _differential_evolution(config, dim, "twopoints")


def _differential_evolution(config: OptimizerConfig, dim: int, crossover: float | str) -> NevergradDE:
    # The other initialisations spread the population over quantiles; they or Voronoi crossover use the global generator.
    family = ng.families.DifferentialEvolution(
        initialization="gaussian",
        scale=1.0,
        crossover=crossover,
        F1=config.f1,
        F2=config.f2,
        popsize=config.population,
    )
    return NevergradDE(family, config, dim)


def cma(config: OptimizerConfig, dim: int) -> NevergradCMA:
    """CMA-ES with a diagonal covariance matrix (sep-CMA-ES, Ros and Hansen 2008), pycma's defaults otherwise.

    A full matrix takes in the order of 10 d^2 evaluations to learn, far beyond the budgets here, and 13 GB for the raw soft
    prompt of a large model; its eigenvectors would differ between numbers of threads, and so would a continued search.
    """
    return NevergradCMA(ng.families.ParametrizedCMA(scale=1.0, popsize=config.population, diagonal=True), config, dim)


def pso(config: OptimizerConfig, dim: int) -> NevergradPSO:
    """Particle swarm with the constants of SPSO-2011 (Zambrano-Bigiarini et al. 2013): omega 0.72, phi 1.19 and 1.19.

    Without nevergrad's default, an arctan transform, whose speeds in (0, 1) are much larger steps than 1 in z.
    """
    return NevergradPSO(ng.families.ConfPSO(transform="identity", popsize=config.population), config, dim)
