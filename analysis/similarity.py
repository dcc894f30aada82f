"""Similarity of spike trains over trials without any notion of events: Schreiber's correlation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analysis.resampling import Estimate, trial_weights, with_interval
from analysis.spikearrays import FloatArray, SpikeArrays, Trials, require_positive, spike_arrays

# The product of two Gaussians of width sigma, summed on a grid of step sigma / 2, equals its
# integral to a relative exp(-4 pi^2), so the grid does not show in double precision.
_STEPS_PER_SIGMA = 2
_REACH = 9  # Half width of the kernel in sigmas: beyond it exp(-x^2 / 2) is below 1e-17.
_BLOCK = 256  # Trials smoothed at once, which bounds the memory for long recordings.


def schreiber_correlation(trials: Trials, sigma: float = 2.0) -> float:
    """Schreiber's reliability: mean correlation of the smoothed spike trains over pairs of trials.

    Each train is convolved with a Gaussian of width sigma (ms); the correlation of two trains is
    the cosine of the angle between them, s_i . s_j / (|s_i| |s_j|), without subtracting the mean;
    R is its mean over all pairs of different trials: 1 for identical trains, towards 0 for
    independent ones (it grows with rate and sigma). A pair with a silent trial counts 0, silent
    pairs included: silence is no reproducible spike time. Kernels are not cut at the window's ends.

    Returns NaN for one trial. Raises ValueError unless sigma is above 0.
    Schreiber, Fellous, Whitmer, Tiesinga & Sejnowski (2003), Neurocomputing 52-54:925.
    """
    require_positive("sigma", sigma, "ms")
    spikes = spike_arrays(trials)
    weights = np.ones((1, spikes.n_trials))
    return float(_weighted_correlations(spikes, sigma, weights)[0])


def schreiber_with_interval(
    trials: Trials,
    sigma: float = 2.0,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """`schreiber_correlation` with a bootstrap confidence interval over trials.

    Trials are drawn with replacement; two draws of the same trial are no pair, since their
    correlation of 1 says nothing on reproducibility and would push the interval up. The interval is
    NaN for one trial. Raises ValueError as `analysis.resampling.trial_weights` does.
    """
    require_positive("sigma", sigma, "ms")
    spikes = spike_arrays(trials)
    drawn = trial_weights(spikes.n_trials, resamples, seed)
    weights = np.vstack([np.ones(spikes.n_trials), drawn])
    values = _weighted_correlations(spikes, sigma, weights)
    return with_interval(float(values[0]), values[1:], confidence)


def _weighted_correlations(spikes: SpikeArrays, sigma: float, weights: FloatArray) -> FloatArray:
    """Mean correlation over pairs of different trials, for each row of weights (n_rows, n_trials).

    With unit vectors u_i, the sum over pairs of w_i w_j u_i.u_j is (|sum w_i u_i|^2 - sum w_i^2)/2,
    which spares the matrix of all pairs.
    """
    summed: FloatArray | None = None
    for block, smoothed in _unit_trains(spikes, sigma):
        part = weights[:, block] @ smoothed
        summed = part if summed is None else summed + part
    assert summed is not None  # There is at least one trial.
    own = (weights**2) @ (spikes.counts > 0)
    pairs = weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
    together = (summed**2).sum(axis=1) - own
    # Rounding may leave the correlation a hair outside 0..1.
    mean = together / np.where(pairs > 0, pairs, np.nan)
    return np.asarray(np.clip(mean, 0.0, 1.0), dtype=np.float64)


def _unit_trains(spikes: SpikeArrays, sigma: float) -> Iterator[tuple[slice, FloatArray]]:
    """Blocks of trials with their smoothed trains, (trials, n_grid), of length 1, silent ones 0."""
    step = sigma / _STEPS_PER_SIGMA
    reach = _REACH * _STEPS_PER_SIGMA
    offsets = np.arange(-reach, reach + 1)
    n_grid = int(np.ceil(spikes.duration / step)) + 2 * reach + 2
    ends = np.cumsum(spikes.counts)
    for first in range(0, spikes.n_trials, _BLOCK):
        stop = min(first + _BLOCK, spikes.n_trials)
        mine = slice(int(ends[first - 1]) if first else 0, int(ends[stop - 1]))
        place = (spikes.times[mine] - spikes.t_start) / step
        nearest = np.rint(place).astype(np.int64)
        distance = (offsets - (place - nearest)[:, None]) / _STEPS_PER_SIGMA
        row = (spikes.trials[mine] - first) * n_grid
        cells = (row + nearest + reach)[:, None] + offsets
        smoothed = np.bincount(
            cells.ravel(), np.exp(-0.5 * distance**2).ravel(), (stop - first) * n_grid
        ).reshape(stop - first, n_grid)
        norm = np.sqrt((smoothed**2).sum(axis=1, keepdims=True))
        yield slice(first, stop), smoothed / np.where(norm > 0, norm, 1.0)
