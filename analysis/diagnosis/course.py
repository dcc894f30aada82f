"""How the spikes of two runs come apart: at once, spike by spike, or not at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.diagnosis.wording import percent, signed
from analysis.matching import match_spikes
from analysis.spikearrays import FloatArray, IntArray, SpikeArrays

WINDOW = 2.0
"""ms, within which spikes of fluctuating input count as locked."""


@dataclass(frozen=True)
class Course:
    """Offsets (other - reference) of spike number k with spike number k, medians over the trials.

    numbers: (n,), from 1. offsets: (n,), ms. per_spike: ms, per_second: ms/s, the slope.
    linear: fraction of the offsets' variance that a straight line explains. matched: fraction of
    the spikes with a partner within 2 ms; by_chance: what it would be for unrelated trains.
    equal: fraction with a partner at the same time. ratio: spikes of other / of reference.
    similar: whether the numbers of spikes differ by no more than chance.
    """

    numbers: IntArray
    offsets: FloatArray
    per_spike: float
    per_second: float
    linear: float
    matched: float
    by_chance: float
    equal: float
    ratio: float
    similar: bool
    typical: float

    @property
    def drifts(self) -> bool:
        """Whether the offset grows with the number of the spike, in proportion."""
        return self.numbers.size >= 4 and self.linear > 0.9 and abs(self.offsets[-1]) > 1e-4

    @property
    def locked(self) -> float:
        """matched, rescaled to 0 at chance and 1 for all."""
        return (self.matched - self.by_chance) / max(1 - self.by_chance, 1e-9)

    def at(self, number: int) -> float:
        """The offset (ms) of that spike number; nan if there is no such spike."""
        found = np.flatnonzero(self.numbers == number)
        return float(self.offsets[found[0]]) if found.size else float("nan")

    @property
    def sentence(self) -> str:
        """How the offset develops."""
        if self.drifts:
            last = int(self.numbers[-1])
            shown = 20 if last >= 20 else last
            return (
                f"It accumulates: {signed(self.per_spike, 'ms')} per spike "
                f"({signed(self.per_second, 'ms/s')}), {signed(self.at(shown), 'ms')} at spike "
                f"{shown}"
            )
        if self.locked > 0.5:
            lock = ", the fluctuating input locks the spikes again"
            return (
                f"It does not accumulate{lock if self.numbers.size >= 8 else ''}: "
                f"{percent(self.matched)} of them have a partner within {WINDOW:g} ms, typically "
                f"{signed(self.typical, 'ms')} away"
            )
        return f"{percent(self.matched)} of the spikes have a partner within {WINDOW:g} ms"

    def evidence(self) -> dict[str, float | str]:
        """The numbers, for a finding."""
        found: dict[str, float | str] = {
            "ms_per_spike": self.per_spike,
            "ms_per_second": self.per_second,
            "linear": self.linear,
            "matched_2ms": self.matched,
            "equal": self.equal,
        }
        if np.isfinite(self.at(20)):
            found["at_spike_20"] = self.at(20)
        return found


def course(reference: SpikeArrays, other: SpikeArrays, tie: float = 2e-6) -> Course:
    """The course of a condition's offsets."""
    within = match_spikes(reference, other, WINDOW)
    numbers, offsets, times = _by_number(reference, other)
    per_spike, linear = _line(numbers.astype(np.float64), offsets)
    per_second, _ = _line(times, offsets)
    counts = reference.counts, other.counts
    n = reference.times.size, other.times.size
    return Course(
        numbers,
        offsets,
        per_spike,
        1000 * per_second,
        linear,
        within.fraction_matched,
        _by_chance(reference, other),
        match_spikes(reference, other, tie).fraction_matched,
        n[1] / n[0] if n[0] else float("inf"),
        _similar(counts[0], counts[1]),
        float(np.median(within.offsets)) if within.n_pairs else float("nan"),
    )


def _by_number(
    reference: SpikeArrays, other: SpikeArrays
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Numbers, median offsets and mean times of the spikes that both have in half the trials."""
    common = np.minimum(reference.counts, other.counts)
    if not common.any():
        return np.empty(0, np.int64), np.empty(0), np.empty(0)
    mine = reference.ordinals <= common[reference.trials]
    yours = other.ordinals <= common[other.trials]
    offset = other.times[yours] - reference.times[mine]
    number, time = reference.ordinals[mine], reference.times[mine]
    order = np.argsort(number, kind="stable")
    values, first = np.unique(number[order], return_index=True)
    offsets = np.array([np.median(part) for part in np.split(offset[order], first[1:])])
    times = np.array([part.mean() for part in np.split(time[order], first[1:])])
    sizes = np.diff(np.append(first, number.size))
    often = sizes >= 0.5 * sizes[0]
    return values[often].astype(np.int64), offsets[often], times[often]


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Slope, and the fraction of the variance it explains."""
    if x.size < 3 or np.ptp(x) == 0:
        return 0.0, 0.0
    slope, intercept = np.polyfit(x, y, 1)
    variance = float(np.var(y))
    if variance < 1e-18:
        return 0.0, 0.0
    return float(slope), 1 - float(np.var(y - slope * x - intercept)) / variance


def _by_chance(reference: SpikeArrays, other: SpikeArrays) -> float:
    """Matched fraction when the other run's spikes are turned around the window by a part of it."""
    duration, start = reference.duration, reference.t_start
    found = []
    for part in (0.11, 0.23, 0.37, 0.59):
        times = (other.times - start + part * duration) % duration + start
        order = np.lexsort((times, other.trials))
        turned = SpikeArrays(times[order], other.trials, other.n_trials, start, other.t_stop)
        found.append(match_spikes(reference, turned, WINDOW).fraction_matched)
    return float(np.mean(found))


def _similar(counts: IntArray, others: IntArray) -> bool:
    """Whether other noise may well make the mean counts as different as they are.

    Under a frozen current all trials count as one, whose count varies less than a Poisson one.
    """
    difference = abs(float(counts.mean() - others.mean()))
    mean = 0.5 * float(counts.mean() + others.mean())
    return bool(difference < 1.5 * np.sqrt(mean))
