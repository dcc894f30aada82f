"""How far the membrane potentials of two runs are apart."""

from __future__ import annotations

from dataclasses import dataclass

import neo
import numpy as np

from analysis.pairs import contiguous, starts
from analysis.spikearrays import FloatArray, IntArray, SpikeArrays, Trials, spike_arrays

SAME_TIME = 1e-6
"""Two samples (ms) this close are at the same time: what units and sampling rates in files do."""


@dataclass(frozen=True)
class PotentialDifference:
    """Differences of the potentials of two runs, other minus reference, over all common samples.

    max_abs, rms: mV, over all samples.
    rms_between_spikes: mV, over the samples away from the spikes of both runs, NaN without any.
    n_samples, n_between_spikes: numbers of samples (times x trials) of the two.
    worst: trial and time (ms) of the largest difference, the first one of equals.
    """

    max_abs: float
    rms: float
    rms_between_spikes: float
    n_samples: int
    n_between_spikes: int
    worst: tuple[int, float]


def potential_difference(
    reference: neo.AnalogSignal,
    other: neo.AnalogSignal,
    reference_spikes: Trials,
    other_spikes: Trials,
    margin: float = 2.0,
) -> PotentialDifference:
    """The difference of two signals (n_times, n_neurons) of potentials, in any unit of voltage.

    Columns are matched by the array annotation `trial`, trials kept on one side only are left out;
    without that annotation on either side column k is trial k, and both must have as many columns.
    Samples are compared at the times (to within `SAME_TIME`) that both have: intervals may differ.

    A spike that is one step late makes a difference as high as the spike; `rms_between_spikes`
    shows what is left away from them. It leaves out all samples of a trial within `margin` ms,
    before or after, of a spike of that trial in either run, both ends included: give the
    refractory period if that is longer than the default.

    Raises ValueError when no trial or no sampling time is common, when a trial has no spike train,
    when a potential is not a number, when a signal is no voltage, or unless margin is 0 or above.
    """
    if not (np.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin is {margin!r} ms; it must be a finite number, 0 or above")
    trials, mine, others = _common_columns(reference, other)
    times, rows, other_rows = _common_times(reference, other)
    a = _millivolts("reference", reference)[np.ix_(rows, mine)]
    b = _millivolts("other", other)[np.ix_(other_rows, others)]
    for name, values in (("reference", a), ("other", b)):
        _require_finite(name, values, trials, times)
    away = np.ones(a.shape, dtype=bool)
    for name, spikes in (("reference", reference_spikes), ("other", other_spikes)):
        _leave_out(away, times, trials, name, spike_arrays(spikes), margin)
    difference = b - a
    row, column = np.unravel_index(np.argmax(np.abs(difference)), difference.shape)
    between = difference[away]
    return PotentialDifference(
        max_abs=float(np.abs(difference[row, column])),
        rms=_rms(difference),
        rms_between_spikes=_rms(between) if between.size else float("nan"),
        n_samples=int(difference.size),
        n_between_spikes=int(between.size),
        worst=(int(trials[column]), float(times[row])),
    )


def _common_columns(
    reference: neo.AnalogSignal, other: neo.AnalogSignal
) -> tuple[IntArray, IntArray, IntArray]:
    """The common trials, and the columns of either side that hold them."""
    mine, others = _trial_numbers(reference), _trial_numbers(other)
    if mine is None or others is None:
        n, m = reference.shape[1], other.shape[1]
        if n != m:
            raise ValueError(
                f"reference has {n} potentials and other has {m}, and not both say (in the array "
                "annotation `trial`) whose they are; both must have the same number then"
            )
        known = mine if mine is not None else others
        columns = np.arange(n, dtype=np.int64)
        return (columns if known is None else known), columns, columns
    trials, left, right = np.intersect1d(mine, others, return_indices=True)
    if trials.size == 0:
        raise ValueError(
            f"reference has potentials of the trials {_listed(mine)} and other of "
            f"{_listed(others)}; at least one must be common"
        )
    return trials, left, right


def _trial_numbers(signal: neo.AnalogSignal) -> IntArray | None:
    found = signal.array_annotations.get("trial")
    return None if found is None else np.asarray(found).astype(np.int64)


def _listed(trials: IntArray) -> str:
    shown = ", ".join(str(trial) for trial in trials[:5])
    return f"{shown}, ... ({trials.size})" if trials.size > 5 else shown


def _common_times(
    reference: neo.AnalogSignal, other: neo.AnalogSignal
) -> tuple[FloatArray, IntArray, IntArray]:
    """The common sampling times (ms, the reference's), and the rows of either side."""
    mine, others = _times(reference), _times(other)
    if mine.size and others.size:
        place = np.clip(np.searchsorted(others, mine - SAME_TIME), 0, others.size - 1)
        rows = np.flatnonzero(np.abs(others[place] - mine) <= SAME_TIME)
        if rows.size:
            return mine[rows], rows, place[rows]
    raise ValueError(
        f"reference is sampled at {_described(mine)} and other at {_described(others)}; "
        "they have no sampling time in common"
    )


def _times(signal: neo.AnalogSignal) -> FloatArray:
    return np.asarray(signal.times.rescale("ms").magnitude, dtype=np.float64)


def _described(times: FloatArray) -> str:
    if times.size < 2:
        return ", ".join(f"{time:g} ms" for time in times) or "no time"
    return f"{times[0]:g}, {times[1]:g} .. {times[-1]:g} ms"


def _millivolts(name: str, signal: neo.AnalogSignal) -> FloatArray:
    try:
        return np.asarray(signal.rescale("mV").magnitude, dtype=np.float64)
    except ValueError:
        unit = signal.dimensionality.string
        raise ValueError(f"{name} is in {unit}; a potential must be a voltage") from None


def _require_finite(name: str, values: FloatArray, trials: IntArray, times: FloatArray) -> None:
    wrong = np.argwhere(~np.isfinite(values))
    if wrong.size:
        row, column = wrong[0]
        raise ValueError(
            f"{name} is {values[row, column]} mV in trial {trials[column]} at {times[row]:g} ms; "
            "a potential must be a finite number"
        )


def _leave_out(
    away: np.ndarray,
    times: FloatArray,
    trials: IntArray,
    name: str,
    spikes: SpikeArrays,
    margin: float,
) -> None:
    """Clear `away` (n_times, n_trials) within the margin of the spikes of its trials."""
    if trials.max() >= spikes.n_trials:
        raise ValueError(
            f"{name} has a potential of trial {trials.max()} but spike trains of "
            f"{spikes.n_trials} trials only, counted from 0"
        )
    begin, spike_times = starts(spikes), contiguous(spikes)
    for column, trial in enumerate(trials):
        mine = spike_times[begin[trial] : begin[trial + 1]]
        first = np.searchsorted(times, mine - margin - SAME_TIME, side="left")
        stop = np.searchsorted(times, mine + margin + SAME_TIME, side="right")
        changes = np.bincount(first, minlength=times.size + 1).astype(np.int64)
        changes -= np.bincount(stop, minlength=times.size + 1)
        away[np.cumsum(changes[: times.size]) > 0, column] = False


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))
