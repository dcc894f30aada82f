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
    """Mainen & Sejnowski's experiment with integrate-and-fire neurons, integrated exactly.

    IF_curr_exp, tau_m 30 ms, cm 0.25 nF, rest and reset -70 mV, threshold -53 mV, tau_refrac 2 ms;
    900 ms of a frozen current of mean 0.165 nA and SD sigma (nA), alpha-filtered with 3 ms, and
    private white noise of SD 0.03 nA, held for 0.5 ms.
    """
    dt, n_steps, hold = 0.1, 9000, 5
    rng = np.random.default_rng(seed)
    a = np.exp(-dt / 3.0)
    white = rng.standard_normal(n_steps + 600)
    once = twice = 0.0
    frozen = np.empty(white.size)
    for k, sample in enumerate(white):
        once = a * once + sample
        twice = a * twice + once
        frozen[k] = twice
    frozen *= sigma * np.sqrt((1 - a**2) ** 3 / (1 + a**2))
    current = 0.165 + frozen[-n_steps:]
    private = 0.03 * rng.standard_normal((n_steps // hold, n_trials))
    decay, resistance = np.exp(-dt / 30.0), 30.0 / 0.25
    v = np.full(n_trials, -70.0)
    silent = np.zeros(n_trials, dtype=int)
    times, trials = [np.empty(0)], [np.empty(0, dtype=int)]
    for k in range(n_steps):
        v_inf = -70.0 + resistance * (current[k] + private[k // hold])
        v = np.where(silent > 0, -70.0, v_inf + (v - v_inf) * decay)
        silent = np.maximum(silent - 1, 0)
        fired = np.flatnonzero(v >= -53.0)
        v[fired], silent[fired] = -70.0, 20
        times.append(np.full(fired.size, (k + 1) * dt))
        trials.append(fired)
    return arrays(np.concatenate(times), np.concatenate(trials), n_trials, 900.0)
