"""The one PyNN description: the same cell, many trials, one population for each condition.

Plain PyNN only. What a simulator needs beyond that is in :mod:`pynn_model.conventions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

from . import stimulus

if TYPE_CHECKING:
    from .experiment import Condition, Experiment

AT_ONCE = 50
"""Trials whose currents are drawn together: quicker than one by one, and little memory."""


def build(sim: Any, experiment: Experiment) -> Dict[str, Any]:
    """Build the experiment on a PyNN simulator module that has been set up.

    sim: the PyNN module (``pyNN.nest``, ...). Returns the populations to record, by the name of
    their condition, in the experiment's order; neuron k of a population is trial k.
    """
    neuron = experiment.neuron
    assert neuron is not None
    cell = getattr(sim, neuron.cell_type)(**neuron.parameters)
    populations: Dict[str, Any] = {}
    for condition in experiment.conditions:
        population = sim.Population(experiment.trials, cell, label=condition.name)
        population.initialize(**neuron.initial_values)
        inject(sim, population, experiment, condition)
        populations[condition.name] = population
    return populations


def inject(sim: Any, population: Any, experiment: Experiment, condition: Condition) -> None:
    """Play a condition to a population: neuron k receives what trial k receives.

    One StepCurrentSource carries the sum of all shared currents, one for each neuron the sum of
    its private ones, so a simulator has at most one source more than neurons to serve. A user's
    own model may call this for populations of its own.
    """
    shared = stimulus.shared_current(experiment, condition)
    if shared.any():
        _step_source(sim, shared, experiment.timestep).inject_into(population)
    if stimulus.has_private(condition):
        for first in range(0, population.size, AT_ONCE):
            trials = list(range(first, min(first + AT_ONCE, population.size)))
            for trial, private in zip(
                trials, stimulus.private_currents(experiment, condition, trials)
            ):
                _step_source(sim, private, experiment.timestep).inject_into(
                    population[trial : trial + 1]
                )
    for noise in stimulus.native_noises(condition):
        for trial in range(population.size):
            sim.NoisyCurrentSource(
                mean=noise.mean,
                stdev=noise.stdev,
                dt=noise.dt,
                start=noise.start,
                stop=min(noise.stop, experiment.duration),
            ).inject_into(population[trial : trial + 1])


def _step_source(sim: Any, samples: Any, timestep: float) -> Any:
    times, amplitudes = stimulus.steps(samples, timestep)
    return sim.StepCurrentSource(times=times, amplitudes=amplitudes)
