"""Permuted neurons whose spikes differ as well: each trial is held against every trial's current.

Where no spike is equal, trains cannot be recognised by their spikes (`permutations`), but still by
the private current that they follow: under their own the next spike is predicted far better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from analysis.diagnosis.bookkeeping import Books
from analysis.diagnosis.dynamics import Account, train
from analysis.diagnosis.findings import Cause, Finding
from analysis.diagnosis.intervals import current_rows
from analysis.diagnosis.permutations import unpermuted
from analysis.diagnosis.wording import percent
from analysis.lif import Intervals, predict
from analysis.spikearrays import FloatArray, IntArray, SpikeArrays
from pynn_model import stimulus

MOST = 60
"""Trials up to which all pairs are tried."""


def reordered(
    books: Mapping[int, Books], known: Mapping[int, tuple[Account, Account]]
) -> dict[int, Books]:
    """The books of the conditions whose other run has its neurons in another order, undone."""
    doubtful = {
        k: theirs
        for k, (ours, theirs) in known.items()
        if ours.good
        and not theirs.good
        and theirs.explanation.fraction < 0.8
        and stimulus.has_private(theirs.condition)
        and 2 <= books[k].other.n_trials <= min(MOST, theirs.plan.trials)
        and books[k].other.n_trials == books[k].reference.n_trials
        and not any(f.cause is Cause.PERMUTED_NEURONS for f in books[k].findings)
    }
    sizes = {books[k].other.n_trials for k in doubtful}
    if len(sizes) != 1:
        return {}
    loss = np.mean([_losses(a, books[k].other) for k, a in doubtful.items()], axis=0)
    order = _order(loss)
    if order is None:
        return {}
    finding = _finding(loss, order)
    return {
        k: replace(
            books[k],
            findings=(*books[k].findings, finding),
            other=unpermuted(books[k].other, order),
        )
        for k in doubtful
    }


def _losses(account: Account, spikes: SpikeArrays) -> FloatArray:
    """(n, n): mean error (ms) of the intervals of trial j under the current of trial i."""
    n = spikes.n_trials
    currents = current_rows(account.plan, account.condition, list(range(n)))
    times = [train(spikes, trial) for trial in range(n)]
    of = np.repeat(np.arange(n), [t.size for t in times])
    begin = np.concatenate([np.append(np.nan, t[:-1]) if t.size else t for t in times])
    end = np.concatenate(times)
    intervals = Intervals(
        np.ascontiguousarray(currents),
        np.repeat(np.arange(n), end.size),
        np.tile(begin, n),
        np.tile(end, n),
        np.full(n * end.size, account.plan.duration),
        np.zeros(n * end.size, dtype=np.int64),
        account.plan.timestep,
    )
    error = np.abs(predict(account.explanation.model, intervals).error).reshape(n, end.size)
    sums = np.stack([np.bincount(of, row, minlength=n) for row in error])
    return np.asarray(sums / np.maximum(np.bincount(of, minlength=n), 1))


def _order(loss: FloatArray) -> IntArray | None:
    """order[i]: the trial of the other run that follows the current of trial i."""
    from scipy.optimize import linear_sum_assignment

    n = len(loss)
    _, found = linear_sum_assignment(loss)
    order: IntArray = np.asarray(found, dtype=np.int64)
    moved = np.flatnonzero(order != np.arange(n))
    if not moved.size:
        return None
    best = loss[moved, order[moved]]
    others = loss[moved].copy()
    others[np.arange(moved.size), order[moved]] = np.inf
    nearest = others.min(axis=1)  # 0 for a trial without spikes, which fits everywhere
    ratio = np.divide(best, nearest, out=np.ones_like(best), where=nearest > 0)
    stands_out = np.median(ratio) < 0.8
    better = best.mean() < 0.75 * np.diag(loss)[moved].mean()
    return order if stands_out and better else None


def _finding(loss: FloatArray, order: IntArray) -> Finding:
    n = order.size
    moved = int(np.count_nonzero(order != np.arange(n)))
    before, after = float(np.diag(loss).mean()), float(loss[np.arange(n), order].mean())
    sentence = (
        f"The neurons are in another order: {moved} of {n} trials of the other run follow the "
        f"private current of another trial ({percent(1 - after / before)} smaller errors of the "
        "predicted intervals that way). Sort the trains by the neuron's number (PyNN: "
        "source_index) before comparing."
    )
    evidence: dict[str, float | str] = {
        "moved": float(moved),
        "trials": float(n),
        "error_before_ms": before,
        "error_after_ms": after,
        "order": " ".join(str(k) for k in order[:100]),
    }
    return Finding(Cause.PERMUTED_NEURONS, sentence, evidence)
