"""The engine that fires at the very time of the crossing."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..common.network import Floats, Integers
from . import inbox, lockstep, precise_kernels
from .engine import SlicedEngine, Stretch
from .spiking import Spikes
from .synapses import Table


class PreciseEngine(SlicedEngine):
    """A spike at the first time at which v >= v_thresh, and a refractory period from there on.

    Synaptic events arrive at the exact time of their spike plus the delay, which is a whole number
    of steps.
    """

    on_grid: ClassVar[bool] = False
    _alone = staticmethod(lockstep.precise)
    _connected = staticmethod(precise_kernels.with_synapses)

    def __init__(self, timestep: float) -> None:
        super().__init__(timestep)
        self._mail = inbox.empty(1, 0)

    def _make_room(self, stretch: Stretch, now: int, length: int) -> None:
        slots = stretch.network.max_delay + length if stretch.network.synapses else 1
        cells = int(stretch.first_cells[-1])
        old = self._mail.head
        if old.shape[0] >= slots and old.shape[1] == cells:
            return
        head = np.full((max(slots, old.shape[0]), cells), inbox.NONE)
        if old.shape[1] == cells:
            steps = now + 1 + np.arange(old.shape[0])
            head[steps % head.shape[0]] = old[steps % old.shape[0]]
        self._mail = self._mail._replace(head=head)

    def _deliver(self, synapses: Table, spikes: Spikes, numbers: Integers) -> None:
        events = int((synapses.begin[numbers + 1] - synapses.begin[numbers]).sum())
        self._mail = inbox.with_room(self._mail, events)
        inbox.deliver(spikes.steps, spikes.offsets, numbers, synapses, self._mail)

    def _times(self, steps: Integers, offsets: Floats) -> Floats:
        return (steps - 1) * self.timestep + offsets
