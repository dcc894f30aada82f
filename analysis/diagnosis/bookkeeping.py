"""What can be told from the spike times alone: the same spikes, written down differently.

Each step looks for one way in which a recording can differ although the neurons did the same:
other units, a shifted time axis, permuted neurons, a part cut off, spikes lost. What is found is
undone in the other run's spikes before the next step, so that several can be found one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.diagnosis.findings import Cause, Finding
from analysis.diagnosis.losses import losses
from analysis.diagnosis.permutations import permutation, unpermuted
from analysis.diagnosis.wording import many, ms, percent
from analysis.matching import match_spikes
from analysis.pairing import Pair
from analysis.spikearrays import SpikeArrays

TIE = 2e-6
"""Spike times (ms) this close are equal: what solvers that are exact differ by at most."""
UNITS = {1e3: "s", 1e-3: "µs", 1e6: "ks", 1e-6: "ns"}
"""What the other run's times have to be multiplied with -> what they are written in."""
LARGE_SHIFT = 5.0
"""A shift (ms) beyond this, and beyond 20 timesteps, is another origin of time."""


@dataclass(frozen=True)
class Books:
    """findings: in the order found. reference, other: the spikes left to explain, with the
    findings undone. settled: whether nothing is left. order: the permutation, if there is one.
    """

    findings: tuple[Finding, ...]
    reference: SpikeArrays
    other: SpikeArrays
    settled: bool
    shift: float = 0.0


def keep_books(pair: Pair, step: float | None, backend: str = "", may_shift: bool = True) -> Books:
    """All that differs in the book-keeping of one condition. step: ms, the other's timestep.

    backend: of the other run, whose habits explain some shifts. may_shift: whether a shifted
    time axis is to be looked for.
    """
    reference, other = pair.reference.spikes, pair.other.spikes
    findings: list[Finding] = []
    found, factor = _units(reference, other)
    if found:
        findings.append(found)
        other = _scaled(other, factor)
    shift, shift_finding = 0.0, None
    for _ in range(2):
        if settled(reference, other):
            break
        if not shift and may_shift:
            shift, shift_finding = _shift(reference, other, pair, step, backend)
            if shift_finding:
                findings.append(shift_finding)
                other = moved(other, -shift)
        order = permutation(reference, other)
        if order is not None:
            findings.append(_permuted(reference, other, order))
            other = unpermuted(other, order)
        elif shift_finding or not findings:
            break
    reference, other, lost = losses(pair, reference, other, TIE, factor, shift)
    findings.extend(lost)
    return Books(tuple(findings), reference, other, settled(reference, other), shift)


def settled(reference: SpikeArrays, other: SpikeArrays) -> bool:
    """Whether every spike is equal."""
    if reference.times.size != other.times.size or reference.n_trials != other.n_trials:
        return False
    same_trials = np.array_equal(reference.counts, other.counts)
    return same_trials and bool(np.all(np.abs(reference.times - other.times) <= TIE))


def equal(pair: Pair) -> bool:
    """Whether every spike of a condition is equal in both runs."""
    return settled(pair.reference.spikes, pair.other.spikes)


# --- units -----------------------------------------------------------------------------------


def _units(reference: SpikeArrays, other: SpikeArrays) -> tuple[Finding | None, float]:
    if min(reference.times.size, other.times.size) < 2:
        return None, 1.0
    sizes = np.median(np.abs(reference.times)), np.median(np.abs(other.times))
    if min(sizes) <= 0 or 0.05 < sizes[1] / sizes[0] < 20:
        return None, 1.0
    before = match_spikes(reference, other, 2.0).fraction_matched

    def matched(factor: float) -> float:
        return match_spikes(reference, _scaled(other, factor), 2.0).fraction_matched

    factor = max(UNITS, key=matched)
    after = matched(factor)
    if after < max(0.3, before + 0.2) and not _same_scale(reference, other, factor):
        return None, 1.0
    sentence = (
        f"The other run's times are in {UNITS[factor]} although its file says ms: multiplied by "
        f"{factor:g}, {percent(after)} of the spikes have a partner within 2 ms, as they are "
        f"{percent(before)}. Give the spike trains their true unit when they are written."
    )
    evidence = {"factor": factor, "matched": after, "matched_before": before}
    return Finding(Cause.UNITS, sentence, evidence), factor


def _same_scale(reference: SpikeArrays, other: SpikeArrays, factor: float) -> bool:
    """Whether the scaled spikes fill the reference's window with about as many spikes."""
    times = other.times * factor
    last = reference.times.max(), times.max()
    counts = reference.times.size, times.size
    return 0.7 < last[1] / last[0] < 1.4 and 0.5 < counts[1] / counts[0] < 2


def _scaled(spikes: SpikeArrays, factor: float) -> SpikeArrays:
    return replace(
        spikes,
        times=spikes.times * factor,
        t_start=spikes.t_start * factor,
        t_stop=spikes.t_stop * factor,
    )


# --- shifts ----------------------------------------------------------------------------------


def moved(spikes: SpikeArrays, by: float) -> SpikeArrays:
    return replace(
        spikes, times=spikes.times + by, t_start=spikes.t_start + by, t_stop=spikes.t_stop + by
    )


