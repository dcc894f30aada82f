"""Events: the moments at which the spikes of repeated trials coincide.

Mainen & Sejnowski (1995), Science 268:1503, call an event a stretch in which the smoothed PSTH
exceeds a threshold. The abstract and the settings commonly quoted fix neither kernel nor threshold,
so both are parameters here (`EventCriteria`), with defaults that follow from statistics.

**Kernel.** A Gaussian with the width of the precision to be found, 1 ms: a filter detects best what
has its own shape.

**Threshold.** An event must be more than chance, and more than a modulation of the rate.

1. *More than chance.* If the spikes of all trials were one Poisson process of rate r, their sum
   smoothed by a kernel K would exceed s at a given time with a probability of at most exp(-I(s)),
   I(s) = max over q of [q s - r * integral(exp(q K(t)) - 1) dt], Chernoff's bound for shot noise;
   and a Gaussian kernel of width w offers 1 / (2 pi sqrt(2) w) chances a ms (Rice's formula for its
   level crossings). `false_events` is the number of chance events allowed in the window; in
   simulations of 2 to 50 Poisson trains, 0.2 to 1 times as many windows have one. A normal
   approximation would allow far too many: with 25 trials at 14 Hz the kernel holds about one spike
   on average, and a Poisson count then has a much longer tail. r is the rate outside events: of all
   spikes at first, then with the events found left out, until nothing changes. This makes no
   chance event likelier where there are none, since then the first pass leaves nothing out.
2. *More than a modulation of the rate.* With many trials every departure from a constant rate
   becomes significant, be it the 10th spike under a constant current with its SD of 14 ms. So the
   PSTH must also exceed `rate_factor` times the mean rate. (Hence a limit: spikes in perfect
   register peak at 1 / (2.5 w rate) times the mean, which is 4.5 at 89 Hz for w = 1 ms. Faster
   neurons need a smaller kernel or factor.)

**Window.** Cut where the PSTH falls below the threshold, an event would lose its flanks: its SD
would come out too small, and its spikes would count as unreliable. It therefore reaches out to
where the PSTH has come down to the background plus `edge_fraction` of its height above it, or to
the lowest point before the next event. Above the threshold, peaks are events of their own where
the PSTH between them falls below `valley_fraction` of the lower one. (Hence two limits: with
spikes of 1 ms jitter and a kernel of 1 ms, events less than 5 ms apart can be taken for one; and
the few spikes of an event much broader than the kernel can be taken for several.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from analysis.spikearrays import (
    FloatArray,
    IntArray,
    SpikeArrays,
    Trials,
    require_positive,
    spike_arrays,
)

_STEPS_PER_WIDTH = 10  # Grid points of the smoothed PSTH in one kernel width.
_REACH = 5  # Half width of the kernel in kernel widths.
_ROOT_TWO_PI = float(np.sqrt(2 * np.pi))
_MAX_PASSES = 50  # The background only falls from pass to pass; a handful of passes is usual.


@dataclass(frozen=True)
class EventCriteria:
    """What counts as an event; the module's docstring gives the reasons for each default.

    kernel_width: SD of the Gaussian that smooths the PSTH, ms.
    false_events: chance events allowed in the window, if spikes fell independently of each other.
    rate_factor: how many times the mean rate an event must exceed; 0 leaves the test of chance.
    edge_fraction: where an event ends, as a fraction of its height above the background.
    valley_fraction: two peaks are two events if the PSTH between them is below this part of the
        lower one.

    Raises ValueError for a value outside its range: kernel_width and false_events above 0,
    rate_factor 0 or more, the two fractions at least 0 and below 1.
    """

    kernel_width: float = 1.0
    false_events: float = 0.01
    rate_factor: float = 4.5
    edge_fraction: float = 0.05
    valley_fraction: float = 0.5

    def __post_init__(self) -> None:
        require_positive("kernel_width", self.kernel_width, "ms")
        require_positive("false_events", self.false_events, "events")
        if not (np.isfinite(self.rate_factor) and self.rate_factor >= 0):
            raise ValueError(
                f"rate_factor is {self.rate_factor!r}; it must be a finite number, 0 or more"
            )
        for name in ("edge_fraction", "valley_fraction"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ValueError(f"{name} is {value!r}; it must be at least 0 and below 1")


DEFAULT_CRITERIA = EventCriteria()


@dataclass(frozen=True)
class Events:
    """The events of some trials in order of time; every array is (n_events,).

    start, stop: window, ms; windows do not overlap.
    centre: mean spike time, ms.
    sd: SD of the spike times within the window, ms, ddof 1.
    spike_counts: number of spikes within, over all trials, int64.
    reliability: fraction of the trials that have a spike within.
    threshold: the rate that a peak of the smoothed PSTH had to exceed, Hz.
    background: rate outside the events, Hz.
    """

    start: FloatArray = field(default_factory=lambda: np.empty(0))
    stop: FloatArray = field(default_factory=lambda: np.empty(0))
    centre: FloatArray = field(default_factory=lambda: np.empty(0))
    sd: FloatArray = field(default_factory=lambda: np.empty(0))
    spike_counts: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    reliability: FloatArray = field(default_factory=lambda: np.empty(0))
    threshold: float = float("nan")
    background: float = float("nan")

    def __len__(self) -> int:
        return int(self.start.size)

    def index_of(self, times: FloatArray) -> IntArray:
        """The event that each time (ms) falls into, int64 of the same shape, -1 for none."""
        return _event_index(self.start, self.stop, times)


def smoothed_psth(trials: Trials, kernel_width: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """PSTH smoothed by a Gaussian of SD kernel_width (ms): times (ms) and rate (Hz), both (n,).

    The times run from t_start to t_stop in steps of about a tenth of the kernel's width. Raises
    ValueError unless kernel_width is above 0.
    """
    require_positive("kernel_width", kernel_width, "ms")
    spikes = spike_arrays(trials)
    times, density = _smoothed(spikes, kernel_width)
    return times, np.asarray(density / spikes.n_trials * 1000.0, dtype=np.float64)


def find_events(trials: Trials, criteria: EventCriteria = DEFAULT_CRITERIA) -> Events:
    """The events of the trials, each with spikes of at least two of them.

    None without spikes, and none for a single trial, in which nothing can repeat. A time held twice
    in one train counts as one spike.
    """
    spikes = distinct_spikes(spike_arrays(trials))
    if spikes.times.size == 0:
        return Events()
    times, density = _smoothed(spikes, criteria.kernel_width)
    floor = criteria.rate_factor * spikes.times.size / spikes.duration
    # One spike more than there is: a rate estimated as 0 would make any spike significant.
    background = (spikes.times.size + 1) / spikes.duration
    start = stop = np.empty(0)
    for _ in range(_MAX_PASSES):
        threshold = max(floor, _chance_level(background, spikes.duration, criteria))
        windows = _windows(density, threshold, background, criteria)
        found = _repeated(spikes, times[windows[:, 0]], times[windows[:, 1]])
        settled = np.array_equal(found[0], start) and np.array_equal(found[1], stop)
        start, stop = found
        if settled:
            break
        background = min(background, _rate_outside(spikes, start, stop))
    to_hz = 1000.0 / spikes.n_trials
    return _describe(spikes, start, stop, threshold * to_hz, background * to_hz)


def distinct_spikes(spikes: SpikeArrays) -> SpikeArrays:
    """The spikes without those that repeat a time of the same train."""
    repeated = np.zeros(spikes.times.size, dtype=bool)
    repeated[1:] = (np.diff(spikes.times) == 0) & (np.diff(spikes.trials) == 0)
    if not repeated.any():
        return spikes
    times, trials = spikes.times[~repeated], spikes.trials[~repeated]
    return SpikeArrays(times, trials, spikes.n_trials, spikes.t_start, spikes.t_stop)


def _smoothed(spikes: SpikeArrays, width: float) -> tuple[FloatArray, FloatArray]:
    """Grid (ms) and the smoothed sum of all trials on it (spikes / ms)."""
    n_steps = max(1, int(np.ceil(spikes.duration / width * _STEPS_PER_WIDTH)))
    step = spikes.duration / n_steps
    # Each spike is shared out between its two neighbours on the grid, so that the result depends
    # continuously on its time and rounding cannot move it by a bin.
    place = np.clip((spikes.times - spikes.t_start) / step, 0, n_steps)
    left = np.minimum(place.astype(np.int64), n_steps - 1)
    share = place - left
    counts = np.bincount(left, 1 - share, n_steps + 1)
    counts += np.bincount(left + 1, share, n_steps + 1)
    reach = int(np.ceil(_REACH * width / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    density = np.convolve(counts, kernel / (width * _ROOT_TWO_PI))[reach : reach + n_steps + 1]
    times = np.asarray(spikes.t_start + step * np.arange(n_steps + 1), dtype=np.float64)
    return times, np.asarray(density, dtype=np.float64)


def _chance_level(rate: float, duration: float, criteria: EventCriteria) -> float:
    """The level (spikes / ms) of which a Poisson process of that rate has `false_events` peaks.

    In units of a single spike's peak, with m = rate * w * sqrt(2 pi) and
    g(q) = sum over k of q^k / (k! sqrt(k)), the best q for a level is where level = m g'(q), and
    the exponent there is I = m (q g'(q) - g(q)), which grows with q.
    """
    width = criteria.kernel_width
    chances = duration / (2 * np.pi * np.sqrt(2) * width)
    exponent = np.log(max(chances, 1.0) / criteria.false_events)
    mean = rate * width * _ROOT_TWO_PI
    order = np.arange(1, 400)
    log_coefficients = -np.cumsum(np.log(order)) - 0.5 * np.log(order)
    low, high = 1e-9, 80.0
    for _ in range(60):
        q = np.sqrt(low * high)
        terms = np.exp(order * np.log(q) + log_coefficients)
        slope = float((order * terms).sum() / q)
        if mean * (q * slope - terms.sum()) < exponent:
            low = q
        else:
            high = q
    return mean * slope / (width * _ROOT_TWO_PI)


def _windows(
    density: FloatArray, threshold: float, background: float, criteria: EventCriteria
) -> IntArray:
    """First and last grid point of each event, int64 (n_events, 2)."""
    peaks = _peaks(density, threshold, criteria.valley_fraction)
    windows = np.empty((len(peaks), 2), dtype=np.int64)
    for k, (first, last) in enumerate(peaks):
        height = float(density[first : last + 1].max())
        edge = min(threshold, background + criteria.edge_fraction * (height - background))
        before = peaks[k - 1][1] if k else 0
        after = peaks[k + 1][0] if k + 1 < len(peaks) else density.size - 1
        windows[k, 0] = first - _reach_down(density[before : first + 1][::-1], edge)
        windows[k, 1] = last + _reach_down(density[last : after + 1], edge)
    return windows


def _reach_down(outwards: FloatArray, edge: float) -> int:
    """Steps outwards to where the density is below the edge, or else to where it is lowest."""
    below = np.flatnonzero(outwards < edge)
    return int(below[0] if below.size else np.argmin(outwards))


def _peaks(density: FloatArray, threshold: float, valley_fraction: float) -> list[tuple[int, int]]:
    """Stretches above the threshold (first, last point), cut in two at deep valleys."""
    change = np.diff(np.concatenate([[0], (density > threshold).astype(np.int8), [0]]))
    stretches = zip(np.flatnonzero(change == 1), np.flatnonzero(change == -1) - 1, strict=True)
    found: list[tuple[int, int]] = []
    for first, last in stretches:
        cuts = _valleys(density[first : last + 1], valley_fraction)
        bounds = [int(first), *(int(first) + cut for cut in cuts), int(last)]
        found.extend(pairwise(bounds))
    return found


def _valleys(stretch: FloatArray, valley_fraction: float) -> list[int]:
    """The points at which a stretch falls apart into separate peaks.

    Successive summits stand for two peaks if the valley between is deep; if not, the higher one
    stands for both.
    """
    rising = np.diff(stretch) > 0
    summits = np.flatnonzero(rising[:-1] & ~rising[1:]) + 1
    cuts: list[int] = []
    current = -1
    for summit in summits.tolist():
        if current >= 0:
            lower = min(stretch[current], stretch[summit])
            lowest = current + int(np.argmin(stretch[current : summit + 1]))
            if stretch[lowest] < valley_fraction * lower:
                cuts.append(lowest)
            elif stretch[summit] <= stretch[current]:
                continue
        current = summit
    return cuts


def _event_index(start: FloatArray, stop: FloatArray, times: FloatArray) -> IntArray:
    if start.size == 0:
        return np.full(np.shape(times), -1, dtype=np.int64)
    index = np.searchsorted(start, times, side="right") - 1
    inside = (index >= 0) & (times <= stop[index])
    return np.where(inside, index, -1).astype(np.int64)


def _rate_outside(spikes: SpikeArrays, start: FloatArray, stop: FloatArray) -> float:
    outside = spikes.duration - float((stop - start).sum())
    if outside <= 0:
        return float("inf")
    return float((_event_index(start, stop, spikes.times) < 0).sum() + 1) / outside


def _trials_within(spikes: SpikeArrays, start: FloatArray, stop: FloatArray) -> IntArray:
    """Number of trials with a spike in each event, int64 (n_events,)."""
    index = _event_index(start, stop, spikes.times)
    inside = index >= 0
    cells = np.unique(index[inside] * spikes.n_trials + spikes.trials[inside])
    return np.bincount(cells // spikes.n_trials, minlength=start.size).astype(np.int64)


def _repeated(
    spikes: SpikeArrays, start: FloatArray, stop: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The windows that hold spikes of at least two trials."""
    kept = _trials_within(spikes, start, stop) >= 2
    return start[kept], stop[kept]


def _describe(
    spikes: SpikeArrays, start: FloatArray, stop: FloatArray, threshold: float, background: float
) -> Events:
    index = _event_index(start, stop, spikes.times)
    inside = index >= 0
    index, times = index[inside], spikes.times[inside]
    counts = np.bincount(index, minlength=start.size)
    centre = start + np.bincount(index, times - start[index], start.size) / counts
    squares = np.bincount(index, (times - centre[index]) ** 2, start.size)
    return Events(
        start=start,
        stop=stop,
        centre=centre,
        sd=np.sqrt(squares / (counts - 1)),
        spike_counts=counts.astype(np.int64),
        reliability=_trials_within(spikes, start, stop) / spikes.n_trials,
        threshold=threshold,
        background=background,
    )
