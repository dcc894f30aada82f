"""The spikes that compiled code finds, and what it needs to collect them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..common.network import Floats, Integers
from .compiled import compiled

AT_ONCE = 2.0**-52
"""Of a step: the offset of a spike at the very beginning of a step, as in NEST."""


class Spikes(NamedTuple):
    """Room for spikes; n (1,): how many there are.

    A spike happened `offsets` ms after the beginning of the step that ends at `steps`,
    0 < offset <= timestep (it is the timestep for those on the grid); cells: who fired.
    """

    steps: Integers
    offsets: Floats
    cells: Integers
    n: Integers


@compiled
def new_spikes(room: int) -> Any:
    """No spikes, and room for so many."""
    steps, cells = np.empty(room, np.int64), np.empty(room, np.int64)
    return Spikes(steps, np.empty(room), cells, np.zeros(1, np.int64))


@compiled
def with_room(spikes: Any, more: int) -> Any:
    """The same spikes, with room for so many more."""
    n, room = spikes.n[0], len(spikes.steps)
    if n + more <= room:
        return spikes
    larger = new_spikes(2 * room + more)
    larger.steps[:n] = spikes.steps[:n]
    larger.offsets[:n] = spikes.offsets[:n]
    larger.cells[:n] = spikes.cells[:n]
    larger.n[0] = n
    return larger


@compiled
def push(spikes: Any, step: int, offset: float, cell: int) -> None:
    """Note a spike; there must be room."""
    n = spikes.n[0]
    spikes.steps[n], spikes.offsets[n], spikes.cells[n] = step, offset, cell
    spikes.n[0] = n + 1
