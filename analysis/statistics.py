"""Rates, intervals and counts of spike trains over trials.

Definitions are Elephant's (a test compares the two); the lines are our own, since Elephant works on
one train at a time and takes a second to import. A value that is not defined is NaN, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.events import DEFAULT_CRITERIA, EventCriteria
from analysis.reliability import event_reliability
from analysis.resampling import Estimate
from analysis.similarity import schreiber_with_interval
from analysis.spikearrays import FloatArray, IntArray, Trials, require_positive, spike_arrays

# A spike at 5.0 ms may be stored as 4.9999999 ms. Within this part of a bin below an edge it
# belongs to the next bin, as in Elephant's binning.
_BIN_TOLERANCE = 1e-8

SPIKE_NUMBERS = (1, 5, 10)
"""The spikes of each trial whose spread over trials the summary gives."""


@dataclass(frozen=True)
class Intervals:
    """Inter-spike intervals of all trials.

    durations: float64 (n_intervals,), ms, in order of trial and time.
    trials: int64 (n_intervals,), the trial of each interval.
    n_trials: number of trials, those without an interval included.
    """

    durations: FloatArray
    trials: IntArray
    n_trials: int


@dataclass(frozen=True)
class Psth:
    """Peri-stimulus time histogram: bin edges, float64 (n_bins + 1,), ms; rate (n_bins,), Hz."""

    edges: FloatArray
    rate: FloatArray


@dataclass(frozen=True)
class TrialStatistics:
    """What the trials of one condition have in numbers; NaN for what is not defined.

    n_trials, n_spikes, n_events: trials, spikes of all of them together, events.
    rate_mean, rate_sd: mean and SD (ddof 1) over trials of the firing rate, Hz.
    cv, cv2, lv: means over the trials in which they are defined.
    fano: Fano factor of the spike counts.
    reliability, precision: of the events (precision in ms), as `analysis.reliability` defines them.
    schreiber: Schreiber's correlation, as `analysis.similarity` defines it.
    spike_time_sd: spike number -> SD over trials of its time, ms.
    """

    n_trials: int
    n_spikes: int
    rate_mean: float
    rate_sd: float
    cv: float
    cv2: float
    lv: float
    fano: float
    reliability: Estimate
    precision: Estimate
    n_events: int
    schreiber: Estimate
    spike_time_sd: dict[int, float]


def mean_firing_rates(trials: Trials) -> FloatArray:
    """Firing rate of each trial over its window, Hz, float64 (n_trials,)."""
    spikes = spike_arrays(trials)
    return np.asarray(spikes.counts / spikes.duration * 1000.0, dtype=np.float64)


def isi(trials: Trials) -> Intervals:
    """Inter-spike intervals within each trial, ms; a repeated spike time gives an interval of 0."""
    spikes = spike_arrays(trials)
    within = np.diff(spikes.trials) == 0
    return Intervals(np.diff(spikes.times)[within], spikes.trials[1:][within], spikes.n_trials)


def cv(trials: Trials) -> FloatArray:
    """Coefficient of variation of each trial's intervals, SD / mean, float64 (n_trials,).

    The SD is that of the sample (ddof 0), as in Elephant. NaN for a trial with fewer than two
    intervals, or with intervals of 0 only.
    """
    intervals = isi(trials)
    mean = _mean_by_trial(intervals.durations, intervals.trials, intervals.n_trials, at_least=2)
    squares = (intervals.durations - mean[intervals.trials]) ** 2
    variance = _mean_by_trial(squares, intervals.trials, intervals.n_trials)
    return _ratio(np.sqrt(variance), mean)


def cv2(trials: Trials) -> FloatArray:
    """CV2 of each trial, mean of 2 |I' - I| / (I' + I) over successive intervals, (n_trials,).

    1 for a Poisson process; insensitive to slow changes of the rate. NaN for a trial with fewer
    than two intervals. Two successive intervals of 0 (a spike time held three times) have no ratio
    and are left out. Holt, Softky, Koch & Douglas (1996), J. Neurophysiol. 75:1806.
    """
    contrast, pair_trials, n_trials = _interval_contrasts(trials)
    return _mean_by_trial(2.0 * np.abs(contrast), pair_trials, n_trials)


def lv(trials: Trials) -> FloatArray:
    """Local variation of each trial, mean of 3 (I' - I)^2 / (I' + I)^2, float64 (n_trials,).

    1 for a Poisson process, 0 for a regular one. NaN, and pairs left out, as in `cv2`.
    Shinomoto, Shima & Tanji (2003), Neural Comput. 15:2823.
    """
    contrast, pair_trials, n_trials = _interval_contrasts(trials)
    return _mean_by_trial(3.0 * contrast**2, pair_trials, n_trials)


def fano_factor(trials: Trials) -> float:
    """Variance (ddof 0, as in Elephant) over mean of the spike counts of the trials.

    NaN for one trial, which has no variance, and for trials without any spike.
    """
    counts = spike_arrays(trials).counts
    if counts.size < 2 or not counts.any():
        return float("nan")
    return float(counts.var() / counts.mean())


def psth(trials: Trials, bin_size: float = 5.0) -> Psth:
    """Firing rate over time, averaged over trials (Hz), in bins of `bin_size` ms from t_start on.

    A bin holds its lower edge; the last one holds t_stop too, and ends there even if that makes it
    shorter (its rate is that of its own width). Raises ValueError unless bin_size is above 0.
    """
    require_positive("bin_size", bin_size, "ms")
    spikes = spike_arrays(trials)
    n_bins = max(1, int(np.ceil(spikes.duration / bin_size - _BIN_TOLERANCE)))
    edges = np.asarray(spikes.t_start + bin_size * np.arange(n_bins + 1), dtype=np.float64)
    edges[-1] = spikes.t_stop
    bins = np.floor((spikes.times - spikes.t_start) / bin_size + _BIN_TOLERANCE).astype(np.int64)
    counts = np.bincount(np.clip(bins, 0, n_bins - 1), minlength=n_bins)
    rate = counts / spikes.n_trials / np.diff(edges) * 1000.0
    return Psth(edges, np.asarray(rate, dtype=np.float64))


def first_spike_latency(trials: Trials, onset: float | None = None) -> FloatArray:
    """Time (ms) from `onset` to each trial's first spike at or after it, float64 (n_trials,).

    onset: ms, t_start if None. NaN for a trial without such a spike.
    """
    spikes = spike_arrays(trials)
    onset = spikes.t_start if onset is None else onset
    later = spikes.times >= onset
    latency = np.full(spikes.n_trials, np.inf)
    np.minimum.at(latency, spikes.trials[later], spikes.times[later] - onset)
    return np.where(np.isinf(latency), np.nan, latency)


def spike_times_of_number(trials: Trials, number: int) -> FloatArray:
    """Time (ms) of spike `number` (from 1 on) of each trial, NaN where there is none, (n_trials,).

    Raises ValueError unless number is 1 or more.
    """
    if number < 1:
        raise ValueError(f"number is {number!r}; spikes are counted from 1 on")
    spikes = spike_arrays(trials)
    chosen = spikes.ordinals == number
    times = np.full(spikes.n_trials, np.nan)
    times[spikes.trials[chosen]] = spikes.times[chosen]
    return times


def spike_time_sd(trials: Trials, number: int) -> float:
    """SD (ms, ddof 1) over trials of the time of spike `number` (from 1 on).

    Under a constant current it grows with the number, since every interval adds its own noise.
    Trials without that spike do not count; NaN if fewer than two have it.
    """
    times = spike_times_of_number(trials, number)
    times = times[~np.isnan(times)]
    return float(times.std(ddof=1)) if times.size >= 2 else float("nan")


def summary(
    trials: Trials,
    criteria: EventCriteria = DEFAULT_CRITERIA,
    *,
    sigma: float = 2.0,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> TrialStatistics:
    """All numbers of one condition, such as a Segment of a run.

    sigma: width (ms) of the kernel of Schreiber's correlation. The other parameters are those of
    `analysis.reliability.event_reliability`, as are the errors.
    """
    spikes = spike_arrays(trials)
    rates = mean_firing_rates(spikes)
    events = event_reliability(
        spikes, criteria, resamples=resamples, confidence=confidence, seed=seed
    )
    return TrialStatistics(
        n_trials=spikes.n_trials,
        n_spikes=int(spikes.times.size),
        rate_mean=float(rates.mean()),
        rate_sd=float(rates.std(ddof=1)) if rates.size > 1 else float("nan"),
        cv=_mean_of_defined(cv(spikes)),
        cv2=_mean_of_defined(cv2(spikes)),
        lv=_mean_of_defined(lv(spikes)),
        fano=fano_factor(spikes),
        reliability=events.reliability,
        precision=events.precision,
        n_events=len(events.events),
        schreiber=schreiber_with_interval(
            spikes, sigma, resamples=resamples, confidence=confidence, seed=seed
        ),
        spike_time_sd={number: spike_time_sd(spikes, number) for number in SPIKE_NUMBERS},
    )


def _interval_contrasts(trials: Trials) -> tuple[FloatArray, IntArray, int]:
    """(I' - I) / (I' + I) of successive intervals, the trial of each, the number of trials."""
    intervals = isi(trials)
    first, second = intervals.durations[:-1], intervals.durations[1:]
    total = first + second
    kept = (np.diff(intervals.trials) == 0) & (total > 0)
    contrast = (second[kept] - first[kept]) / total[kept]
    return contrast, intervals.trials[1:][kept], intervals.n_trials


def _mean_by_trial(
    values: FloatArray, trials: IntArray, n_trials: int, at_least: int = 1
) -> FloatArray:
    counts = np.bincount(trials, minlength=n_trials)
    sums = np.bincount(trials, weights=values, minlength=n_trials)
    return np.where(counts >= at_least, sums / np.maximum(counts, 1), np.nan)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """The quotient, NaN where the denominator is 0."""
    return np.asarray(numerator / np.where(denominator == 0.0, np.nan, denominator))


def _mean_of_defined(values: FloatArray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
