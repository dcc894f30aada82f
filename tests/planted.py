"""Runs with a difference planted in them, for the tests of the diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import neo
import numpy as np

from analysis.blocks import build_block
from pynn_model import files, stimulus
from pynn_model.experiment import Condition, Experiment
from pynn_model.recording import PopulationRecording, Recording
from tests.sample_runs import simulate

Populations = Sequence[PopulationRecording]


def run(*changes: str, claims: Sequence[str] | None = None, seed: int = 1995) -> Recording:
    """mainen_sejnowski with `changes`; `claims`: what the file says instead, if that differs."""
    experiment = files.load("mainen_sejnowski", [f"seed={seed}", *changes])
    recording = simulate(experiment)
    if claims is None:
        return recording
    said = files.load("mainen_sejnowski", [f"seed={seed}", *claims])
    return replace(recording, experiment=said.to_json(), digest=said.digest)


def block(recording: Recording, name: str = "") -> neo.Block:
    return build_block(recording, name)


def with_spikes(recording: Recording, change) -> Recording:
    """The recording with each population's (times, indices) put through `change`."""
    populations = []
    for number, population in enumerate(recording.populations):
        times, indices = change(population.spike_times, population.spike_indices, number)
        order = np.lexsort((times, indices))
        populations.append(
            replace(population, spike_times=times[order], spike_indices=indices[order])
        )
    return replace(recording, populations=tuple(populations))


def shifted(recording: Recording, by: float) -> Recording:
    """All spikes `by` ms later."""
    return with_spikes(recording, lambda t, i, _: (np.round(t + by, 9), i))


def permuted(recording: Recording, seed: int) -> Recording:
    """The neurons in another order, the same in all populations, potentials included."""
    rng = np.random.default_rng(seed)
    n = recording.populations[0].size
    order = rng.permutation(n)
    while n > 1 and np.array_equal(order, np.arange(n)):
        order = rng.permutation(n)
    moved = with_spikes(recording, lambda t, i, _: (t, order[i]))
    populations = [
        replace(p, v=p.v[:, np.argsort(order)[: p.v.shape[1]]]) if p.v.shape[1] == n else p
        for p in moved.populations
    ]
    return replace(moved, populations=tuple(populations))


def dropped(recording: Recording, fraction: float, seed: int) -> Recording:
    """Without a `fraction` of its spikes, at least one."""
    rng = np.random.default_rng(seed)

    def change(t, i, _):
        n = max(1, round(fraction * t.size))
        kept = np.ones(t.size, dtype=bool)
        kept[rng.choice(t.size, min(n, t.size), replace=False)] = False
        return t[kept], i[kept]

    return with_spikes(recording, change)


def truncated(recording: Recording, at: float, trials: Sequence[int] | None = None) -> Recording:
    """Without the spikes after `at` ms (of some trials)."""

    def change(t, i, _):
        kept = t <= at
        if trials is not None:
            kept |= ~np.isin(i, trials)
        return t[kept], i[kept]

    return with_spikes(recording, change)


def off_grid(*changes: str, seed: int = 1995, name: str = "mainen_sejnowski") -> Recording:
    """The same with spikes where v crosses the threshold, in closed form within each step."""
    experiment = files.load(name, [f"seed={seed}", *changes])
    recording = simulate(experiment)
    populations = []
    for population, condition in zip(recording.populations, experiment.conditions, strict=True):
        times, indices = crossings(experiment, condition)
        populations.append(
            replace(
                population,
                spike_times=times,
                spike_indices=indices,
                v=np.zeros((0, 0)),
                v_indices=np.zeros(0, np.int64),
            )
        )
    return replace(recording, populations=tuple(populations), backend="exact")


def crossings(experiment: Experiment, condition: Condition) -> tuple[np.ndarray, np.ndarray]:
    """Spike times (ms) and trials of a leaky cell, off the grid; tau_refrac at least a step."""
    p, n, dt = experiment.neuron.parameters, experiment.trials, experiment.timestep
    shared = stimulus.shared_current(experiment, condition)
    private = stimulus.private_currents(experiment, condition, list(range(n))).T
    tau, thresh = p["tau_m"], p["v_thresh"]
    v = np.full(n, experiment.neuron.initial_values["v"])
    free = np.zeros(n)
    times, indices = [], []
    for k, row in enumerate(shared[:, None] + private):
        begin = np.clip(free, k * dt, (k + 1) * dt)
        target = p["v_rest"] + (row + p["i_offset"]) * tau / p["cm"]
        after = target + (v - target) * np.exp(-((k + 1) * dt - begin) / tau)
        fired = np.flatnonzero(after >= thresh)
        at = begin[fired] + tau * np.log((target - v)[fired] / (target - thresh)[fired])
        free[fired] = at + p["tau_refrac"]
        begin = np.clip(free[fired], at, (k + 1) * dt)
        v = after
        reset = p["v_reset"]
        v[fired] = target[fired] + (reset - target[fired]) * np.exp(-((k + 1) * dt - begin) / tau)
        times.append(at)
        indices.append(fired)
    spike_times, spike_indices = np.concatenate(times), np.concatenate(indices)
    order = np.lexsort((spike_times, spike_indices))
    return spike_times[order], spike_indices[order].astype(np.int64)


