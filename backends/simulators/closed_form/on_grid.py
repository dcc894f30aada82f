"""The engine that tests the threshold at the end of each step."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..common.network import Floats, Integers
from . import grid_kernels, lockstep
from .engine import SlicedEngine, Stretch
from .spiking import Spikes
from .synapses import Table, deliver_to_rings


class GridEngine(SlicedEngine):
    """A spike at the end of the step at which v >= v_thresh was found, as NEST on the grid.

    A step is: v by its closed form, unless refractory; a delta synapse's jump; decay of the
    synaptic currents, then what arrives at the end of the step; the test of the threshold.
    """

    on_grid: ClassVar[bool] = True
    _alone = staticmethod(lockstep.on_grid)
    _connected = staticmethod(grid_kernels.with_synapses)

    def __init__(self, timestep: float) -> None:
        super().__init__(timestep)
        self._mail = np.zeros((2, 1, 0))

    def _make_room(self, stretch: Stretch, now: int, length: int) -> None:
        slots = stretch.network.max_delay + length if stretch.network.synapses else 1
        cells = int(stretch.first_cells[-1])
        old = self._mail
        if old.shape[1] >= slots and old.shape[2] == cells:
            return
        self._mail = np.zeros((2, max(slots, old.shape[1]), cells))
        if old.shape[2] == cells:
            steps = now + 1 + np.arange(old.shape[1])
            self._mail[:, steps % self._mail.shape[1]] = old[:, steps % old.shape[1]]

    def _deliver(self, synapses: Table, spikes: Spikes, numbers: Integers) -> None:
        deliver_to_rings(spikes.steps, numbers, synapses, self._mail)

    def _times(self, steps: Integers, offsets: Floats) -> Floats:
        return np.asarray(np.round(steps * self.timestep, 9))
