"""Compiled steps of cells whose threshold is tested at the end of each step, with synapses."""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import compiled
from .currents import fill
from .membrane import (
    ALPHA,
    BASE,
    D_E,
    D_I,
    DECAY,
    DELTA,
    FADE_E,
    FADE_I,
    FREE,
    HOLD,
    I_E,
    I_I,
    LEVEL_E,
    LEVEL_I,
    RESET,
    RESISTANCE,
    SLOPE_E,
    SLOPE_I,
    THRESH,
    V,
)
from .sampling import sample
from .spiking import new_spikes, push, with_room


@compiled
def with_synapses(
    first: int,
    count: int,
    timestep: float,
    c: Any,
    s: Any,
    currents: Any,
    ring: Any,
    first_cell: int,
    mode: int,
    samples: Any,
) -> Any:
    """`count` steps of every cell with synaptic input; returns the Spikes.

    c, s: constants and state, see :mod:`.membrane`; currents, samples: Currents, Samples.
    ring: (receptors, slots, cells);
    slot k % slots holds what arrives at the point k of the grid, and is emptied. first_cell: the
    number of cell 0 there.
    """
    spikes = new_spikes(1024)
    current = np.empty(count)
    at = np.zeros(3, np.int64)
    slots = ring.shape[1]
    for cell in range(len(s)):
        fill(currents, cell, first, count, current)
        number = first_cell + cell
        for k in range(count):
            step = first + k + 1
            slot = step % slots
            limit = c[cell, BASE] + current[k] * c[cell, RESISTANCE]
            exc, inh = ring[0, slot, number], ring[1, slot, number]
            ring[0, slot, number], ring[1, slot, number] = 0.0, 0.0
            if one_step(step, cell, limit, exc, inh, timestep, mode, c, s):
                spikes = with_room(spikes, 1)
                push(spikes, step, timestep, cell)
            sample(samples, at, cell, step, s)
    return spikes


@compiled
def one_step(
    step: int,
    cell: int,
    limit: float,
    exc: float,
    inh: float,
    timestep: float,
    mode: int,
    c: Any,
    s: Any,
) -> bool:
    """The step that ends at `step`; whether the cell has fired. exc, inh: what arrives there."""
    i_e, d_e, i_i, d_i = s[cell, I_E], s[cell, D_E], s[cell, I_I], s[cell, D_I]
    v = c[cell, RESET]
    if step > s[cell, FREE]:
        v = limit + (s[cell, V] - limit) * c[cell, DECAY]
        v += i_e * c[cell, LEVEL_E] + d_e * c[cell, SLOPE_E]
        v += i_i * c[cell, LEVEL_I] + d_i * c[cell, SLOPE_I]
        if mode == DELTA:
            v += exc + inh
    s[cell, I_E] = (i_e + timestep * d_e) * c[cell, FADE_E]
    s[cell, I_I] = (i_i + timestep * d_i) * c[cell, FADE_I]
    s[cell, D_E] = d_e * c[cell, FADE_E]
    s[cell, D_I] = d_i * c[cell, FADE_I]
    if mode == ALPHA:
        s[cell, D_E] += exc
        s[cell, D_I] += inh
    elif mode != DELTA:
        s[cell, I_E] += exc
        s[cell, I_I] += inh
    fired = v >= c[cell, THRESH]
    if fired:
        v = c[cell, RESET]
        s[cell, FREE] = step + c[cell, HOLD]
    s[cell, V] = v
    return bool(fired)
