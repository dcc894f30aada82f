"""Optimal one-to-one matching of the spikes of two trains."""

from __future__ import annotations

import numpy as np

from analysis.kernels.compiling import compiled
from analysis.spikearrays import FloatArray, IntArray

_SKIP_REFERENCE, _SKIP_OTHER, _PAIR = 0, 1, 2


@compiled
def match(
    a: FloatArray, a_starts: IntArray, b: FloatArray, b_starts: IntArray, reach: float
) -> tuple[IntArray, IntArray]:
    """Indices into a and b of the pairs, train k with train k, at most `reach` apart.

    The best matching never crosses, so that of the first i and j spikes follows from those of
    fewer. Spike i meets those others only that are within reach, low[i] <= j < high[i]: before and
    after them nothing is to be decided, which keeps the table as small as the number of possible
    pairs.
    """
    most = min(a.size, b.size)
    left, right = np.empty(most, np.int64), np.empty(most, np.int64)
    found = 0
    for train in range(a_starts.size - 1):
        begin, end = a_starts[train], a_starts[train + 1]
        found = _match_one(
            a[begin:end],
            b[b_starts[train] : b_starts[train + 1]],
            reach,
            begin,
            b_starts[train],
            left,
            right,
            found,
        )
    return left[:found], right[:found]


@compiled
def _match_one(
    a: FloatArray,
    b: FloatArray,
    reach: float,
    a_first: int,
    b_first: int,
    left: IntArray,
    right: IntArray,
    found: int,
) -> int:
    low, high = np.empty(a.size, np.int64), np.empty(a.size, np.int64)
    rows = np.zeros(a.size + 1, np.int64)
    first, stop = 0, 0
    for i in range(a.size):
        while first < b.size and b[first] < a[i] and a[i] - b[first] > reach:
            first += 1
        stop = max(stop, first)
        while stop < b.size and (b[stop] <= a[i] or b[stop] - a[i] <= reach):
            stop += 1
        low[i], high[i] = first, stop
        rows[i + 1] = rows[i] + stop - first + 1
    choices = _choose(a, b, low, high, rows)

    pairs = 0
    i, j = a.size, b.size
    while i > 0:
        j = min(j, high[i - 1])
        choice = choices[rows[i - 1] + j - low[i - 1]]
        if choice == _SKIP_REFERENCE:
            i -= 1
        elif choice == _SKIP_OTHER:
            j -= 1
        else:
            i, j = i - 1, j - 1
            left[found + pairs], right[found + pairs] = a_first + i, b_first + j
            pairs += 1
    left[found : found + pairs] = left[found : found + pairs][::-1].copy()
    right[found : found + pairs] = right[found : found + pairs][::-1].copy()
    return found + pairs


@compiled
def _choose(
    a: FloatArray, b: FloatArray, low: IntArray, high: IntArray, rows: IntArray
) -> np.ndarray:
    """What the best matching does at each (i, j): most pairs first, then least total distance.

    Between equals the earlier spikes are paired, so that of a repeated spike the repetition is
    what is missing or extra.
    """
    choices = np.zeros(rows[-1], np.int8)
    count, cost = np.zeros(b.size + 1, np.int64), np.zeros(b.size + 1)
    known = 0  # count and cost hold the row before up to here, and are constant from here on.
    for i in range(a.size):
        count[known : high[i] + 1] = count[known]
        cost[known : high[i] + 1] = cost[known]
        known = high[i]
        j = low[i]
        before, before_cost = count[j], cost[j]
        for j in range(low[i] + 1, high[i] + 1):
            best, best_cost, choice = count[j], cost[j], _SKIP_REFERENCE
            if _better(count[j - 1], cost[j - 1], best, best_cost):
                best, best_cost, choice = count[j - 1], cost[j - 1], _SKIP_OTHER
            together = before_cost + abs(a[i] - b[j - 1])
            if _better(before + 1, together, best, best_cost):
                best, best_cost, choice = before + 1, together, _PAIR
            before, before_cost = count[j], cost[j]
            count[j], cost[j] = best, best_cost
            choices[rows[i] + j - low[i]] = choice
    return choices


@compiled
def _better(count: int, cost: float, than: int, than_cost: float) -> bool:
    return count > than or (count == than and cost < than_cost)
