"""Bootstrap over trials: the trial is the unit that was drawn at random, so trials are redrawn.

Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 14.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from analysis.spikearrays import FloatArray


@dataclass(frozen=True)
class Estimate:
    """A value and its bootstrap confidence interval; all NaN where it is not defined."""

    value: float
    low: float
    high: float


def trial_weights(n_trials: int, resamples: int, seed: int) -> FloatArray:
    """How often each trial is drawn in each resample, float64 (resamples, n_trials).

    Rows sum to n_trials. Raises ValueError unless resamples is 1 or more and seed 0 or more.
    """
    if resamples < 1:
        raise ValueError(f"resamples is {resamples!r}; it must be 1 or more")
    if seed < 0:
        raise ValueError(f"seed is {seed!r}; it must be 0 or more")
    drawn = np.random.default_rng(seed).integers(0, n_trials, size=(resamples, n_trials))
    cells = drawn + n_trials * np.arange(resamples)[:, None]
    counts = np.bincount(cells.ravel(), minlength=resamples * n_trials)
    return counts.reshape(resamples, n_trials).astype(np.float64)


def with_interval(value: float, resampled: FloatArray, confidence: float) -> Estimate:
    """The value with the bias-corrected percentile interval of its resampled values (n,).

    Plain percentiles would do for a fraction, but the SD of redrawn spikes is smaller on average
    than that of the spikes, by half a spike's worth in each event. The share of resampled values
    below the value says by how much, and the percentiles are moved accordingly (Efron's BC).

    A resample in which the value is not defined (NaN: all draws were the same trial, say) is left
    out. Without at least two defined ones, or for a NaN value, the interval is NaN.
    Raises ValueError unless confidence lies between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}; it must lie between 0 and 1")
    defined = resampled[~np.isnan(resampled)]
    if np.isnan(value) or defined.size < 2:
        return Estimate(value, float("nan"), float("nan"))
    # With few trials a resample can hold each of them once: the same value, but for rounding.
    tied = np.isclose(defined, value, rtol=1e-9, atol=1e-12)
    below = np.count_nonzero((defined < value) & ~tied) + 0.5 * np.count_nonzero(tied)
    normal = NormalDist()
    # Half a resample from either end, since the quantile of 0 is infinite.
    bias = normal.inv_cdf(float(np.clip(below, 0.5, defined.size - 0.5)) / defined.size)
    tail = normal.inv_cdf((1 - confidence) / 2)
    low, high = np.quantile(defined, [normal.cdf(2 * bias + tail), normal.cdf(2 * bias - tail)])
    return Estimate(value, float(low), float(high))
