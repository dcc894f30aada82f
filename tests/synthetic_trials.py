"""Trials whose statistics are known beforehand."""

from __future__ import annotations

from collections.abc import Sequence

import neo
import numpy as np
import quantities as pq

from analysis.spikearrays import SpikeArrays


def spike_trains(
    times: Sequence[Sequence[float]], t_stop: float = 100.0, t_start: float = 0.0, units: str = "ms"
) -> list[neo.SpikeTrain]:
    """A neo.SpikeTrain for each sequence of times; all numbers are in ms, whatever the units."""
    scale = pq.Quantity(1.0, "ms").rescale(units).item()
    return [
        neo.SpikeTrain(
            np.asarray(one, dtype=float) * scale,
            units=units,
            t_start=t_start * scale,
            t_stop=t_stop * scale,
        )
        for one in times
    ]


def arrays(
    times: np.ndarray, trials: np.ndarray, n_trials: int, t_stop: float, t_start: float = 0.0
) -> SpikeArrays:
    """SpikeArrays of spikes in any order."""
    order = np.lexsort((times, trials))
    return SpikeArrays(times[order], trials[order].astype(np.int64), n_trials, t_start, t_stop)


def poisson_trials(n_trials: int, rate: float, duration: float, seed: int) -> SpikeArrays:
    """Independent Poisson trains of `rate` Hz."""
    rng = np.random.default_rng(seed)
    trials = np.repeat(np.arange(n_trials), rng.poisson(rate * duration / 1000, n_trials))
    return arrays(rng.uniform(0, duration, trials.size), trials, n_trials, duration)


def jittered_trials(
    centres: np.ndarray, n_trials: int, seed: int, jitter: float = 1.0, kept: float = 0.9
) -> SpikeArrays:
    """A spike at each centre (ms) with Gaussian jitter (ms), kept with a probability; 900 ms."""
    rng = np.random.default_rng(seed)
    times = centres + jitter * rng.standard_normal((n_trials, centres.size))
    present = rng.random(times.shape) < kept
    trials = np.broadcast_to(np.arange(n_trials)[:, None], times.shape)
    return arrays(times[present], trials[present], n_trials, 900.0)


def lif_trials(sigma: float, seed: int, n_trials: int = 25) -> SpikeArrays:
    """`lif_experiments` of one stimulus."""
    return lif_experiments([(sigma, seed)], n_trials)[0]


def lif_experiments(stimuli: Sequence[tuple[float, int]], n_trials: int = 25) -> list[SpikeArrays]:
    """Mainen & Sejnowski's experiment with integrate-and-fire neurons, integrated exactly.

    IF_curr_exp, tau_m 30 ms, cm 0.25 nF, rest and reset -70 mV, threshold -53 mV, tau_refrac 2 ms;
    900 ms of a frozen current of mean 0.165 nA and SD sigma (nA), alpha-filtered with 3 ms, and
    private white noise of SD 0.03 nA, held for 0.5 ms. stimuli: (sigma, seed) of each.
    """
    dt, n_steps, hold, before = 0.1, 9000, 5, 600
    generators = [np.random.default_rng(seed) for _, seed in stimuli]
    white = np.stack([rng.standard_normal(n_steps + before) for rng in generators], axis=1)
    private = 0.03 * np.stack(
        [rng.standard_normal((n_steps // hold, n_trials)) for rng in generators], axis=1
    )
    a, decay, resistance = np.exp(-dt / 3.0), np.exp(-dt / 30.0), 30.0 / 0.25
    stdev = np.array([sigma for sigma, _ in stimuli]) * np.sqrt((1 - a**2) ** 3 / (1 + a**2))
    once, twice = np.zeros(len(stimuli)), np.zeros(len(stimuli))
    v = np.full((len(stimuli), n_trials), -70.0)
    silent = np.zeros(v.shape, dtype=int)
    fired = np.zeros((n_steps, *v.shape), dtype=bool)
    for k in range(-before, n_steps):
        once = a * once + white[k + before]
        twice = a * twice + once
        if k < 0:
            continue
        v_inf = -70.0 + resistance * (0.165 + (stdev * twice)[:, None] + private[k // hold])
        v = np.where(silent > 0, -70.0, v_inf + (v - v_inf) * decay)
        fired[k] = v >= -53.0
        silent = np.where(fired[k], 20, np.maximum(silent - 1, 0))
        v = np.where(fired[k], -70.0, v)
    each = [np.nonzero(fired[:, number]) for number in range(len(stimuli))]
    return [arrays((steps + 1) * dt, trials, n_trials, 900.0) for steps, trials in each]
