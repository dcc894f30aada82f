"""The spikes of spike sources in a stretch of simulation."""

from __future__ import annotations

from typing import Any

import numpy as np

from .network import Floats, Integers

WINDOW = 100.0
"""ms. Poisson spikes are drawn for so long at once, so that run(a); run(b) equals run(a + b)."""


def spikes_of_source(
    population: Any, first: int, last: int, timestep: float, seed: int, on_grid: bool
) -> tuple[Floats, Integers]:
    """(times in ms, indices), sorted by time, of a SpikeSourceArray or SpikeSourcePoisson."""
    parameters = population.parameters
    begin, end = first * timestep, last * timestep
    if "spike_times" in parameters:
        trains = [np.asarray(t.value, dtype=float) for t in parameters["spike_times"]]
        index = np.repeat(np.arange(len(trains)), [len(t) for t in trains])
        times = np.concatenate([np.empty(0), *trains])
    else:
        times, index = _poisson(parameters, population.number, begin, end, seed)
    if on_grid:
        # A time between two points of the grid is that of the end of its step.
        step = np.ceil(times / timestep - 1e-6)
        times = np.round(step * timestep, 9)
    else:
        step = times / timestep
    tolerance = 1e-9
    keep = (step > first + tolerance) & (step <= last + tolerance)
    if first == 0:
        keep |= np.abs(step) <= tolerance
    times, index = times[keep], index[keep].astype(np.int64)
    order = np.argsort(times, kind="stable")
    return times[order], index[order]


def _poisson(
    parameters: dict[str, Floats], number: int, begin: float, end: float, seed: int
) -> tuple[Floats, Integers]:
    rate = parameters["rate"] / 1000.0
    start = parameters["start"]
    stop = start + parameters["duration"]
    times: list[Floats] = [np.empty(0)]
    index: list[Integers] = [np.empty(0, np.int64)]
    # One window earlier: a spike just before a window's edge may be put onto the grid after it.
    for window in range(max(int(begin // WINDOW) - 1, 0), int(end // WINDOW) + 1):
        rng = np.random.RandomState([seed % 2**32, 1, number, window])
        found = np.repeat(np.arange(len(rate)), rng.poisson(rate * WINDOW))
        at = (window + rng.random_sample(len(found))) * WINDOW
        keep = (at >= start[found]) & (at < stop[found])
        times.append(at[keep])
        index.append(found[keep])
    return np.concatenate(times), np.concatenate(index)
