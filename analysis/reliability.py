"""Reliability and precision of spike times over trials: fractions and SDs over events.

Mainen & Sejnowski (1995), Science 268:1503. `analysis.events` says what an event is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.events import DEFAULT_CRITERIA, EventCriteria, Events, distinct_spikes, find_events
from analysis.resampling import Estimate, trial_weights, with_interval
from analysis.spikearrays import FloatArray, SpikeArrays, Trials, spike_arrays


@dataclass(frozen=True)
class EventReliability:
    """Reliability (0..1) and precision (ms) with their confidence intervals, and the events.

    The precision is never to be shown without the reliability: coincidences by chance are precise
    as well, there are only few of them.
    """

    reliability: Estimate
    precision: Estimate
    events: Events


def event_reliability(
    trials: Trials,
    criteria: EventCriteria = DEFAULT_CRITERIA,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> EventReliability:
    """Mainen & Sejnowski's reliability and precision, with bootstrap confidence intervals.

    Reliability is the fraction of all spikes that fall into events: 0 if there are none, NaN
    without spikes or with one trial, which cannot repeat. Precision is the mean over events of the
    SD (ms, ddof 1) of the spike times within; NaN without events. A time that a train holds twice
    counts as one spike.

    The intervals are those of `resamples` redrawn sets of trials. The events stay
    those of the full data, so they say how well the two numbers are known for these events, not
    how many events another set of trials would show. Raises ValueError for resamples below 1, a
    confidence outside 0..1, or a negative seed.
    """
    spikes = distinct_spikes(spike_arrays(trials))
    events = find_events(spikes, criteria)
    weights = np.vstack([np.ones(spikes.n_trials), trial_weights(spikes.n_trials, resamples, seed)])
    reliability = _reliabilities(spikes, events, weights)
    precision = _precisions(spikes, events, weights)
    return EventReliability(
        with_interval(float(reliability[0]), reliability[1:], confidence),
        with_interval(float(precision[0]), precision[1:], confidence),
        events,
    )


def _reliabilities(spikes: SpikeArrays, events: Events, weights: FloatArray) -> FloatArray:
    """Fraction of spikes in events for each row of weights (n_rows, n_trials)."""
    if spikes.n_trials < 2:
        return np.full(len(weights), np.nan)
    inside = events.index_of(spikes.times) >= 0
    within = np.bincount(spikes.trials[inside], minlength=spikes.n_trials)
    total = weights @ spikes.counts
    return np.asarray((weights @ within) / np.where(total > 0, total, np.nan), dtype=np.float64)


def _precisions(spikes: SpikeArrays, events: Events, weights: FloatArray) -> FloatArray:
    """Mean over events of the SD of their spikes for each row of weights (n_rows, n_trials).

    Counts, sums and sums of squares are kept per trial and event; a resample weighs and adds them.
    An event left with fewer than two spikes in a resample has no SD and does not count.
    """
    if len(events) == 0:
        return np.full(len(weights), np.nan)
    index = events.index_of(spikes.times)
    inside = index >= 0
    index, times = index[inside], spikes.times[inside]
    # Times from the centre of their event, since squares of large times would lose digits.
    offset = times - events.centre[index]
    cells = spikes.trials[inside] * len(events) + index
    shape = (spikes.n_trials, len(events))
    n, x, xx = (
        weights @ np.bincount(cells, values, shape[0] * shape[1]).reshape(shape)
        for values in (np.ones_like(offset), offset, offset**2)
    )
    defined = n >= 2
    squares = np.maximum(xx - x**2 / np.maximum(n, 1), 0.0)
    sd = np.where(defined, np.sqrt(squares / np.maximum(n - 1, 1)), 0.0)
    count = defined.sum(axis=1)
    return np.asarray(sd.sum(axis=1) / np.where(count > 0, count, np.nan), dtype=np.float64)
