"""Victor-Purpura and van Rossum distances, Schreiber's correlation.

Each function writes into `out` the value of train first[k] of a with train second[k] of b.
"""

from __future__ import annotations

import math

import numpy as np

from analysis.kernels.compiling import compiled
from analysis.spikearrays import FloatArray, IntArray

_NEGLIGIBLE = 12.2  # Gaussian overlaps from so many sigmas on are below exp(-37), 1e-16.


@compiled
def victor_purpura(
    a: FloatArray,
    a_starts: IntArray,
    b: FloatArray,
    b_starts: IntArray,
    first: IntArray,
    second: IntArray,
    out: FloatArray,
    cost: float,
) -> None:
    """Victor & Purpura's recursion; one row of its table at a time."""
    row = np.empty(np.max(np.diff(b_starts)) + 1)
    for pair in range(out.size):
        begin, end = a_starts[first[pair]], a_starts[first[pair] + 1]
        other, n_other = b_starts[second[pair]], b_starts[second[pair] + 1]
        n_other -= other
        for j in range(n_other + 1):
            row[j] = j
        for i in range(begin, end):
            time = a[i]
            diagonal = row[0]
            left = diagonal + 1.0
            row[0] = left
            for j in range(n_other):
                above = row[j + 1]
                shifted = diagonal + cost * abs(time - b[other + j])
                left = min(min(above, left) + 1.0, shifted)
                row[j + 1] = left
                diagonal = above
        out[pair] = row[n_other]


@compiled
def van_rossum(
    a: FloatArray,
    a_starts: IntArray,
    b: FloatArray,
    b_starts: IntArray,
    first: IntArray,
    second: IntArray,
    out: FloatArray,
    tau: float,
) -> None:
    """The integral of the squared difference, spike by spike of both trains together.

    Between two spikes the difference h decays from its value at the first, so its square integrates
    to h^2 tau / 2 (1 - exp(-2 d / tau)). Every term is positive: nothing cancels, as it does in
    the sums over all pairs of spikes, of which near-identical trains keep half the digits.
    """
    for pair in range(out.size):
        i, a_end = a_starts[first[pair]], a_starts[first[pair] + 1]
        j, b_end = b_starts[second[pair]], b_starts[second[pair] + 1]
        height, total, time = 0.0, 0.0, 0.0
        while i < a_end or j < b_end:
            mine = j == b_end or (i < a_end and a[i] <= b[j])
            now = a[i] if mine else b[j]
            if height != 0.0:
                lost = -math.expm1((time - now) / tau)
                total += height * height * lost * (2.0 - lost)
                height *= 1.0 - lost
            if mine:
                height += 1.0
                i += 1
            else:
                height -= 1.0
                j += 1
            time = now
        out[pair] = math.sqrt(total + height * height)


@compiled
def schreiber(
    a: FloatArray,
    a_starts: IntArray,
    b: FloatArray,
    b_starts: IntArray,
    first: IntArray,
    second: IntArray,
    out: FloatArray,
    sigma: float,
) -> None:
    """Cosine of the angle between Gaussian-smoothed trains."""
    a_norms, b_norms = _own_overlaps(a, a_starts, sigma), _own_overlaps(b, b_starts, sigma)
    for pair in range(out.size):
        one, two = first[pair], second[pair]
        mine = a[a_starts[one] : a_starts[one + 1]]
        other = b[b_starts[two] : b_starts[two + 1]]
        if mine.size == 0 and other.size == 0:
            out[pair] = math.nan
        elif mine.size == 0 or other.size == 0:
            out[pair] = 0.0
        else:
            norm = math.sqrt(a_norms[one]) * math.sqrt(b_norms[two])
            out[pair] = min(1.0, _overlap(mine, other, sigma) / norm)


@compiled
def _own_overlaps(times: FloatArray, starts: IntArray, sigma: float) -> FloatArray:
    found = np.empty(starts.size - 1)
    for train in range(found.size):
        mine = times[starts[train] : starts[train + 1]]
        found[train] = _overlap(mine, mine, sigma)
    return found


@compiled
def _overlap(mine: FloatArray, other: FloatArray, sigma: float) -> float:
    """Inner product: the overlap of two Gaussians of width sigma is one of width 2^.5 sigma."""
    total = 0.0
    reach = _NEGLIGIBLE * sigma
    low = 0
    for time in mine:
        while low < other.size and other[low] < time - reach:
            low += 1
        for j in range(low, other.size):
            apart = other[j] - time
            if apart > reach:
                break
            total += math.exp(-0.25 * (apart / sigma) ** 2)
    return total
