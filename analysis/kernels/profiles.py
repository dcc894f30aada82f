"""ISI-distance, SPIKE-distance and SPIKE-synchronization: no time scale, an observed window.

Each function writes into `out` the value of train first[k] of a with train second[k] of b, all
observed from t_start to t_stop.
"""

from __future__ import annotations

import numpy as np

from analysis.kernels.compiling import compiled
from analysis.spikearrays import FloatArray, IntArray


@compiled
def isi_distance(
    a: FloatArray,
    a_starts: IntArray,
    b: FloatArray,
    b_starts: IntArray,
    first: IntArray,
    second: IntArray,
    out: FloatArray,
    t_start: float,
    t_stop: float,
) -> None:
    """Time average of |x - y| / max(x, y), x and y the current intervals of the trains."""
    for pair in range(out.size):
        mine = a[a_starts[first[pair]] : a_starts[first[pair] + 1]]
        other = b[b_starts[second[pair]] : b_starts[second[pair] + 1]]
        i, j, now, total = 0, 0, t_start, 0.0
        while now < t_stop:
            upcoming = _next(mine, i, other, j, t_stop)
            if upcoming > now:
                x, y = _interval(mine, i, t_start, t_stop), _interval(other, j, t_start, t_stop)
                total += (upcoming - now) * abs(x - y) / max(x, y)
                now = upcoming
            i, j = _passed(mine, i, now), _passed(other, j, now)
        out[pair] = total / (t_stop - t_start)


@compiled
def spike_distance(
    a: FloatArray,
    a_starts: IntArray,
    b: FloatArray,
    b_starts: IntArray,
    first: IntArray,
    second: IntArray,
    out: FloatArray,
    t_start: float,
    t_stop: float,
) -> None:
    """Time average of S, which is linear between any two successive spikes of both trains."""
    longest = max(np.max(np.diff(a_starts)), np.max(np.diff(b_starts)), 2)
    a_apart, b_apart = np.empty(longest), np.empty(longest)
    for pair in range(out.size):
        mine = a[a_starts[first[pair]] : a_starts[first[pair] + 1]]
        other = b[b_starts[second[pair]] : b_starts[second[pair] + 1]]
        _distances(mine, other, t_start, t_stop, a_apart)
        _distances(other, mine, t_start, t_stop, b_apart)
        i, j, now, total = 0, 0, t_start, 0.0
        while now < t_stop:
            upcoming = _next(mine, i, other, j, t_stop)
            if upcoming > now:
                x, y = _interval(mine, i, t_start, t_stop), _interval(other, j, t_start, t_stop)
                whole = x + y  # Divided by twice: the square of a tiny one may be 0.
                middle = 0.5 * (now + upcoming)
                mine_apart = _between(mine, a_apart, i, middle, t_start, t_stop)
                other_apart = _between(other, b_apart, j, middle, t_start, t_stop)
                value = (mine_apart * (y / whole) + other_apart * (x / whole)) / whole
                total += 2.0 * (upcoming - now) * value
                now = upcoming
            i, j = _passed(mine, i, now), _passed(other, j, now)
        out[pair] = total / (t_stop - t_start)


@compiled
def spike_synchronization(
    a: FloatArray,
    a_starts: IntArray,
    b: FloatArray,
    b_starts: IntArray,
    first: IntArray,
    second: IntArray,
    out: FloatArray,
    t_start: float,
    t_stop: float,
) -> None:
    """Share of spikes that coincide with one of the other train."""
    for pair in range(out.size):
        mine = a[a_starts[first[pair]] : a_starts[first[pair] + 1]]
        other = b[b_starts[second[pair]] : b_starts[second[pair] + 1]]
        i, j, pairs = 0, 0, 0
        while i < mine.size and j < other.size:
            if mine[i] == other[j]:
                pairs, i, j = pairs + 1, i + 1, j + 1
                continue
            around = min(_around(mine, i, t_stop - t_start), _around(other, j, t_stop - t_start))
            if abs(mine[i] - other[j]) < 0.5 * around:
                pairs, i, j = pairs + 1, i + 1, j + 1
            elif mine[i] < other[j]:
                i += 1
            else:
                j += 1
        both = mine.size + other.size
        out[pair] = 2.0 * pairs / both if both else 1.0


