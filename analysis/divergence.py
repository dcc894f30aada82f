"""The first spike that is not the same in both runs, with the potential and current around it."""

from __future__ import annotations

import numpy as np

from analysis.diagnosis.dynamics import Account, train
from analysis.diagnosis.findings import DivergenceWindow, FirstDivergence
from analysis.diagnosis.intervals import current_rows
from analysis.lif import Model, potential
from analysis.pairing import Pair, Potentials
from analysis.spikearrays import FloatArray, SpikeArrays

BEFORE, AFTER = 15.0, 10.0
"""ms shown before and after the first divergence."""


def first_divergence(
    pair: Pair, accounts: tuple[Account, Account] | None = None, tie: float = 2e-6
) -> FirstDivergence | None:
    """The earliest difference over all trials of a condition; None where every spike is equal.

    The potentials are the recorded ones where both runs kept that trial's, and otherwise computed
    from the experiment, if it is known (accounts).
    """
    found = _earliest(pair.reference.spikes, pair.other.spikes, tie)
    if found is None:
        return None
    trial, number, ours, theirs = found
    same = ours is not None and theirs is not None and _same_spike(pair, trial, ours, theirs)
    if ours is not None and theirs is not None and not same:
        ours, theirs = (ours, None) if ours < theirs else (None, theirs)
    at = min(t for t in (ours, theirs) if t is not None)
    current, computed = _computed(pair, accounts, trial)
    silent = not pair.reference.spikes.times.size or not pair.other.spikes.times.size
    if accounts is not None and (silent or not (accounts[0].good and accounts[1].good)):
        computed = None  # a model that does not predict the spikes knows nothing of v
    recorded = _recorded(pair, trial)
    v_thresh = accounts[0].explanation.model.neuron.v_thresh if accounts else None
    values: list[float | None] = [None, None]
    distance = None
    source = ""
    if computed is not None:
        source = "computed"
        step, traces = computed
        values = [_value(trace, step, at) for trace in traces]
    if recorded is not None:
        near = [_nearest(v, trial, at) for v in recorded]
        if None not in near:
            values, source = list(near), "recorded"
    late = 1 if ours is not None and ours == at else 0  # the side that did not fire there
    if computed is not None and accounts and at < computed[0] * computed[1][late].size:
        below = accounts[late].explanation.model.neuron.v_thresh - _at(
            accounts[late].explanation.model, current, computed[1][late], at
        )
        distance = max(float(below), 0.0)
    return FirstDivergence(
        condition=pair.name,
        trial=trial,
        number=number,
        time_reference=ours,
        time_other=theirs,
        v_reference=values[0],
        v_other=values[1],
        v_thresh=v_thresh,
        current=_value(current[1], current[0], at - 1e-6) if current is not None else None,
        distance_to_threshold=distance,
        v_source=source,
        window=_window(trial, at, recorded, computed, current),
    )


def _earliest(
    reference: SpikeArrays, other: SpikeArrays, tie: float
) -> tuple[int, int, float | None, float | None] | None:
    """(trial, number, time, other's time) of the first difference in time over all trials."""
    best: tuple[int, int, float | None, float | None] | None = None
    earliest = np.inf
    ends, other_ends = np.cumsum(reference.counts), np.cumsum(other.counts)
    for trial in range(reference.n_trials):
        mine = reference.times[ends[trial] - reference.counts[trial] : ends[trial]]
        yours = other.times[other_ends[trial] - other.counts[trial] : other_ends[trial]]
        n = min(mine.size, yours.size)
        differing = np.flatnonzero(np.abs(mine[:n] - yours[:n]) > tie)
        k = int(differing[0]) if differing.size else n
        if k == n and mine.size == yours.size:
            continue
        a = float(mine[k]) if k < mine.size else None
        b = float(yours[k]) if k < yours.size else None
        at = min(t for t in (a, b) if t is not None)
        if at < earliest:
            earliest, best = at, (trial, k + 1, a, b)
    return best


