"""Spikes that one recording has and the other has not, while all others are equal."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from analysis.diagnosis.findings import Cause, Finding
from analysis.diagnosis.wording import many, ms, percent, trials_named
from analysis.matching import match_spikes
from analysis.pairing import Pair
from analysis.spikearrays import FloatArray, IntArray, SpikeArrays

SMALL_SHIFT = 5.0
"""A shift (ms) up to which spikes that it moved out of the recording are no loss of their own."""
UNLIKELY = 1e-4
"""Probability below which lost spikes do not pile up at an end by chance."""


def losses(
    pair: Pair,
    reference: SpikeArrays,
    other: SpikeArrays,
    tie: float,
    factor: float,
    shift: float,
) -> tuple[SpikeArrays, SpikeArrays, list[Finding]]:
    """What was cut off or lost on either side, and the spikes that are left on both.

    tie: ms, up to which times are equal. factor, shift: by which the other's times were corrected.
    """
    ends = _ends(pair.reference.ends, reference), _ends(pair.other.ends, other, factor, shift)
    reference, other, findings = _declared(reference, other, ends)
    if 0 < abs(shift) <= SMALL_SHIFT:
        window = pair.other.starts.min() - shift, pair.other.ends.max() - shift
        reference = _inside(reference, other, window, tie)
    for lacking, having in (("other run", "reference"), ("reference", "other run")):
        swap = lacking == "reference"
        full, part = (other, reference) if swap else (reference, other)
        kept, found = _lost(full, part, tie, having, lacking)
        if not found:
            kept, found = _fell_silent(full, part, having, lacking)
        findings.extend(found)
        reference, other = (part, kept) if swap else (kept, part)
    return reference, other, findings


def _ends(
    stated: FloatArray, spikes: SpikeArrays, factor: float = 1.0, shift: float = 0.0
) -> FloatArray:
    """When each trial's recording ends (ms); no earlier than its last spike.

    A file whose spikes are in other units than it says may still have its t_stop in the right ones.
    """
    ends = stated * factor - shift if factor <= 1 else stated
    last = np.full(ends.size, -np.inf)
    np.maximum.at(last, spikes.trials, spikes.times)
    # A window that was written before the spikes were shifted says nothing.
    return np.asarray(np.maximum(ends, last.max(initial=-np.inf) if shift else last))


def _declared(
    reference: SpikeArrays, other: SpikeArrays, ends: tuple[FloatArray, FloatArray]
) -> tuple[SpikeArrays, SpikeArrays, list[Finding]]:
    """Trials whose recording says itself that it ends earlier; the later part is left out."""
    longest = max(float(e.max()) for e in ends)
    tolerance = max(0.01 * longest, 5.0)
    findings = []
    for k, name in ((1, "other run"), (0, "reference")):
        short = np.flatnonzero(ends[1 - k] - ends[k] > tolerance)
        if not short.size:
            continue
        full = reference if k else other
        gone = np.isin(full.trials, short) & (full.times > ends[k][full.trials])
        if not gone.any():
            continue
        until, of = float(ends[k][short].min()), float(ends[1 - k][short].max())
        sentence = (
            f"The {name}'s recording ends at {ms(until)} instead of {ms(of)}"
            f"{_which(short, full.n_trials)}: {many(int(gone.sum()), 'spike')} after that cannot "
            "be compared. It was cut short, or run for a shorter time."
        )
        evidence = {"t_cut": until, "t_stop": of, "trials": float(short.size),
                    "lost": float(gone.sum())}  # fmt: skip
        findings.append(Finding(Cause.TRUNCATED, sentence, evidence))
        if k:
            reference = _without(reference, gone)
        else:
            other = _without(other, gone)
    return reference, other, findings


def _inside(
    full: SpikeArrays, part: SpikeArrays, window: tuple[float, float], tie: float
) -> SpikeArrays:
    """Without the spikes that a shift moved out of the other recording's window (ms)."""
    outside = (full.times < window[0] - tie) | (full.times > window[1] + tie)
    if not outside.any():
        return full
    gone = np.zeros(full.times.size, dtype=bool)
    gone[match_spikes(full, part, tie).missing] = True
    return _without(full, gone & outside)


