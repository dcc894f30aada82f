"""Compiled steps of cells without synaptic input: a block of them goes through the steps together.

This is what makes them fast: the innermost loops are over the cells of a block, have no branches
and become vector instructions. What happens to single cells is done apart, where a step has any.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..common.network import Floats, Integers
from .compiled import compiled
from .currents import fill
from .membrane import (
    BASE,
    DECAY,
    FREE,
    FREE_OFFSET,
    HOLD,
    REFRAC,
    RESET,
    RESISTANCE,
    TAU_M,
    THRESH,
    V,
)
from .spiking import AT_ONCE, new_spikes, push, with_room

BLOCK = 128
"""Cells of a block: their state stays in the nearest cache."""
STRETCH = 64
"""Steps whose currents are summed at once."""
NEVER = 2**62
"""A step that does not come."""


class Block(NamedTuple):
    """State and constants of the cells of a block, (BLOCK,) each.

    before: v one step ago. current: (STRETCH, BLOCK), or its column 0 for all cells, nA.
    """

    v: Floats
    before: Floats
    base: Floats
    resistance: Floats
    decay: Floats
    thresh: Floats
    reset: Floats
    free: Integers
    current: Floats
    row: Floats


@compiled
def new_block() -> Any:
    """Room for a block."""
    state = np.zeros((7, BLOCK))
    free, current = np.zeros(BLOCK, np.int64), np.zeros((STRETCH, BLOCK))
    s = state
    return Block(s[0], s[1], s[2], s[3], s[4], s[5], s[6], free, current, np.zeros(STRETCH))


@compiled
def load(b: Any, begin: int, size: int, c: Any, s: Any) -> None:
    """Put cells into the block; where there are fewer than its room, the rest never fires."""
    block = slice(begin, begin + size)
    b.v[:size], b.base[:size], b.decay[:size] = s[block, V], c[block, BASE], c[block, DECAY]
    b.resistance[:size], b.reset[:size] = c[block, RESISTANCE], c[block, RESET]
    b.thresh[:size], b.free[:size] = c[block, THRESH], s[block, FREE]
    b.thresh[size:] = np.inf


@compiled
def shared(currents: Any, begin: int, size: int) -> bool:
    """Whether all cells of a block receive the same current."""
    return bool(np.all(currents.group[begin : begin + size] == currents.group[begin]))


@compiled
def load_currents(
    b: Any, currents: Any, begin: int, size: int, first: int, count: int, same: bool
) -> None:
    """The currents of the block in `count` steps from `first` on."""
    fill(currents, begin, first, count, b.row)
    if same:
        return
    b.current[:count, 0] = b.row[:count]
    for j in range(1, size):
        fill(currents, begin + j, first, count, b.row)
        b.current[:count, j] = b.row[:count]


@compiled
def all_on(b: Any, x: float, now: int) -> int:
    """One step of a block whose cells receive the same current x; how many reach the threshold."""
    hits = 0
    for j in range(BLOCK):
        old = b.v[j]
        limit = b.base[j] + x * b.resistance[j]
        new = limit + (old - limit) * b.decay[j]
        new = new if now > b.free[j] else b.reset[j]
        b.before[j] = old
        b.v[j] = new
        hits += new >= b.thresh[j]
    return hits


@compiled
def each_on(b: Any, row: Any, now: int) -> int:
    """As `all_on`, where each cell receives its own current."""
    hits = 0
    for j in range(BLOCK):
        old = b.v[j]
        limit = b.base[j] + row[j] * b.resistance[j]
        new = limit + (old - limit) * b.decay[j]
        new = new if now > b.free[j] else b.reset[j]
        b.before[j] = old
        b.v[j] = new
        hits += new >= b.thresh[j]
    return hits


@compiled
def on_grid(
    first: int, count: int, timestep: float, c: Any, s: Any, currents: Any, samples: Any
) -> Any:
    """`count` steps of every cell, the threshold tested at the end of each; returns the Spikes.

    c, s: constants and state, see :mod:`.membrane`; currents, samples: Currents, Samples.
    """
    spikes, b = new_spikes(8192), new_block()
    found = np.empty(BLOCK, np.int64)
    recorded: Any = 0
    for begin in range(0, len(s), BLOCK):
        size = min(BLOCK, len(s) - begin)
        load(b, begin, size, c, s)
        same = shared(currents, begin, size)
        following = np.searchsorted(samples.v_cells, begin + size)
        for done in range(0, count, STRETCH):
            length = min(STRETCH, count - done)
            load_currents(b, currents, begin, size, first + done, length, same)
            for k in range(length):
                end = first + done + k + 1
                hits = all_on(b, b.row[k], end) if same else each_on(b, b.current[k], end)
                if hits:
                    if spikes.n[0] + BLOCK > len(spikes.steps):
                        spikes = with_room(spikes, BLOCK)
                    for j in found[: reaching(b, size, found)]:
                        x = b.row[k] if same else b.current[k, j]
                        if reached(b, j, x):
                            b.v[j] = b.reset[j]
                            b.free[j] = end + c[begin + j, HOLD]
                            push(spikes, end, timestep, begin + j)
                if recorded < following and end % samples.every == 0:
                    note(samples, recorded, following, b, begin, end)
        recorded = following
        s[begin : begin + size, V] = b.v[:size]
        s[begin : begin + size, FREE] = b.free[:size]
    return spikes


@compiled
def precise(
    first: int, count: int, timestep: float, c: Any, s: Any, currents: Any, samples: Any
) -> Any:
    """As `on_grid`, for spikes at the very time of the crossing."""
    spikes, b = new_spikes(8192), new_block()
    found = np.empty(BLOCK, np.int64)
    recorded: Any = 0
    for begin in range(0, len(s), BLOCK):
        size = min(BLOCK, len(s) - begin)
        load(b, begin, size, c, s)
        spikes = with_room(spikes, BLOCK)
        wake = fire_at_once(b, begin, size, first, timestep, c, s, spikes)
        same = shared(currents, begin, size)
        following = np.searchsorted(samples.v_cells, begin + size)
        for done in range(0, count, STRETCH):
            length = min(STRETCH, count - done)
            load_currents(b, currents, begin, size, first + done, length, same)
            for k in range(length):
                step = first + done + k
                hits = all_on(b, b.row[k], step) if same else each_on(b, b.current[k], step)
                if step == wake:
                    hits += end_of_periods(b, begin, size, step, k, same, timestep, c, s)
                    wake = next_wake(b, size, step)
                if hits:
                    for j in found[: reaching(b, size, found)]:
                        x = b.row[k] if same else b.current[k, j]
                        again = True
                        while again:
                            if spikes.n[0] == len(spikes.steps):
                                spikes = with_room(spikes, 1)
                            again = fire(b, j, begin + j, x, step, timestep, c, s, spikes)
                    wake = next_wake(b, size, step)
                if recorded < following and (step + 1) % samples.every == 0:
                    note(samples, recorded, following, b, begin, step + 1)
        recorded = following
        s[begin : begin + size, V] = b.v[:size]
        s[begin : begin + size, FREE] = b.free[:size]
    return spikes


@compiled
def reaching(b: Any, size: int, found: Any) -> int:
    """Put the cells that are at or above their threshold into `found`; how many they are."""
    n = 0
    for j in range(size):
        found[n] = j
        n += b.v[j] >= b.thresh[j]
    return n


@compiled
def reached(b: Any, j: int, x: float) -> bool:
    """Whether v has reached the threshold, and not only tends to it and is there by rounding."""
    return bool(b.v[j] > b.thresh[j] or b.base[j] + x * b.resistance[j] > b.thresh[j])


@compiled
def note(samples: Any, begin: Any, end: Any, b: Any, first_cell: int, step: int) -> None:
    """Put v at the point `step` of the grid into columns `begin` to `end` of the samples."""
    row = step // samples.every - samples.row0
    for r in range(begin, end):
        samples.v[row, r] = b.v[samples.v_cells[r] - first_cell]


@compiled
def fire_at_once(
    b: Any, begin: int, size: int, first: int, timestep: float, c: Any, s: Any, spikes: Any
) -> int:
    """Spikes of cells that were put above their threshold; returns the next step in which a
    refractory period ends."""
    for j in range(size):
        cell = begin + j
        held = b.free[j] > first or (b.free[j] == first and s[cell, FREE_OFFSET] > 0.0)
        if b.v[j] >= b.thresh[j] and not held:
            push(spikes, first + 1, AT_ONCE * timestep, cell)
            rest(b, j, cell, 0.0, first, timestep, c, s)
            b.v[j] = b.reset[j]
    return next_wake(b, size, first - 1)


@compiled
def next_wake(b: Any, size: int, step: int) -> int:
    """The first step after `step` in which a refractory period ends."""
    found = NEVER
    for j in range(size):
        if step < b.free[j] < found:
            found = b.free[j]
    return found


@compiled
def end_of_periods(
    b: Any, begin: int, size: int, step: int, k: int, same: bool, timestep: float, c: Any, s: Any
) -> int:
    """The part of the step that is left after the end of a refractory period; how many fire."""
    hits = 0
    for j in range(size):
        if b.free[j] == step:
            limit = b.base[j] + (b.row[k] if same else b.current[k, j]) * b.resistance[j]
            resume(b, j, begin + j, limit, timestep, c, s)
            hits += b.v[j] >= b.thresh[j]
    return hits


@compiled
def resume(b: Any, j: int, cell: int, limit: float, timestep: float, c: Any, s: Any) -> None:
    """v from its reset at the end of the refractory period to the end of the step."""
    left = timestep - s[cell, FREE_OFFSET]
    b.before[j] = b.reset[j]
    b.v[j] = limit + (b.reset[j] - limit) * math.exp(-left / c[cell, TAU_M])


@compiled
def rest(
    b: Any, j: int, cell: int, offset: float, step: int, timestep: float, c: Any, s: Any
) -> None:
    """The refractory period after a spike `offset` ms after the beginning of a step."""
    end = offset + c[cell, REFRAC]
    whole = math.floor(end / timestep)
    b.free[j] = step + int(whole)
    s[cell, FREE_OFFSET] = end - whole * timestep


@compiled
def fire(
    b: Any, j: int, cell: int, x: float, step: int, timestep: float, c: Any, s: Any, spikes: Any
) -> bool:
    """v is found at or above the threshold: the spike at its time; whether there is another one.

    v is monotone: the current is constant. It was `before` at the beginning of the step or at the
    end of the refractory period.
    """
    limit = b.base[j] + x * b.resistance[j]
    gap = limit - b.thresh[j]
    if gap <= 0.0:  # v only tends to the threshold, and is there by rounding
        b.v[j] = np.nextafter(b.thresh[j], -np.inf)
        return False
    since = s[cell, FREE_OFFSET] if b.free[j] == step else 0.0
    elapsed = c[cell, TAU_M] * math.log1p((b.thresh[j] - b.before[j]) / gap)
    offset = min(since + elapsed, timestep)
    push(spikes, step + 1, offset, cell)
    rest(b, j, cell, offset, step, timestep, c, s)
    if b.free[j] > step:
        b.v[j] = b.reset[j]
        return False
    resume(b, j, cell, limit, timestep, c, s)
    return bool(b.v[j] >= b.thresh[j])
