"""Spike trains of many trials as two flat arrays, the form in which every measure works.

A list of 1000 `neo.SpikeTrain` is slow to walk through once per measure, so it is walked through
once and the measures share the result: each of them takes either Neo objects or `SpikeArrays`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import quantities as pq
from neo.core import Segment, SpikeTrain
from neo.core.spiketrainlist import SpikeTrainList
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

WINDOW_TOLERANCE = 1e-3
"""Largest difference (ms) between the time windows of trials that count as one window."""


@dataclass(frozen=True)
class SpikeArrays:
    """The spikes of `n_trials` trials, all observed from `t_start` to `t_stop`.

    times: float64 (n_spikes,), ms, sorted by (trial, time).
    trials: int64 (n_spikes,), the trial of each spike, 0 .. n_trials - 1, in the order of the list.
    n_trials: number of trials, silent ones included.
    t_start, t_stop: ms.
    """

    times: FloatArray
    trials: IntArray
    n_trials: int
    t_start: float
    t_stop: float

    @property
    def duration(self) -> float:
        """Length of the observed window, ms."""
        return self.t_stop - self.t_start

    @cached_property
    def counts(self) -> IntArray:
        """Number of spikes of each trial, int64 (n_trials,)."""
        return np.bincount(self.trials, minlength=self.n_trials).astype(np.int64)

    @cached_property
    def ordinals(self) -> IntArray:
        """Number of each spike within its trial, counted from 1, int64 (n_spikes,)."""
        first = np.cumsum(self.counts) - self.counts
        return np.arange(1, self.times.size + 1, dtype=np.int64) - first[self.trials]


Trials: TypeAlias = "SpikeArrays | Segment | SpikeTrainList | SpikeTrain | Iterable[SpikeTrain]"
"""What every measure accepts: the trials of one condition. A single SpikeTrain is one trial."""


def spike_arrays(trials: Trials) -> SpikeArrays:
    """The spikes of some trials as flat arrays in ms.

    trials: a Segment (its spiketrains), a SpikeTrainList, a sequence of SpikeTrain, one SpikeTrain,
    or SpikeArrays (returned as they are). Units may differ between trains; trains need not be
    sorted and may hold the same time twice.

    Raises ValueError when there is no trial, when the trials were observed in different windows,
    or when a window is empty; TypeError for anything that is not a spike train.
    """
    if isinstance(trials, SpikeArrays):
        return trials
    if isinstance(trials, Segment):
        trials = trials.spiketrains
    if isinstance(trials, SpikeTrain):
        trials = [trials]
    # Neo has no public way to ask a SpikeTrainList whether it still is the arrays it was made of.
    # Only then is `multiplexed` right and fast: for a list of trains it mixes positions with
    # channel ids, fails on an empty list, and keeps an old answer after an append.
    if isinstance(trials, SpikeTrainList) and getattr(trials, "_items", trials) is None:
        times, index, windows = _from_multiplexed(trials)
    else:
        times, index, windows = _from_trains(list(trials))
    t_start, t_stop = _common_window(windows)
    order = np.lexsort((times, index))
    return SpikeArrays(times[order], index[order], len(windows), t_start, t_stop)


def _from_multiplexed(trains: SpikeTrainList) -> tuple[FloatArray, IntArray, FloatArray]:
    """Times (ms), positions in the list and windows (n_trials, 2) of a list made from arrays."""
    if len(trains) == 0:
        raise _no_trials()
    channels, times = trains.multiplexed
    # Ids are labels in any order; what counts here is the place of the label in the list.
    labels = np.asarray(list(trains.all_channel_ids))
    order = np.argsort(labels, kind="stable")
    position = order[np.searchsorted(labels[order], np.asarray(channels))]
    window = (_in_ms(trains.t_start, times), _in_ms(trains.t_stop, times))
    windows = np.tile(np.array(window, dtype=np.float64), (len(labels), 1))
    return _magnitudes(times), position.astype(np.int64), windows


def _from_trains(trains: list[Any]) -> tuple[FloatArray, IntArray, FloatArray]:
    """Times (ms), positions in the list and windows (n_trials, 2) of a list of spike trains."""
    for position, train in enumerate(trains):
        if not isinstance(train, SpikeTrain):
            raise TypeError(
                f"trials[{position}] is a {type(train).__name__}; every trial must be a "
                "neo.SpikeTrain (load proxy objects first)"
            )
    if not trains:
        raise _no_trials()
    scales = [_milliseconds_in(train.dimensionality) for train in trains]
    pieces = [
        np.asarray(train.magnitude, dtype=np.float64) * scale
        for train, scale in zip(trains, scales, strict=True)
    ]
    index = np.repeat(np.arange(len(trains), dtype=np.int64), [piece.size for piece in pieces])
    windows = np.array(
        [(_in_ms(train.t_start, train), _in_ms(train.t_stop, train)) for train in trains]
    )
    return np.concatenate(pieces), index, windows


_SCALES: dict[Any, float] = {}


def _milliseconds_in(dimensionality: Any) -> float:
    """How many ms one of these units is; asked of quantities once a unit, as it is slow."""
    key = tuple(dimensionality.items())
    if key not in _SCALES:
        _SCALES[key] = float(pq.Quantity(1.0, dimensionality).rescale("ms").magnitude)
    return _SCALES[key]


def _magnitudes(times: Any) -> FloatArray:
    return np.asarray(times.magnitude, dtype=np.float64) * _milliseconds_in(times.dimensionality)


def _in_ms(time: Any, like: Any) -> float:
    """A time in ms; a bare number has the units of `like`."""
    units = getattr(time, "dimensionality", like.dimensionality)
    return float(getattr(time, "magnitude", time)) * _milliseconds_in(units)


def _common_window(windows: FloatArray) -> tuple[float, float]:
    spread = np.ptp(windows, axis=0)
    if spread.max() > WINDOW_TOLERANCE:
        odd = int(np.argmax(np.abs(windows - windows[0]).max(axis=1)))
        raise ValueError(
            f"trials must share one time window, but trials[0] is observed over "
            f"{windows[0, 0]:g}..{windows[0, 1]:g} ms and trials[{odd}] over "
            f"{windows[odd, 0]:g}..{windows[odd, 1]:g} ms"
        )
    t_start, t_stop = float(windows[:, 0].min()), float(windows[:, 1].max())
    if not t_stop > t_start:
        raise ValueError(f"t_stop is {t_stop:g} ms; it must be later than t_start, {t_start:g} ms")
    return t_start, t_stop


def _no_trials() -> ValueError:
    return ValueError("trials is empty; a measure needs at least one spike train")


def require_positive(name: str, value: float, unit: str) -> None:
    """Raise ValueError unless value is a finite number above zero."""
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value!r} {unit}; it must be a finite number above 0")