def cut_off(
    full: SpikeArrays, part: SpikeArrays, end: float, tie: float, having: str, lacking: str
) -> Finding | None:
    """The finding that `part` ends at about `end` (ms), if all it lacks are last spikes after it.

    having, lacking: how the two sides are called.
    """
    matching = match_spikes(full, part, tie)
    gone = np.zeros(full.times.size, dtype=bool)
    gone[matching.missing] = True
    if not gone.any() or matching.extra.size or full.times[gone].min() <= end:
        return None
    trailing, _ = _runs(full, gone)
    if np.any(gone & ~trailing):
        return None
    found = _sentence(Cause.TRUNCATED, gone, full, part, having, lacking, True)
    if part.times.size:
        return found
    lost = full.times[gone]
    sentence = (
        f"The {lacking} has no spike here, where the {having} has {lost.size}, all after "
        f"{ms(end)}, where other conditions of the {lacking} end, too: its recording ends early."
    )
    return replace(found, sentence=sentence, evidence={**found.evidence, "t_cut": end})


def _lost(
    full: SpikeArrays, part: SpikeArrays, tie: float, having: str, lacking: str
) -> tuple[SpikeArrays, list[Finding]]:
    """Spikes of `full` that `part` lacks, if everything else in `part` is in `full`."""
    matching = match_spikes(full, part, tie)
    if (
        not part.times.size
        or not matching.missing.size
        or matching.extra.size > 0.02 * max(matching.n_pairs, 1)
        or 5 * matching.extra.size > matching.missing.size  # spikes that moved, not lost ones
    ):
        return full, []
    gone = np.zeros(full.times.size, dtype=bool)
    gone[matching.missing] = True
    trailing, leading = _runs(full, gone)
    empty = (part.counts == 0) & (full.counts > 0)
    silent = gone & empty[full.trials]
    parts: list[tuple[Cause, np.ndarray]] = []
    chance = min(1.0, full.n_trials / max(full.times.size, 1))
    total = int(gone.sum())
    if (
        _piled(int((trailing & ~silent).sum()), total, chance)
        or (silent.any() and _piled(int(trailing.sum()), total, chance))
        or _all_at_one_end(full.times, gone, last=True)
    ):
        parts.append((Cause.TRUNCATED, trailing))
        gone &= ~trailing
    elif _piled(int(leading.sum()), total, chance) or _all_at_one_end(full.times, gone, last=False):
        parts.append((Cause.INITIAL_SPIKES, leading))
        gone &= ~leading
    if gone.any():
        parts.append((Cause.SPIKES_DROPPED, gone))
    findings = [
        _sentence(cause, which, full, part, having, lacking, matching.extra.size == 0)
        for cause, which in parts
    ]
    every = np.zeros(full.times.size, dtype=bool)
    every[matching.missing] = True
    return _without(full, every), findings


