"""Optimizers of nevergrad: Differential Evolution, CMA-ES and particle swarms."""

from __future__ import annotations

from typing import Any

import nevergrad as ng
import numpy as np
from nevergrad.optimization.differentialevolution import Crossover
from numpy.typing import NDArray

from cultural_sp.config.groups import OptimizerConfig
from cultural_sp.search.history import Scores
from cultural_sp.types import Array, Candidates, Losses

FAILED_LOSS = 1e20  # stands for a missing loss; nevergrad warns at infinity


class NevergradOptimizer:
    """An optimizer of nevergrad that works in whole generations."""

    def __init__(self, family: Any, config: OptimizerConfig, dim: int) -> None:
        """Optimizer over R^dim, seeded by the config; the first candidate is the initial prompt.

        Args:
            family: a configured optimizer class of nevergrad.
            config: seed and generation size.
            dim: number of search coordinates.
        """
        self.generation_size = config.population
        parametrization = ng.p.Array(init=np.zeros(dim))
        # Assign a new generator: reading the attribute to seed it would draw from the global one.
        parametrization.random_state = np.random.RandomState(config.seed)
        # No budget, because the candidates must not depend on it.
        self._optimizer = family(parametrization, budget=None, num_workers=config.population)
        self._optimizer.suggest(np.zeros(dim))
        self._generation: list[Any] = []
        self._started = False
        self._best = np.inf
        """The lowest loss so far, told or offered."""

    def ask(self, n: int) -> Candidates:
        """Return the next ``n`` candidates [n, d]."""
        self._started = True
        self._generation = [self._optimizer.ask() for _ in range(n)]
        return np.stack([candidate.value for candidate in self._generation])

    def tell(self, losses: Losses, scores: Scores | None = None) -> None:
        """Learn the losses [n] of the last candidates."""
        for candidate, loss in zip(self._generation, losses, strict=True):
            self._optimizer.tell(candidate, float(loss) if np.isfinite(loss) else FAILED_LOSS)
        self._generation = []
        self._best = min(self._best, lowest(losses))

    def _tell_unasked(self, z: Array, loss: float) -> None:
        """Give nevergrad a candidate [d] that it didn't propose."""
        self._optimizer.tell(self._optimizer.parametrization.spawn_child(new_value=z.copy()), loss)


class NevergradDE(NevergradOptimizer):
    """Differential Evolution: a population whose members are each challenged once per generation."""

    def ask(self, n: int) -> Candidates:
        """Return the next ``n`` candidates [n, d]."""
        usual = Crossover.variablewise
        Crossover.variablewise = _variablewise
        try:
            return super().ask(n)
        finally:
            Crossover.variablewise = usual

    def offer(self, z: Candidates, losses: Losses, scores: Scores | None = None) -> None:
        """Take in the best of other candidates [n, d].

        Before the first generation the best ``population`` of them fill the population. z = 0 is left out: it is the first
        candidate anyway and would be in the population twice.

        Later only the best one enters, and only if it beats everything so far. nevergrad itself would let in every candidate
        that beats the worst member. The population would then mix the optima of several objectives and never converge.
        """
        others = best_first(np.where(z.any(axis=1), losses, np.nan))[: self.generation_size]
        for i in others[:1] if self._started else others:
            if not self._started or losses[i] < self._best:
                self._tell_unasked(z[i], float(losses[i]))
        self._best = min(self._best, lowest(losses[others]))


class NevergradPSO(NevergradOptimizer):
    """Particle swarm optimization."""

    def offer(self, z: Candidates, losses: Losses, scores: Scores | None = None) -> None:
        """If the best of other candidates [n, d] beats everything so far, move the worst particle there; the others follow.

        Only one particle moves. Particles have a position and a speed; a swarm that is replaced every generation would lose both.
        """
        if lowest(losses) < self._best:
            self._best = lowest(losses)
            self._tell_unasked(z[best_first(losses)[0]], self._best)