# --- one train ---------------------------------------------------------------------------------


@compiled
def _next(mine: FloatArray, i: int, other: FloatArray, j: int, t_stop: float) -> float:
    upcoming = t_stop
    if i < mine.size:
        upcoming = min(upcoming, mine[i])
    if j < other.size:
        upcoming = min(upcoming, other[j])
    return upcoming


@compiled
def _passed(times: FloatArray, k: int, now: float) -> int:
    """Number of spikes up to now, of which k are known; repeated ones are passed together."""
    while k < times.size and times[k] <= now:
        k += 1
    return k


@compiled
def _interval(times: FloatArray, passed: int, t_start: float, t_stop: float) -> float:
    """The interval after `passed` spikes; at the edges never less than its neighbour."""
    if times.size == 0:
        return t_stop - t_start
    if passed == 0:
        first = float(times[0]) - t_start
        return max(first, times[1] - times[0]) if times.size > 1 else first
    if passed == times.size:
        last = t_stop - float(times[-1])
        return max(last, times[-1] - times[-2]) if times.size > 1 else last
    return float(times[passed] - times[passed - 1])


@compiled
def _around(times: FloatArray, k: int, most: float) -> float:
    """The shorter of the intervals on both sides of a spike, those that exist."""
    found = most
    if k > 0:
        found = min(found, times[k] - times[k - 1])
    if k < times.size - 1:
        found = min(found, times[k + 1] - times[k])
    return found


@compiled
def _edges(times: FloatArray, t_start: float, t_stop: float) -> tuple[float, float]:
    """The auxiliary spikes: at the window's edges, or an interval before and after the spikes."""
    if times.size < 2:
        return t_start, t_stop
    return (
        min(t_start, 2.0 * times[0] - times[1]),
        max(t_stop, 2.0 * times[-1] - times[-2]),
    )


@compiled
def _distances(
    times: FloatArray, other: FloatArray, t_start: float, t_stop: float, out: FloatArray
) -> None:
    """Distance of each spike to the nearest of the other train, auxiliary spikes included.

    A silent train has a spike at either edge of the window.
    """
    low, high = _edges(other, t_start, t_stop)
    if times.size == 0:
        out[0] = _nearest(t_start, other, 0, low, high)
        out[1] = _nearest(t_stop, other, 0, low, high)
        return
    j = 0
    for i in range(times.size):
        while j + 1 < other.size and other[j + 1] <= times[i]:
            j += 1
        out[i] = _nearest(times[i], other, j, low, high)


@compiled
def _nearest(time: float, other: FloatArray, j: int, low: float, high: float) -> float:
    """Distance to the nearest spike, from number j on."""
    found = min(abs(time - low), abs(high - time))
    while j < other.size:
        apart = abs(other[j] - time)
        found = min(found, apart)
        if other[j] >= time:
            break
        j += 1
    return found


@compiled
def _between(
    times: FloatArray,
    apart: FloatArray,
    passed: int,
    now: float,
    t_start: float,
    t_stop: float,
) -> float:
    """Distance at a time: of the spikes before and after it, the nearer in time weighs more."""
    if times.size == 0:
        share = (now - t_start) / (t_stop - t_start)
        return float(apart[0] + share * (apart[1] - apart[0]))
    if passed == 0:
        return float(apart[0])
    if passed == times.size:
        return float(apart[times.size - 1])
    before = times[passed - 1]
    share = (now - before) / (times[passed] - before)
    return float(apart[passed - 1] + share * (apart[passed] - apart[passed - 1]))
