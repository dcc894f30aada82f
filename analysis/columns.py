"""What one column of the raster figure shows, taken from a Neo segment as plain arrays.

Blocks of other programs lack some or all of this project's annotations and signals: a column then
has fewer rows, and its trials are called spike trains.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import neo
import numpy as np

from analysis.blocks import signal
from analysis.spikearrays import FloatArray, IntArray, SpikeArrays, spike_arrays
from pynn_model.stimulus import steps

MAX_POINTS = 4000
"""Points of a curve: more than twice the pixels of any column, so no more can be seen."""


@dataclass(frozen=True)
class Potentials:
    """values: (n_neurons, n_times), mV, thinned; trials: the neurons; start, stop: ms."""

    values: FloatArray
    trials: IntArray
    start: float
    stop: float


@dataclass(frozen=True)
class Staircase:
    """A current: from times[k] (ms) on it is amplitudes[k] (nA); the last entry is its end."""

    times: FloatArray
    amplitudes: FloatArray


@dataclass(frozen=True)
class Column:
    """One condition, or one population. Parts that the segment does not have are None."""

    name: str
    spikes: SpikeArrays
    rows_are: str
    stimulus: Staircase | None
    total: Staircase | None
    native: tuple[dict[str, float], ...]
    potentials: Potentials | None

    @property
    def repeated(self) -> bool:
        """Whether the trains are trials of one stimulus, which reliability is about."""
        return self.rows_are == "trial"


def columns(block: neo.Block, segments: Sequence[neo.Segment]) -> list[Column]:
    """The columns of some of the block's segments."""
    described = _described_conditions(block)
    return [_column(block, segment, number, described) for number, segment in enumerate(segments)]


def _column(
    block: neo.Block, segment: neo.Segment, number: int, described: dict[str, Any]
) -> Column:
    name = str(segment.name or segment.annotations.get("condition") or f"segment {number + 1}")
    stimulus, private = signal(segment, "stimulus"), signal(segment, "private_current")
    if stimulus is not None:
        rows_are = "trial"
    else:
        rows_are = "neuron" if "experiment_text" in block.annotations else "spike train"
    currents = described.get(name, {}).get("currents", [])
    return Column(
        name=name,
        spikes=_spikes(segment),
        rows_are=rows_are,
        stimulus=None if stimulus is None else _staircase(stimulus, _nanoamperes(stimulus)),
        total=_total(stimulus, private),
        native=tuple(current for current in currents if current["kind"] == "native"),
        potentials=_potentials(segment),
    )


def _described_conditions(block: neo.Block) -> dict[str, Any]:
    """Condition name -> its table in the experiment's text, where the block has one."""
    text = block.annotations.get("experiment_text", "")
    described = json.loads(text) if text else {}
    return {table["name"]: table for table in described.get("conditions", [])}


def _spikes(segment: neo.Segment) -> SpikeArrays:
    """As `spike_arrays`, but no trains, and trains of different windows, can be drawn too."""
    if len(segment.spiketrains) == 0:
        return SpikeArrays(np.zeros(0), np.zeros(0, np.int64), 0, *_signal_window(segment))
    try:
        return spike_arrays(segment)
    except ValueError:
        each = [spike_arrays(train) for train in segment.spiketrains]
    return SpikeArrays(
        times=np.concatenate([one.times for one in each]),
        trials=np.repeat(np.arange(len(each)), [one.times.size for one in each]),
        n_trials=len(each),
        t_start=min(one.t_start for one in each),
        t_stop=max(one.t_stop for one in each),
    )


def _signal_window(segment: neo.Segment) -> tuple[float, float]:
    for found in segment.analogsignals:
        return float(found.t_start.rescale("ms")), float(found.t_stop.rescale("ms"))
    return 0.0, 1.0


def _nanoamperes(current: neo.AnalogSignal) -> FloatArray:
    """The first column of a signal."""
    return np.asarray(current.rescale("nA").magnitude[:, 0], dtype=np.float64)


def _total(stimulus: neo.AnalogSignal | None, private: neo.AnalogSignal | None) -> Staircase | None:
    """All that one trial received, where that is more than what all trials share."""
    if stimulus is None or private is None or len(private) != len(stimulus):
        return None
    return _staircase(stimulus, _nanoamperes(stimulus) + _nanoamperes(private))


def _staircase(current: neo.AnalogSignal, values: FloatArray) -> Staircase:
    """`values` (nA), sampled as `current`, as changes; thinned where more than can be seen."""
    dt = float(current.sampling_period.rescale("ms"))
    start, n = float(current.t_start.rescale("ms")), len(values)
    at, amplitudes = steps(values, dt)
    if len(at) > MAX_POINTS:
        at, amplitudes = _envelope(values, dt)
    times = start + np.append(at, n * dt)
    return Staircase(times, np.append(amplitudes, amplitudes[-1]))


def _envelope(values: FloatArray, dt: float) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest value of each of MAX_POINTS / 2 stretches, in turn: no peak is lost."""
    edges = np.linspace(0, len(values), MAX_POINTS // 2 + 1).astype(np.int64)[:-1]
    low, high = np.minimum.reduceat(values, edges), np.maximum.reduceat(values, edges)
    halves = np.stack([edges, edges + np.diff(np.append(edges, len(values))) / 2], axis=1)
    return halves.ravel() * dt, np.stack([low, high], axis=1).ravel()


def _potentials(segment: neo.Segment) -> Potentials | None:
    v = signal(segment, "v")
    if v is None or v.size == 0:
        return None
    values = np.asarray(v.rescale("mV").magnitude, dtype=np.float64).T
    trials = np.asarray(v.array_annotations.get("trial", np.arange(len(values))), dtype=np.int64)
    return Potentials(
        values=_thinned(_thinned(values, 1, 1500), 0, 500),
        trials=trials,
        start=float(v.t_start.rescale("ms")),
        stop=float(v.t_stop.rescale("ms")),
    )


def _thinned(values: FloatArray, axis: int, most: int) -> FloatArray:
    """Means over equal stretches along `axis`, where it has more than `most` entries."""
    size = values.shape[axis]
    if size <= most:
        return values
    edges = np.linspace(0, size, most + 1).astype(np.int64)
    sums = np.add.reduceat(values, edges[:-1], axis=axis)
    widths = np.diff(edges).reshape((-1, 1) if axis == 0 else (1, -1))
    return np.asarray(sums / widths)