def _runs(full: SpikeArrays, gone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the lost spikes are a trial's last ones, with none kept after; and its first."""
    trailing, leading = np.zeros(gone.size, dtype=bool), np.zeros(gone.size, dtype=bool)
    ends = np.cumsum(full.counts)
    for start, stop in zip(ends - full.counts, ends, strict=True):
        kept = np.flatnonzero(~gone[start:stop])
        first, last = (kept[0], kept[-1]) if kept.size else (stop - start, -1)
        leading[start : start + first] = True
        trailing[start + last + 1 : stop] = True
    return trailing, leading


def _all_at_one_end(times: FloatArray, gone: np.ndarray, last: bool) -> bool:
    """Whether the lost spikes are just the last (or first) ones of all trials, two or more."""
    order = np.argsort(times, kind="stable")
    number = int(gone.sum())
    at_end = gone[order[-number:]] if last else gone[order[:number]]
    return number >= 2 and bool(at_end.all()) and math.comb(times.size, number) > 100


def _piled(number: int, total: int, chance: float) -> bool:
    """Whether `number` of `total` lost spikes at one end are more than chance puts there."""
    if not number:
        return False
    tail = sum(
        math.comb(total, k) * chance**k * (1 - chance) ** (total - k)
        for k in range(number, min(total, number + 40) + 1)
    )
    return tail < UNLIKELY


def _sentence(
    cause: Cause,
    which: np.ndarray,
    full: SpikeArrays,
    part: SpikeArrays,
    having: str,
    lacking: str,
    clean: bool,
) -> Finding:
    number, total = int(which.sum()), full.times.size
    trials = np.unique(full.trials[which])
    times = full.times[which]
    evidence: dict[str, float | str] = {
        "lost": float(number), "of": float(total), "fraction": number / total,
        "trials": float(trials.size), "first": float(times.min()), "last": float(times.max()),
        "lacking": lacking,
    }  # fmt: skip
    rest = "every other spike is equal" if clean else "nearly all others are equal"
    if cause is Cause.TRUNCATED:
        last = _last_kept(part, trials)
        evidence["t_cut"] = last
        text = (
            f"The {lacking} has no spike after {ms(last)}{_which(trials, full.n_trials)}, where "
            f"the {having} has {number} more, up to {ms(float(times.max()))}; before that {rest}. "
            "Its recording ends early: a run that was interrupted, or a full recording memory."
        )
    elif cause is Cause.INITIAL_SPIKES:
        text = (
            f"The {lacking} lacks the first spikes{_which(trials, full.n_trials)} "
            f"({many(number, 'spike')}, up to {ms(float(times.max()))}); after that {rest}. Its "
            "recording or its current began late."
        )
    else:
        twice = _twice(full, which)
        evidence["twice"] = float(twice)
        where = f"scattered over {many(trials.size, 'trial')} ({trials_named(list(trials), 4)})"
        text = (
            f"{many(number, 'spike')} of {total} ({percent(number / total)}) of the {having} "
            f"{'is' if number == 1 else 'are'} not in the {lacking}, "
            f"{where if trials.size > 1 else 'in ' + trials_named(list(trials))}, and {rest}. "
        )
        text += (
            f"{'They are' if twice > 1 else 'It is'} in the {having} twice: merged or written two "
            "times over."
            if twice == number
            else "A neuron that had not fired would have fired differently afterwards: they were "
            "lost in recording, transmission or writing, not in the simulation."
        )
    return Finding(cause, text, evidence)


def _twice(full: SpikeArrays, which: np.ndarray) -> int:
    """How many of these spikes are in the run another time at the same time."""
    keys = np.stack([full.trials, np.rint(full.times / 1e-6).astype(np.int64)], axis=1)
    _, inverse, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    return int(np.count_nonzero(counts[inverse.ravel()[which]] > 1))


def _last_kept(part: SpikeArrays, trials: IntArray) -> float:
    mine = part.times[np.isin(part.trials, trials)]
    return float(mine.max()) if mine.size else float(part.t_start)


def _fell_silent(
    full: SpikeArrays, part: SpikeArrays, having: str, lacking: str
) -> tuple[SpikeArrays, list[Finding]]:
    """Where the spikes differ anyway: a side that stops altogether while the other goes on."""
    if not part.times.size or not full.times.size:
        return full, []
    last = float(part.times.max())
    intervals = np.diff(part.times)[np.diff(part.trials) == 0]
    pause = float(np.median(intervals)) if intervals.size else 0.1 * full.duration
    after = full.times > last + 0.5 * pause
    before = full.times <= last
    rate = before.sum() / max(last - full.t_start, 1e-9)
    expected = rate * (full.t_stop - last)
    enough = after.sum() >= 8 and expected >= 12 and part.times.size >= 0.5 * before.sum()
    if not enough or full.t_stop - last < 3 * pause:
        return full, []
    trials = np.unique(full.trials[after])
    if trials.size < 0.7 * full.n_trials:
        return full, []
    evidence: dict[str, float | str] = {
        "lost": float(after.sum()), "t_cut": last, "trials": float(trials.size),
        "lacking": lacking,
    }  # fmt: skip
    text = (
        f"The {lacking} has no spike after {ms(last)}, where the {having} has {int(after.sum())} "
        "more: its recording ends early."
    )
    kept = _without(full, full.times > last + TIE_AFTER)
    return kept, [Finding(Cause.TRUNCATED, text, evidence)]


TIE_AFTER = 1e-6


def _which(trials: IntArray, n_trials: int) -> str:
    if trials.size == n_trials:
        return " in every trial" if n_trials > 1 else ""
    return f" in {trials_named(list(trials))}"


def _without(spikes: SpikeArrays, gone: np.ndarray) -> SpikeArrays:
    return replace(spikes, times=spikes.times[~gone], trials=spikes.trials[~gone])
