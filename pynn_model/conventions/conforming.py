"""PyNN simulator modules that follow the convention of their own accord.

Such a module is named by its full import path (backends.simulators.exact) and says
``FOLLOWS_CONVENTION = True``: its currents, spike times, refractory period and v are as this
package's convention has them, except that a spike may have its exact time instead of the end of its
step; and its setup() takes ``rng_seed``. Nothing is corrected; spikes are taken as arrays.
"""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np

from . import Progress, Simulator


class Conforming(Simulator):
    """A simulator that needs no corrections."""

    def setup(self) -> None:
        self.sim.setup(timestep=self.timestep, rng_seed=self.seed)

    def run(self, duration: float, progress: Optional[Progress] = None) -> None:
        self.sim.simulator.state.progress = progress
        self._note_shared_noise(self.sim.simulator.state.injections)
        super().run(duration, progress)

    def spikes(self, population: Any) -> Tuple[np.ndarray, np.ndarray]:
        trains = population.get_data("spikes").segments[0].spiketrains
        ids, times = trains.multiplexed
        times = np.asarray(times.rescale("ms").magnitude, dtype=float)
        index = np.asarray(ids, dtype=np.int64) - int(population.first_id)
        keep = (times > 0) & (times <= self.duration)
        times, index = times[keep], index[keep]
        order = np.lexsort((times, index))
        return times[order], index[order]