def _same_spike(pair: Pair, trial: int, ours: float, theirs: float) -> bool:
    """Whether two times are one spike that moved, or a spike of one run alone and a later one."""
    intervals = np.diff(train(pair.reference.spikes, trial))
    usual = float(np.median(intervals)) if intervals.size else 50.0
    return abs(ours - theirs) <= max(0.5 * usual, 2.0)


Traces = tuple[float, tuple[FloatArray, FloatArray]]


def _computed(
    pair: Pair, accounts: tuple[Account, Account] | None, trial: int
) -> tuple[tuple[float, FloatArray] | None, Traces | None]:
    """The current (step, samples), and both potentials, from the experiment."""
    if accounts is None or trial >= accounts[0].plan.trials:
        return None, None
    step = accounts[0].plan.timestep
    rows = [current_rows(a.plan, a.condition, [trial])[0] for a in accounts]
    sides = pair.reference.spikes, pair.other.spikes
    if accounts[1].plan.timestep != step:
        return (step, rows[0]), None
    traces = tuple(
        potential(account.explanation.model, row, train(spikes, trial), step)
        for account, row, spikes in zip(accounts, rows, sides, strict=True)
    )
    n = min(trace.size for trace in traces)  # one of the runs may be shorter
    return (step, rows[0]), (step, (traces[0][:n], traces[1][:n]))


def _at(
    model: Model, current: tuple[float, FloatArray] | None, trace: FloatArray, time: float
) -> float:
    """v (mV) at `time`, on from the last step before it: the next one may hold a reset."""
    assert current is not None
    step, samples = current
    k = min(int(np.floor(time / step - 1e-6)), samples.size - 1)
    neuron = model.neuron
    drive = neuron.i_offset + model.gain * float(samples[k])
    target = neuron.v_rest + neuron.resistance * drive
    passed = time - k * step
    return float(target + (trace[k] - target) * np.exp(-passed / neuron.tau_m))


def _value(samples: FloatArray, step: float, time: float) -> float | None:
    k = int(np.floor(time / step + 1e-9))
    return float(samples[k]) if 0 <= k < samples.size else None


def _recorded(pair: Pair, trial: int) -> tuple[Potentials, Potentials] | None:
    ours, theirs = pair.reference.potentials, pair.other.potentials
    if ours is None or theirs is None:
        return None
    both = trial in ours.trials and trial in theirs.trials
    return (ours, theirs) if both else None


def _nearest(v: Potentials, trial: int, time: float) -> float | None:
    """The last sample before `time` (ms), mV."""
    k = int(np.floor((time - v.t_start) / v.period - 1e-6))
    column = int(np.flatnonzero(v.trials == trial)[0])
    return float(v.values[k, column]) if 0 <= k < len(v.values) else None


def _window(
    trial: int,
    at: float,
    recorded: tuple[Potentials, Potentials] | None,
    computed: Traces | None,
    current: tuple[float, FloatArray] | None,
) -> DivergenceWindow | None:
    if computed is not None:
        step, traces = computed
        t = np.asarray(step * np.arange(traces[0].size, dtype=float))
        inside = (t >= at - BEFORE) & (t <= at + AFTER)
        now = _held(current, t[inside])
        return DivergenceWindow(t[inside], traces[0][inside], traces[1][inside], now)
    if recorded is None:
        return None
    finer = min(recorded, key=lambda v: v.period)
    t = finer.times[(finer.times >= at - BEFORE) & (finer.times <= at + AFTER)]
    both = [
        np.interp(t, v.times, v.values[:, np.flatnonzero(v.trials == trial)[0]], np.nan, np.nan)
        for v in recorded
    ]
    return DivergenceWindow(t, both[0], both[1], _held(current, t))


def _held(current: tuple[float, FloatArray] | None, t: FloatArray) -> FloatArray | None:
    """The current (nA) at each time, nan outside of the run."""
    if current is None:
        return None
    step, samples = current
    k = np.floor(t / step + 1e-9).astype(int)
    known = (k >= 0) & (k < samples.size)
    return np.where(known, samples[np.clip(k, 0, samples.size - 1)], np.nan)
