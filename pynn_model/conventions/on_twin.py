"""SpiNNaker's arithmetic in software: a PyNN module of its own, used as the machine is.

What it is sent is what :mod:`.on_spinnaker` sends, on as many cores; it stamps spikes as the
machine does. Only what concerns sPyNNaker's configuration is left out.
"""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np

from . import Progress
from .on_spinnaker import SpiNNaker


class Twin(SpiNNaker):
    """A module that behaves as pyNN.spiNNaker does, without a machine or sPyNNaker."""

    module = ""

    def setup(self) -> None:
        self._restore()
        super().setup()

    def end(self) -> None:
        super().end()
        self._restore()

    def _restore(self) -> None:
        """The module's own current sources, which another run in this process has replaced."""
        for name, source in self.sim.simulator.sources.items():
            setattr(self.sim, name, source)

    def run(self, duration: float, progress: Optional[Progress] = None) -> None:
        self.sim.simulator.state.progress = progress
        super().run(duration, progress)

    def spikes(self, population: Any) -> Tuple[np.ndarray, np.ndarray]:
        trains = population.get_data("spikes").segments[0].spiketrains
        ids, times = trains.multiplexed
        times = np.asarray(times.rescale("ms").magnitude, dtype=float)
        index = np.asarray(ids, dtype=np.int64) - int(population.first_id)
        return self._in_order(times + self.timestep, index)

    def _configure(self, section: str, option: str, value: str) -> None:
        pass

    def _configured(self, section: str, option: str) -> str:
        return ""