def fixed_point(*changes: str, seed: int = 1995) -> Recording:
    """The same in SpiNNaker's s16.15 numbers, stamped with the end of the step."""
    experiment = files.load("mainen_sejnowski", [f"seed={seed}", *changes])
    recording = simulate(experiment)
    populations = [
        replace(population, spike_times=times, spike_indices=indices, v=np.zeros((0, 0)),
                v_indices=np.zeros(0, np.int64))
        for population, (times, indices) in zip(
            recording.populations,
            [_fixed(experiment, condition) for condition in experiment.conditions],
            strict=True,
        )
    ]  # fmt: skip
    return replace(recording, populations=tuple(populations), backend="spinnaker-twin")


def _fixed(experiment: Experiment, condition: Condition) -> tuple[np.ndarray, np.ndarray]:
    one = 32768
    p, n, dt = experiment.neuron.parameters, experiment.trials, experiment.timestep
    ts, tau, cm = (round(x * one) for x in (dt, p["tau_m"], p["cm"]))
    decay = int(np.exp(-(ts * one // tau) / one) * one)
    resistance, hold = tau * one // cm, -(-round(p["tau_refrac"] * one) // ts)
    private = stimulus.private_currents(experiment, condition, list(range(n))).T
    current = stimulus.shared_current(experiment, condition)[:, None] + private
    current = np.rint(current * one).astype(np.int64)
    v = np.full(n, round(experiment.neuron.initial_values["v"] * one), dtype=np.int64)
    busy = np.zeros(n, dtype=np.int64)
    times, indices = [], []
    for k in range(experiment.n_steps):
        target = ((current[k] * resistance) >> 15) + round(p["v_rest"] * one)
        after = target - ((decay * (target - v)) >> 15)
        v = np.where(busy > 0, v, after)
        busy = np.maximum(busy - 1, 0)
        fired = np.flatnonzero(v >= round(p["v_thresh"] * one))
        v[fired], busy[fired] = round(p["v_reset"] * one), hold
        times.append(np.full(fired.size, round((k + 1) * dt, 9)))
        indices.append(fired)
    spike_times, spike_indices = np.concatenate(times), np.concatenate(indices)
    order = np.lexsort((spike_times, spike_indices))
    return spike_times[order], spike_indices[order].astype(np.int64)


def bare(recording: Recording) -> neo.Block:
    """What a colleague's file has: segments with names, spike trains, and nothing else."""
    ours, theirs = build_block(recording), neo.Block(name="a colleague's")
    for segment in ours.segments:
        copy = neo.Segment(name=segment.name)
        for train in segment.spiketrains:
            copy.spiketrains.append(neo.SpikeTrain(train.magnitude, train.t_stop, units="ms"))
        theirs.segments.append(copy)
    return theirs


def nudged(experiment: Experiment, trial: int, spike: int) -> Recording:
    """Solved on the grid, but that spike of that trial comes a step late in every condition."""
    recording = simulate(experiment)
    populations = []
    for population, condition in zip(recording.populations, experiment.conditions, strict=True):
        mine = population.spike_indices == trial
        times = population.spike_times[mine]
        kept = times[: spike - 1].tolist()
        late = round(times[spike - 1] + experiment.timestep, 9)
        after = _on_from(experiment, condition, trial, late)
        new = np.array([*kept, late, *after])
        populations.append(
            replace(
                population,
                spike_times=np.concatenate(
                    [
                        population.spike_times[population.spike_indices < trial],
                        new,
                        population.spike_times[population.spike_indices > trial],
                    ]
                ),
                spike_indices=np.sort(
                    np.concatenate(
                        [population.spike_indices[~mine], np.full(new.size, trial, np.int64)]
                    )
                ),
            )
        )
    return replace(recording, populations=tuple(populations))


def _on_from(experiment: Experiment, condition: Condition, trial: int, spike: float) -> list[float]:
    """The spikes of one trial after one at `spike` ms, on the grid."""
    p, dt = experiment.neuron.parameters, experiment.timestep
    current = stimulus.shared_current(experiment, condition) + stimulus.private_current(
        experiment, condition, trial
    )
    hold, decay = round(p["tau_refrac"] / dt), np.exp(-dt / p["tau_m"])
    k, v, found = round(spike / dt) + hold, p["v_reset"], []
    while k < experiment.n_steps:
        target = p["v_rest"] + (current[k] + p["i_offset"]) * p["tau_m"] / p["cm"]
        v = target + (v - target) * decay
        k += 1
        if v >= p["v_thresh"]:
            found.append(round(k * dt, 9))
            v = p["v_reset"]
            k += hold
    return found
