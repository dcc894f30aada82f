"""Two runs side by side: trial k of the one with trial k of the other, on the same window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.spikearrays import (
    WINDOW_TOLERANCE,
    FloatArray,
    IntArray,
    SpikeArrays,
    Trials,
    spike_arrays,
)

Kernel = Callable[..., None]
"""(times, starts, times, starts, first, second, out, *parameters): see `analysis.kernels`."""


def paired(reference: Trials, other: Trials) -> tuple[SpikeArrays, SpikeArrays]:
    """Both as arrays; ValueError unless they have the same number of trials."""
    a, b = spike_arrays(reference), spike_arrays(other)
    if a.n_trials != b.n_trials:
        raise ValueError(
            f"reference has {a.n_trials} trials and other has {b.n_trials}; trial k is compared "
            "with trial k, so both must have the same number"
        )
    return a, b


def paired_in_window(reference: Trials, other: Trials) -> tuple[SpikeArrays, SpikeArrays]:
    """As `paired`; ValueError unless both were observed in the same window, too."""
    a, b = paired(reference, other)
    apart = max(abs(a.t_start - b.t_start), abs(a.t_stop - b.t_stop))
    if apart > WINDOW_TOLERANCE:
        raise ValueError(
            f"reference is observed over {a.t_start:g}..{a.t_stop:g} ms and other over "
            f"{b.t_start:g}..{b.t_stop:g} ms; this measure needs one window "
            "(analysis.pairs.in_common_window cuts both to it)"
        )
    return a, b


def in_common_window(reference: Trials, other: Trials) -> tuple[SpikeArrays, SpikeArrays]:
    """Both cut to the window (closed on both sides) in which both were observed.

    Raises ValueError when there is none.
    """
    a, b = spike_arrays(reference), spike_arrays(other)
    t_start, t_stop = max(a.t_start, b.t_start), min(a.t_stop, b.t_stop)
    if not t_stop > t_start:
        raise ValueError(
            f"reference is observed over {a.t_start:g}..{a.t_stop:g} ms and other over "
            f"{b.t_start:g}..{b.t_stop:g} ms; they have no time in common"
        )
    return _cut(a, t_start, t_stop), _cut(b, t_start, t_stop)


def _cut(spikes: SpikeArrays, t_start: float, t_stop: float) -> SpikeArrays:
    kept = (spikes.times >= t_start) & (spikes.times <= t_stop)
    return SpikeArrays(spikes.times[kept], spikes.trials[kept], spikes.n_trials, t_start, t_stop)


def starts(spikes: SpikeArrays) -> IntArray:
    """Where each trial begins in `times`, and where the last one ends, int64 (n_trials + 1,)."""
    return np.concatenate([[0], np.cumsum(spikes.counts)]).astype(np.int64)


def contiguous(spikes: SpikeArrays) -> FloatArray:
    """The times as compiled code takes them."""
    return np.require(spikes.times, np.float64, ["C", "W"])


def by_trial(kernel: Kernel, a: SpikeArrays, b: SpikeArrays, *parameters: float) -> FloatArray:
    """The kernel's value of trial k of a with trial k of b, float64 (n_trials,)."""
    trials = np.arange(a.n_trials)
    out = np.empty(a.n_trials)
    both = (contiguous(a), starts(a), contiguous(b), starts(b))
    kernel(*both, trials, trials, out, *map(float, parameters))
    return out


def all_pairs(kernel: Kernel, trials: SpikeArrays, *parameters: float) -> FloatArray:
    """The kernel's value of every two trials, symmetric float64 (n_trials, n_trials)."""
    times, begin = contiguous(trials), starts(trials)
    # Strided, as triu_indices gives them, they would be another type to compile for.
    first, second = (np.ascontiguousarray(index) for index in np.triu_indices(trials.n_trials))
    found = np.empty(first.size)
    kernel(times, begin, times, begin, first, second, found, *map(float, parameters))
    out = np.empty((trials.n_trials, trials.n_trials))
    out[first, second] = found
    out[second, first] = found
    return out
