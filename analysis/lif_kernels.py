"""The loops of `analysis.lif`, compiled: its `predict` and `potential` with arguments unpacked."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

compiled = numba.njit(cache=True, nogil=True)


@compiled
def _judged(predicted: float, end: float, cap: float) -> float:
    """recorded - predicted within ± cap; predicted is inf where no spike came in time."""
    if math.isnan(end):
        return 0.0 if math.isinf(predicted) else cap
    return min(max(end - predicted, -cap), cap)


@compiled
def continuous(
    currents: Any, row: Any, begin: Any, end: Any, limit: Any, dt: float, v_init: float,
    gain: float, lost: int, cap: float, skips: int, tolerance: float,
    tau: float, R: float, rest: float, thresh: float, reset: float, refrac: float, offset: float,
) -> Any:  # fmt: skip
    """Threshold crossings in continuous time."""
    n = row.size
    error, skipped = np.zeros(n), np.zeros(n, np.int64)
    n_steps = currents.shape[1]
    full = math.exp(-dt / tau)
    for i in range(n):
        last = limit[i] if math.isnan(end[i]) else min(end[i] + cap, limit[i])
        v, t = reset, begin[i] + refrac
        if math.isnan(begin[i]):
            v, t = v_init, 0.0
        k = int(math.floor(t / dt + 1e-9))
        t = max(t, k * dt)
        tries = 0
        crossing = math.inf
        if v >= thresh:
            crossing = t
        while k < n_steps and t <= last and math.isinf(crossing):
            drive = currents[row[i], k] if k >= lost else 0.0
            target = rest + R * (offset + gain * drive)
            h = (k + 1) * dt - t
            decay = full if abs(h - dt) < 1e-9 else math.exp(-h / tau)
            after = target + (v - target) * decay
            if after >= thresh:
                at = (
                    t + tau * math.log((target - v) / (target - thresh))
                    if after > thresh
                    else t + h
                )
                early = not math.isnan(end[i]) and at < end[i] - tolerance
                if tries < skips and early:
                    tries += 1
                    v, t = reset, at + refrac
                    k = int(math.floor(t / dt + 1e-9))
                    t = max(t, k * dt)
                    if tries == 1:
                        error[i] = _judged(at, end[i], cap)
                    continue
                crossing = at
                break
            v, t = after, (k + 1) * dt
            k += 1
        found = _judged(crossing, end[i], cap)
        if tries == 0:
            error[i] = found
        elif abs(found) <= tolerance:
            skipped[i] = tries
    return error, skipped


@compiled
def grid(
    currents: Any, row: Any, begin: Any, end: Any, limit: Any, dt: float, v_init: float,
    gain: float, lost: int, cap: float, skips: int, tolerance: float,
    decay: float, R: float, rest: float, thresh: float, reset: float, refrac: float, offset: float,
    every: int, smooth: bool,
) -> Any:  # fmt: skip
    """Threshold tested at the end of each step (of every `every` steps).

    smooth: errors in fractions of a step, as if a spike were half a step late: for slopes.
    """
    n = row.size
    error, skipped = np.zeros(n), np.zeros(n, np.int64)
    n_steps = currents.shape[1]
    hold = int(refrac)
    for i in range(n):
        last = limit[i] if math.isnan(end[i]) else min(end[i] + cap, limit[i])
        v, k = reset, 0
        if math.isnan(begin[i]):
            v = v_init
        else:
            k = int(round(begin[i] / dt)) + hold
        stop = min(n_steps, int(round(last / dt)))
        tries = 0
        crossing = math.inf
        while k < stop:
            drive = currents[row[i], k] if k >= lost else 0.0
            target = rest + R * (offset + gain * drive)
            before = v
            v = target + (v - target) * decay
            k += 1
            if v >= thresh and k % every == 0:
                early = not math.isnan(end[i]) and k * dt < end[i] - tolerance
                if tries < skips and early:
                    tries += 1
                    if tries == 1:
                        error[i] = _judged(k * dt, end[i], cap)
                    v = reset
                    k += hold
                    continue
                crossing = k * dt
                if smooth and every == 1:
                    crossing += (0.5 - min(max((v - thresh) / (v - before), 0.0), 1.0)) * dt
                break
        found = _judged(crossing, end[i], cap)
        if tries == 0:
            error[i] = found
        elif abs(found) <= tolerance:
            skipped[i] = tries
    return error, skipped


@compiled
def fixed(
    currents: Any, row: Any, begin: Any, end: Any, limit: Any, dt: float, v_init: float,
    gain: float, lost: int, cap: float, skips: int, tolerance: float,
    decay: int, R: int, rest: int, thresh: int, reset: int, hold: int, offset: int,
) -> Any:  # fmt: skip
    """SpiNNaker's s16.15 arithmetic: every product is rounded down."""
    n = row.size
    error, skipped = np.zeros(n), np.zeros(n, np.int64)
    n_steps = currents.shape[1]
    for i in range(n):
        last = limit[i] if math.isnan(end[i]) else min(end[i] + cap, limit[i])
        v, k = reset, 0
        if math.isnan(begin[i]):
            v = int(round(v_init * 32768))
        else:
            k = int(round(begin[i] / dt)) + hold
        stop = min(n_steps, int(round(last / dt)))
        tries = 0
        crossing = math.inf
        while k < stop:
            drive = currents[row[i], k] if k >= lost else 0.0
            x = offset + int(round(gain * drive * 32768))
            target = ((x * R) >> 15) + rest
            v = target - ((decay * (target - v)) >> 15)
            k += 1
            if v >= thresh:
                early = not math.isnan(end[i]) and k * dt < end[i] - tolerance
                if tries < skips and early:
                    tries += 1
                    if tries == 1:
                        error[i] = _judged(k * dt, end[i], cap)
                    v = reset
                    k += hold
                    continue
                crossing = k * dt
                break
        found = _judged(crossing, end[i], cap)
        if tries == 0:
            error[i] = found
        elif abs(found) <= tolerance:
            skipped[i] = tries
    return error, skipped


@compiled
def trace(
    current: Any, spikes: Any, dt: float, v_init: float, gain: float, lost: int,
    tau: float, decay: float, R: float, rest: float, reset: float, refrac: float, offset: float,
) -> Any:  # fmt: skip
    """v (mV) at 0, dt, 2 dt, … given when the neuron fired: (len(current) + 1,)."""
    n = current.size
    v = np.empty(n + 1)
    v[0] = v_init
    now, free, s = v_init, 0.0, 0
    for k in range(n):
        begin, end = k * dt, (k + 1) * dt
        drive = current[k] if k >= lost else 0.0
        target = rest + R * (offset + gain * drive)
        at = begin
        while s < spikes.size and spikes[s] <= end + 1e-7:
            now, at = reset, spikes[s]
            free = at + refrac
            s += 1
        at = max(at, min(free, end))
        h = end - at
        if h > dt - 1e-7:
            now = target + (now - target) * decay
        elif h > 1e-7:
            now = target + (now - target) * math.exp(-h / tau)
        v[k + 1] = now
    return v
