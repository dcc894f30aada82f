"""Which spike of one run is which spike of another: an optimal one-to-one matching."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.pairs import contiguous, paired, starts
from analysis.spikearrays import FloatArray, IntArray, Trials

TIME_TOLERANCE = 1e-9
"""Two times (ms) whose distance exceeds a window by no more than this are within it: the step from
10.2 to 10.3 ms is 1e-15 ms longer than 0.1 ms, and units and file formats do as much."""

BAND = (5.0, 95.0)
"""Percentiles between which `Matching.offset_by_ordinal` says the offsets lie."""


@dataclass(frozen=True)
class Matching:
    """Pairs of spikes of a reference and of another run, and what is left over on either side.

    reference_index, other_index: int64 (n_pairs,), the spikes of each pair in the SpikeArrays of
    either side, in order of trial and time.
    offsets: float64 (n_pairs,), time in the other run minus time in the reference, ms.
    trials, ordinals, times: (n_pairs,), of the reference's spike: its trial, its number within the
    trial from 1 on, its time (ms).
    missing: int64, indices of the reference's spikes without a partner.
    extra: int64, indices of the other run's spikes without a partner.
    n_reference, n_other: numbers of spikes. window: ms.
    """

    reference_index: IntArray
    other_index: IntArray
    offsets: FloatArray
    trials: IntArray
    ordinals: IntArray
    times: FloatArray
    missing: IntArray
    extra: IntArray
    n_reference: int
    n_other: int
    window: float

    @property
    def n_pairs(self) -> int:
        """Number of matched pairs."""
        return int(self.offsets.size)

    @property
    def fraction_matched(self) -> float:
        """Share of the spikes of both runs that have a partner; 1 if neither has any spike."""
        both = self.n_reference + self.n_other
        return 2.0 * self.n_pairs / both if both else 1.0

    @cached_property
    def _by_ordinal(self) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
        order = np.argsort(self.ordinals, kind="stable")
        ordinals, first = np.unique(self.ordinals[order], return_index=True)
        groups = np.split(self.offsets[order], first[1:]) if ordinals.size else []
        found = np.array([np.percentile(one, (50.0, *BAND)) for one in groups]).reshape(-1, 3)
        return ordinals, found[:, 0], found[:, 1], found[:, 2]

    def offset_by_ordinal(self) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
        """Offsets as a function of the spike's number within its trial.

        Returns the numbers that have a pair, int64 (n,), and for each of them over trials the
        median offset and its 5th and 95th percentile, float64 (n,), ms.
        """
        return self._by_ordinal


def match_spikes(reference: Trials, other: Trials, window: float) -> Matching:
    """Match the spikes of trial k of the reference with those of trial k of the other run.

    A pair is at most `window` ms apart (to within `TIME_TOLERANCE`), every spike is in one pair at
    most. Of all such matchings it has the most pairs, and of those the least sum of |offset|;
    between equals, earlier spikes are paired. Taking the nearest spike first, or the first one that
    is near enough, finds fewer pairs: of 0, 1.5 ms and 1, 2.6 ms within 1.2 ms it would pair 1.5
    with 1 and leave the other two.

    The time windows of the runs do not matter: what one of them did not observe is missing.
    Raises ValueError when the numbers of trials differ, or unless window is a finite number, 0 or
    above (0: equal times only).
    """
    if not (np.isfinite(window) and window >= 0):
        raise ValueError(f"window is {window!r} ms; it must be a finite number, 0 or above")
    from analysis.kernels.pairing import match

    a, b = paired(reference, other)
    reach = float(window) + TIME_TOLERANCE
    left, right = match(contiguous(a), starts(a), contiguous(b), starts(b), reach)
    return Matching(
        reference_index=left,
        other_index=right,
        offsets=b.times[right] - a.times[left],
        trials=a.trials[left],
        ordinals=a.ordinals[left],
        times=a.times[left],
        missing=_without(left, a.times.size),
        extra=_without(right, b.times.size),
        n_reference=int(a.times.size),
        n_other=int(b.times.size),
        window=float(window),
    )


def _without(taken: IntArray, total: int) -> IntArray:
    alone = np.ones(total, dtype=bool)
    alone[taken] = False
    return np.flatnonzero(alone).astype(np.int64)