def _shift(
    reference: SpikeArrays, other: SpikeArrays, pair: Pair, step: float | None, backend: str
) -> tuple[float, Finding | None]:
    """A time that all spikes of the other run are later, if there is one."""
    lag, fraction, n, at_zero = common_lag(reference, other)
    if abs(lag) <= TIE or fraction < 0.85 or n < 3 or at_zero > fraction - 0.2:
        return 0.0, None
    starts = float(pair.other.starts.min() - pair.reference.starts.min())
    origin = abs(starts - lag) < 1e-3 * abs(lag) or (
        abs(lag) > LARGE_SHIFT and abs(lag) > 20 * (step or 0.1)
    )
    steps = lag / step if step else float("nan")
    evidence: dict[str, float | str] = {"shift_ms": lag, "fraction": fraction, "spikes": float(n)}
    if step:
        evidence["steps"] = round(steps, 6)
    if origin:
        evidence["t_start_difference"] = starts
        sentence = (
            f"The other run's time axis begins elsewhere: all its spikes are {ms(abs(lag))} "
            f"{_later(lag)} ({percent(fraction)} of {n} spikes by exactly that). "
            + (
                "Its t_start differs by just that much; "
                if abs(starts - lag) < 1e-3 * abs(lag)
                else "Something before the stimulus (a lead-in, a settling time) was left in "
                "or cut off; "
            )
            + "subtract it before comparing."
        )
        return lag, Finding(Cause.T_START, sentence, evidence)
    whole = step is not None and abs(steps - round(steps)) < 0.01 and round(steps) != 0
    amount = ms(abs(lag))
    size = f"{many(abs(round(steps)), 'timestep')} ({amount})" if whole else amount
    sentence = (
        f"Every spike of the other run is {size} {_later(lag)} ({percent(fraction)} of {n} spikes "
        "by exactly that), with no drift: the neurons did the same, and the times are stamped "
        "differently"
    )
    if whole and abs(round(steps)) == 1 and backend != "pyNN.nest":
        sentence += (
            f" (the {'start' if lag < 0 else 'end'} of the step instead of its "
            f"{'end' if lag < 0 else 'start'})"
        )
    if backend == "pyNN.nest" and lag > 0:
        sentence += (
            ". PyNN's NEST delivers a current only after min_delay and one step more; a lead-in "
            "makes up for it"
        )
    return lag, Finding(Cause.CONSTANT_SHIFT, f"{sentence}. Move them by {ms(-lag)}.", evidence)


def _later(lag: float) -> str:
    return "later" if lag > 0 else "earlier"


def common_lag(reference: SpikeArrays, other: SpikeArrays) -> tuple[float, float, int, float]:
    """The commonest difference of a spike of `other` to one of the reference in the same trial.

    Returns the lag (ms), the fraction of spikes that have it, the number of different times among
    those, and the fraction at lag 0.
    """
    chosen = np.unique(np.linspace(0, reference.n_trials - 1, 40).astype(int))
    lags, origins = [np.empty(0)], [np.empty(0)]
    ends, other_ends = np.cumsum(reference.counts), np.cumsum(other.counts)
    possible = 0
    for trial in chosen:
        mine = reference.times[ends[trial] - reference.counts[trial] : ends[trial]][:400]
        yours = other.times[other_ends[trial] - other.counts[trial] : other_ends[trial]][:400]
        lags.append(np.subtract.outer(yours, mine).ravel())
        origins.append(np.tile(mine, yours.size))
        possible += min(mine.size, yours.size)
    lag, origin = np.concatenate(lags), np.concatenate(origins)
    if not lag.size:
        return 0.0, 0.0, 0, 0.0
    bins = np.rint(lag / 1e-4).astype(np.int64)
    values, counts = np.unique(bins, return_counts=True)
    # A lag at the edge of a bin falls into two.
    beside = np.zeros(values.size)
    beside[1:] += np.where(np.diff(values) == 1, counts[:-1], 0)
    total = counts + beside
    best = values[np.lexsort((np.abs(values), -total))[0]]
    mine = np.abs(bins - best) <= 1
    exact = float(np.median(lag[mine]))
    at_zero = float(np.count_nonzero(np.abs(lag) <= 1e-4)) / possible
    different = np.unique(np.rint(origin[mine] / 1e-3)).size
    return exact, min(float(mine.sum()) / possible, 1.0), int(different), at_zero


# --- permutations ----------------------------------------------------------------------------


def _permuted(reference: SpikeArrays, other: SpikeArrays, order: np.ndarray) -> Finding:
    """order[k]: the trial of the other run that is the reference's trial k."""
    moved = np.flatnonzero(order != np.arange(order.size))
    before = match_spikes(reference, other, TIE).fraction_matched
    after = match_spikes(reference, unpermuted(other, order), TIE).fraction_matched
    pattern, known = _pattern(order)
    sentence = (
        f"The neurons are in another order: {moved.size} of {order.size} trials of the other run "
        f"hold the spikes of another trial of the reference ({known}); put in order, "
        f"{percent(after)} of the spikes are equal, as they are {percent(before)}. Sort the trains "
        "by the neuron's number (PyNN: source_index) before comparing."
    )
    evidence: dict[str, float | str] = {
        "moved": float(moved.size),
        "trials": float(order.size),
        "equal_before": before,
        "equal_after": after,
        "pattern": pattern,
        "order": " ".join(str(k) for k in order[:100]),
    }
    return Finding(Cause.PERMUTED_NEURONS, sentence, evidence)


def _pattern(order: np.ndarray) -> tuple[str, str]:
    n = order.size
    if np.array_equal(order, np.arange(n)[::-1]):
        return "reversed", "exactly reversed"
    turn = (order - np.arange(n)) % n
    if np.all(turn == turn[0]):
        return "rotated", f"rotated by {turn[0]}"
    if np.array_equal(order, np.argsort([str(k) for k in range(n)], kind="stable")):
        return "text", "sorted as text: 0, 1, 10, 11, 2, …"
    moved = np.flatnonzero(order != np.arange(n))
    shown = ", ".join(f"trial {k + 1} is the other run's {order[k] + 1}" for k in moved[:3])
    return "other", shown + (", …" if moved.size > 3 else "")