class NevergradCMA(NevergradOptimizer):
    """CMA-ES: a normal distribution that moves towards the better half of its draws."""

    def ask(self, n: int) -> Candidates:
        """Return the next ``n`` candidates [n, d]."""
        first = not self._started
        z = super().ask(n)
        if first:
            # pycma draws a whole generation, and z = 0 took one place in it. Discard the draw left over, or all later ones shift.
            self._optimizer.ask()
        return z

    def offer(self, z: Candidates, losses: Losses, scores: Scores | None = None) -> None:
        """If the best of other candidates [n, d] beats everything so far, move towards it.

        Before the first generation the distribution is centred on it, with its usual step size. Later pycma's ``inject`` puts
        one candidate in its direction into the next generation, no further away than the others (Hansen 2011, arXiv 1110.4181).
        The other candidates are ignored: they would shrink the distribution.
        """
        if not lowest(losses) < self._best:
            return
        self._best = lowest(losses)
        best = z[best_first(losses)[0]].copy()
        if self._started:
            self._optimizer.es.inject([best])
        else:
            self._optimizer.es.mean = best


def _variablewise(crossover: Any, donor: Array, individual: Array) -> None:
    """Do nevergrad's crossover of single coordinates with the same random numbers, but in one draw.

    It draws one number at a time, which takes 0.1 s per candidate for the 40,960 coordinates of ten virtual tokens of Llama-3-8B.
    """
    kept = crossover.random_state.randint(donor.size)  # this coordinate comes from the donor in any case
    drawn = crossover.random_state.uniform(0, 1, donor.size - 1)
    transfer = np.insert(drawn > crossover.CR, kept, False)
    donor[transfer] = individual[transfer]


def best_first(losses: Losses) -> NDArray[np.intp]:
    """Return the indices of the finite losses of [n], the lowest loss first; on a tie the earlier one first."""
    order = np.argsort(losses, kind="stable")
    return order[np.isfinite(losses[order])]


def lowest(losses: Losses) -> float:
    """Return the lowest finite loss of [n], or infinity."""
    return float(np.min(losses[np.isfinite(losses)], initial=np.inf))


def de(config: OptimizerConfig, dim: int) -> NevergradDE:
    """Return DE/current-to-best/1: donor = x + F1 (a - b) + F2 (best - x). Each coordinate comes from the donor or from x."""
    assert config.crossover is not None
    return _differential_evolution(config, dim, float(config.crossover))


def de_twopoints(config: OptimizerConfig, dim: int) -> NevergradDE:
    """Return the same DE with two-point crossover, which is cheap in many dimensions."""
    return _differential_evolution(config, dim, "twopoints")


def _differential_evolution(config: OptimizerConfig, dim: int, crossover: float | str) -> NevergradDE:
    # The other initialisations spread the population over quantiles. They and Voronoi crossover draw from the global generator.
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
    """Return CMA-ES with a diagonal covariance matrix (sep-CMA-ES, Ros and Hansen 2008) and otherwise the defaults of pycma.

    A full matrix takes about 10 d^2 evaluations to learn, far more than the budgets here, and 13 GB for all coordinates of a
    large model's soft prompt. Its eigenvectors also depend on the number of threads, so a resumed search would differ.
    """
    return NevergradCMA(ng.families.ParametrizedCMA(scale=1.0, popsize=config.population, diagonal=True), config, dim)


def pso(config: OptimizerConfig, dim: int) -> NevergradPSO:
    """Return a particle swarm with the constants of SPSO-2011 (Zambrano-Bigiarini et al. 2013): omega 0.72, both phi 1.19.

    Positions are not transformed. nevergrad's default maps them to (0, 1) with an arctan, and its speeds there are far larger
    steps than 1 in z.
    """
    return NevergradPSO(ng.families.ConfPSO(transform="identity", popsize=config.population), config, dim)
