"""Whether the trials of one run are those of the other in another order."""

from __future__ import annotations

import numpy as np

from analysis.spikearrays import FloatArray, IntArray, SpikeArrays

SAME = 0.5
"""Fraction of its spikes (or intervals) that a moved trial must share with its true partner."""


def permutation(reference: SpikeArrays, other: SpikeArrays) -> IntArray | None:
    """order[k]: the trial of `other` that is the reference's trial k; None if there is no other.

    Trials are recognised by equal spike times, or equal intervals if the time axis is shifted. A
    trial counts as moved only if it shares far more with its new partner than with its own
    number, so that trials that are equal anyway stay where they are.
    """
    if reference.n_trials < 2 or reference.n_trials != other.n_trials:
        return None
    for features in (_times, _intervals):
        order = _assigned(_shared(*features(reference), *features(other)), reference.times.size)
        if order is not None:
            return order
    return None


def unpermuted(spikes: SpikeArrays, order: IntArray) -> SpikeArrays:
    """The spikes with trial order[k] as trial k."""
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    trials = place[spikes.trials]
    sorting = np.lexsort((spikes.times, trials))
    return SpikeArrays(
        spikes.times[sorting], trials[sorting], spikes.n_trials, spikes.t_start, spikes.t_stop
    )


def _times(spikes: SpikeArrays) -> tuple[IntArray, IntArray, int]:
    return np.rint(spikes.times / 1e-4).astype(np.int64), spikes.trials, spikes.n_trials


def _intervals(spikes: SpikeArrays) -> tuple[IntArray, IntArray, int]:
    within = np.diff(spikes.trials) == 0
    interval = np.diff(spikes.times)[within]
    return np.rint(interval / 1e-3).astype(np.int64), spikes.trials[1:][within], spikes.n_trials


def _shared(
    values: IntArray, trials: IntArray, n: int, others: IntArray, other_trials: IntArray, same: int
) -> FloatArray:
    """(n, n): what trial i of the one has in common with trial j of the other, 0 to 1."""
    from scipy import sparse

    assert n == same
    _, code = np.unique(np.concatenate([values, others]), return_inverse=True)
    width = int(code.max(initial=0)) + 1

    def table(part: IntArray, of: IntArray) -> sparse.csr_matrix:
        built = sparse.csr_matrix((np.ones(part.size), (of, part)), shape=(n, width))
        built.sum_duplicates()
        built.data[:] = 1.0
        return built

    a, b = table(code[: values.size], trials), table(code[values.size :], other_trials)
    common = np.asarray((a @ b.T).todense())
    sizes = np.maximum.outer(np.asarray(a.sum(1)).ravel(), np.asarray(b.sum(1)).ravel())
    # Two silent trials have everything in common.
    return np.asarray(np.where(sizes > 0, common / np.maximum(sizes, 1.0), 1.0))


def _assigned(shared: FloatArray, spikes: int) -> IntArray | None:
    from scipy.optimize import linear_sum_assignment

    n = len(shared)
    own = np.diag(shared)
    # Between equally good partners a trial stays with its own number.
    _, found = linear_sum_assignment(shared + 1e-6 * np.eye(n), maximize=True)
    order: IntArray = np.asarray(found, dtype=np.int64)
    gained = shared[np.arange(n), order]
    moved = np.flatnonzero(order != np.arange(n))
    if not moved.size:
        return None
    if np.all(gained == 1.0):  # every train is there, in another place
        return order
    # Trains that follow one frozen current have spikes in common by chance: the true partner must
    # stand out from the trial's own number and from the next best.
    others = shared[moved].copy()
    others[np.arange(moved.size), order[moved]] = 0.0
    ahead = gained[moved] - np.maximum(own[moved], others.max(axis=1))
    convincing = gained[moved].mean() >= SAME and ahead.mean() > 0.3 and spikes >= 3 * n
    return order if convincing else None
