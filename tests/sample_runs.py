"""Recordings for the tests of blocks and figures: a leaky cell, solved exactly with numpy.

The current is constant within a step, so one step of the membrane equation is exact; a spike is
stamped with the end of the step that crossed the threshold.
"""

from __future__ import annotations

import math

import numpy as np

from pynn_model import files, stimulus
from pynn_model.experiment import Condition, Experiment
from pynn_model.recording import PopulationRecording, Recording

PROVENANCE = {
    "versions": {"numpy": "2.0", "reference": "1"},
    "effective_parameters": {"dc": {"tau_m": 30.0}},
    "notes": "",
}


def simulate(experiment: Experiment, backend: str = "reference") -> Recording:
    """Every condition of an IF_curr_exp experiment."""
    return Recording(
        experiment=experiment.to_json(),
        digest=experiment.digest,
        backend=backend,
        populations=tuple(_population(experiment, c) for c in experiment.conditions),
        provenance=dict(PROVENANCE),
    )


def sample(name: str, *changes: str) -> Recording:
    """The recording of a ready experiment, with `changes` ("trials=5")."""
    return simulate(files.load(name, changes))


def _population(experiment: Experiment, condition: Condition) -> PopulationRecording:
    p, n, dt = experiment.neuron.parameters, experiment.trials, experiment.timestep
    current = np.tile(stimulus.shared_current(experiment, condition)[:, None], (1, n))
    if stimulus.has_private(condition):
        current += stimulus.private_currents(experiment, condition, list(range(n))).T
    for k, native in enumerate(stimulus.native_noises(condition)):
        rng = np.random.RandomState(experiment.seed + k)
        held = rng.standard_normal((-(-len(current) // round(native.dt / dt)), n))
        samples = native.mean + native.stdev * held
        current += np.repeat(samples, round(native.dt / dt), axis=0)[: len(current)]
    decay = math.exp(-dt / p["tau_m"])
    v = np.full(n, experiment.neuron.initial_values["v"])
    free_at = np.zeros(n)
    trace = np.empty((len(current), n))
    times, senders = [], []
    for step, row in enumerate(current):
        trace[step] = v
        target = p["v_rest"] + (row + p["i_offset"]) * p["tau_m"] / p["cm"]
        v = np.where(step >= free_at, target + (v - target) * decay, v)
        fired = np.flatnonzero(v >= p["v_thresh"])
        v[fired] = p["v_reset"]
        free_at[fired] = step + 1 + round(p["tau_refrac"] / dt)
        times.append(np.full(len(fired), round((step + 1) * dt, 9)))
        senders.append(fired)
    spike_times, spike_indices = np.concatenate(times), np.concatenate(senders)
    order = np.lexsort((spike_times, spike_indices))
    kept = experiment.record.v
    stride = round(experiment.record.v_interval / dt)
    return PopulationRecording(
        name=condition.name,
        size=n,
        spike_times=spike_times[order],
        spike_indices=spike_indices[order].astype(np.int64),
        v=trace[::stride, :kept].copy() if kept else np.zeros((0, 0)),
        v_indices=np.arange(kept, dtype=np.int64),
        v_interval=experiment.record.v_interval,
    )
