"""Compiled steps of cells that fire at the very time of the crossing, with synaptic input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .compiled import compiled
from .crossing import Interval, first_crossing
from .currents import fill
from .formulas import response
from .inbox import take
from .membrane import (
    ALPHA,
    BASE,
    CM,
    D_E,
    D_I,
    DECAY,
    DELTA,
    FADE_E,
    FADE_I,
    FREE,
    FREE_OFFSET,
    I_E,
    I_I,
    LEVEL_E,
    LEVEL_I,
    REFRAC,
    RESET,
    RESISTANCE,
    SLOPE_E,
    SLOPE_I,
    TAU_E,
    TAU_I,
    TAU_M,
    THRESH,
    V,
)
from .sampling import sample
from .spiking import AT_ONCE, new_spikes, push, with_room

TIE = 1e-10
"""ms. An event so close before the end of a refractory period comes at its end, and counts."""


@compiled
def with_synapses(
    first: int,
    count: int,
    timestep: float,
    c: Any,
    s: Any,
    currents: Any,
    inbox: Any,
    first_cell: int,
    mode: int,
    samples: Any,
) -> Any:
    """`count` steps of every cell; returns the Spikes.

    c, s: constants and state, see :mod:`.membrane`; the others: Currents, Inbox, Samples.
    first_cell: the number of cell 0 in the inbox.
    """
    spikes = new_spikes(1024)
    current = np.empty(count)
    at = np.zeros(3, np.int64)
    for cell in range(len(s)):
        fill(currents, cell, first, count, current)
        for k in range(count):
            limit = c[cell, BASE] + current[k] * c[cell, RESISTANCE]
            now = 0.0
            while now >= 0.0:
                now = to_spike(now, first + k, cell, limit, timestep, c, s, inbox, first_cell, mode)
                if now >= 0.0:
                    spikes = with_room(spikes, 1)
                    push(spikes, first + k + 1, max(now, AT_ONCE * timestep), cell)
            sample(samples, at, cell, first + k + 1, s)
    return spikes


@compiled
def to_spike(
    now: float,
    step: int,
    cell: int,
    limit: float,
    timestep: float,
    c: Any,
    s: Any,
    inbox: Any,
    first_cell: int,
    mode: int,
) -> float:
    """Go on from `now` (ms after the beginning of the step) to the next spike: its time, or -1 when
    there is none in this step."""
    slot, number = (step + 1) % len(inbox.head), first_cell + cell
    while True:
        until = timestep
        event = inbox.head[slot, number]
        if event >= 0:
            until = inbox.offset[event]
        refractory = s[cell, FREE] > step
        if s[cell, FREE] == step and s[cell, FREE_OFFSET] > now + TIE:
            refractory = True
            until = min(until, s[cell, FREE_OFFSET])
        if not refractory and s[cell, V] >= c[cell, THRESH]:
            end_period(now, step, cell, timestep, c, s)
            return now
        if until > now:
            t = -1.0
            if not refractory:
                t = first_crossing(interval(cell, limit, c, s), until - now)
            if t >= 0.0:
                go_on(cell, limit, t, timestep, True, c, s)
                end_period(now + t, step, cell, timestep, c, s)
                return now + t
            go_on(cell, limit, until - now, timestep, refractory, c, s)
            now = until
        elif event >= 0:
            receive(inbox.kick[event], cell, refractory, mode, s)
            take(inbox, slot, number)
        elif now >= timestep:
            return -1.0


@compiled
def interval(cell: int, limit: float, c: Any, s: Any) -> Any:
    """What the search for a crossing needs to know."""
    thresh, cm = c[cell, THRESH], c[cell, CM]
    return Interval(
        s[cell, V] - thresh,
        limit - thresh,
        s[cell, I_E] / cm,
        s[cell, D_E] / cm,
        s[cell, I_I] / cm,
        s[cell, D_I] / cm,
        1.0 / c[cell, TAU_M],
        1.0 / c[cell, TAU_E],
        1.0 / c[cell, TAU_I],
    )


@compiled
def go_on(cell: int, limit: float, t: float, timestep: float, held: bool, c: Any, s: Any) -> None:
    """Let t ms pass without an event; v is held at the reset, or free and without a crossing."""
    tau_m, cm, tau_e, tau_i = c[cell, TAU_M], c[cell, CM], c[cell, TAU_E], c[cell, TAU_I]
    i_e, d_e, i_i, d_i = s[cell, I_E], s[cell, D_E], s[cell, I_I], s[cell, D_I]
    whole = t == timestep
    v = c[cell, RESET]
    if not held:
        decay = c[cell, DECAY] if whole else math.exp(-t / tau_m)
        v = limit + (s[cell, V] - limit) * decay
        if i_e != 0.0 or d_e != 0.0:
            level, slope = c[cell, LEVEL_E], c[cell, SLOPE_E]
            if not whole:
                level, slope = response(t, tau_m, tau_e, cm)
            v += i_e * level + d_e * slope
        if i_i != 0.0 or d_i != 0.0:
            level, slope = c[cell, LEVEL_I], c[cell, SLOPE_I]
            if not whole:
                level, slope = response(t, tau_m, tau_i, cm)
            v += i_i * level + d_i * slope
        # There is no crossing: what reaches the threshold does so by rounding.
        v = min(v, np.nextafter(c[cell, THRESH], -np.inf))
    s[cell, V] = v
    if i_e != 0.0 or d_e != 0.0:
        fade = c[cell, FADE_E] if whole else math.exp(-t / tau_e)
        s[cell, I_E], s[cell, D_E] = (i_e + t * d_e) * fade, d_e * fade
    if i_i != 0.0 or d_i != 0.0:
        fade = c[cell, FADE_I] if whole else math.exp(-t / tau_i)
        s[cell, I_I], s[cell, D_I] = (i_i + t * d_i) * fade, d_i * fade


@compiled
def end_period(now: float, step: int, cell: int, timestep: float, c: Any, s: Any) -> None:
    """A spike: v to its reset, and the refractory period ends tau_refrac after it.

    Its end is put at the end of a step rather than at the beginning of the next one, where events
    at that very time are.
    """
    s[cell, V] = c[cell, RESET]
    end = now + c[cell, REFRAC]
    whole = math.ceil((end - TIE) / timestep) - 1
    s[cell, FREE] = step + int(whole)
    s[cell, FREE_OFFSET] = end - whole * timestep


@compiled
def receive(kick: Any, cell: int, refractory: bool, mode: int, s: Any) -> None:
    """A synaptic event; what moves v itself is lost on a refractory cell, as in NEST."""
    if mode == ALPHA:
        s[cell, D_E] += kick[0]
        s[cell, D_I] += kick[1]
    elif mode != DELTA:
        s[cell, I_E] += kick[0]
        s[cell, I_I] += kick[1]
    elif not refractory:
        s[cell, V] += kick[0] + kick[1]
