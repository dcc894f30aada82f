"""The intervals of a run that its experiment lets us predict."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analysis.lif import Intervals, Model
from analysis.spikearrays import FloatArray, SpikeArrays
from analysis.theory import LIF_CELL_TYPES, lif_neuron
from pynn_model import stimulus
from pynn_model.experiment import Condition, Experiment

MOST_TRIALS = 24
"""Trials of a condition that are predicted, evenly chosen: more say nothing new."""


def nominal_model(experiment: Experiment | None) -> Model | None:
    """The neuron that the experiment describes, if it is one that can be predicted."""
    if experiment is None or experiment.neuron is None:
        return None
    neuron = experiment.neuron
    if neuron.cell_type not in LIF_CELL_TYPES:
        return None
    v_init = neuron.initial_values.get("v", neuron.parameters["v_rest"])
    return Model(lif_neuron(neuron.cell_type, neuron.parameters), float(v_init))


def predictable(experiment: Experiment, name: str) -> Condition | None:
    """The condition, if its current is known: not drawn by the simulator, not of another name."""
    for condition in experiment.conditions:
        if condition.name == name:
            return None if stimulus.native_noises(condition) else condition
    return None


def chosen_trials(n_trials: int, most: int = MOST_TRIALS) -> list[int]:
    """At most `most` of the trials, evenly spread."""
    if n_trials <= most:
        return list(range(n_trials))
    return sorted({int(k) for k in np.linspace(0, n_trials - 1, most)})


def current_rows(experiment: Experiment, condition: Condition, trials: list[int]) -> FloatArray:
    """What these trials receive, nA, (len(trials), n_steps); one row if all get the same."""
    shared = stimulus.shared_current(experiment, condition)[np.newaxis]
    if not stimulus.has_private(condition):
        return np.asarray(shared)
    return np.asarray(shared + stimulus.private_currents(experiment, condition, trials))


def intervals_of(
    experiment: Experiment,
    spikes: Mapping[int, SpikeArrays],
    conditions: Mapping[int, Condition],
    n_trials: int | None = None,
) -> Intervals:
    """Every interval of some trials of some conditions, the first from the start of the run.

    spikes, conditions: by a number that comes back in `Intervals.condition`.
    """
    currents, rows = [], []
    begins, ends, limits, numbers = [], [], [], []
    first_row = 0
    for number, condition in conditions.items():
        arrays = spikes[number]
        trials = chosen_trials(min(arrays.n_trials, n_trials or arrays.n_trials))
        rows_of = current_rows(experiment, condition, trials)
        stops = np.cumsum(arrays.counts)
        for place, trial in enumerate(trials):
            times = arrays.times[stops[trial] - arrays.counts[trial] : stops[trial]]
            times = times[(times > 0) & (times <= experiment.duration + experiment.timestep)]
            row = first_row + (place if len(rows_of) > 1 else 0)
            begins.append(np.append(np.nan, times))
            ends.append(np.append(times, np.nan))
            rows.append(np.full(times.size + 1, row))
            limits.append(np.full(times.size + 1, min(arrays.t_stop, experiment.duration)))
            numbers.append(np.full(times.size + 1, number))
        currents.append(rows_of)
        first_row += len(rows_of)
    return Intervals(
        np.ascontiguousarray(np.concatenate(currents)),
        np.concatenate(rows).astype(np.int64),
        np.concatenate(begins),
        np.concatenate(ends),
        np.concatenate(limits),
        np.concatenate(numbers).astype(np.int64),
        float(experiment.timestep),
    )
