"""The twin's arithmetic behind PyNN: populations of IF_curr_exp, as they are on the cores."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from backends.simulators.common import Cells, Network, Output, Progress, Source, Unsupported

from ..arithmetic import encode_array
from ..parameters import device
from . import faults
from .computing import State, Stretch, advance
from .currents import plan
from .sources import received

MOST_NEURONS = 256
"""On a core, unless another number is set."""


class TwinEngine:
    """See :class:`backends.simulators.common.Engine`. simulator: set by the module."""

    on_grid: ClassVar[bool] = True
    simulator: ClassVar[Any]

    def __init__(self, timestep: float) -> None:
        self.timestep = timestep
        self._states: dict[int, State] = {}

    def check(self, network: Network) -> None:
        """Raise Unsupported, ValueError for what SpiNNaker refuses when it builds the network."""
        if network.synapses:
            raise Unsupported(
                "synapses: the twin computes neurons driven by currents; for networks use the "
                "backend spinnaker-emulator"
            )
        for population in network.populations:
            if isinstance(population, Cells):
                device(population.parameters, self.timestep)
                for variable, values in population.assigned.items():
                    encode_array(f"initial {variable}", values[~np.isnan(values)])

    def advance(
        self, network: Network, first: int, last: int, progress: Progress | None = None
    ) -> list[Output]:
        """One run from tick `first` to `last`; on a machine every source begins anew with it."""
        stretches = [
            self._stretch(number, population, first, last)
            for number, population in enumerate(network.populations)
        ]
        work = sum(s.cells.size for s in stretches if s) or 1
        done = 0
        outputs = []
        for stretch in stretches:
            if stretch is None:
                outputs.append(Output.none())
                continue
            size = stretch.cells.size

            def told(fraction: float, done: int = done, size: int = size) -> None:
                if progress:
                    progress((done + fraction * size) / work)

            advance(stretch, told)
            done += size
            faults.tell_wrapped(stretch.cells.label, stretch.wrapped)
            outputs.append(stretch.output(self.timestep))
        return outputs

    def _stretch(self, number: int, cells: Cells | Source, first: int, last: int) -> Stretch | None:
        if not isinstance(cells, Cells):
            return None
        population = self.simulator.state.populations[number]
        most = min(getattr(population, "max_atoms_per_core", MOST_NEURONS), cells.size)
        sources = received(population)
        numbers = device(cells.parameters, self.timestep)
        state = self._states.setdefault(number, _new_state(cells.size))
        for name in ("v", "isyn_exc", "isyn_inh"):
            _assign(state, name, cells.assigned.get(name))
        found = plan(sources, cells.size, most, first, last)
        faults.tell(self.simulator.state, cells, sources, found, most, (first, last))
        return Stretch(cells, numbers, state, found, first, last)


def _new_state(size: int) -> State:
    return State(*(np.zeros(size, np.int32) for _ in range(4)))


def _assign(state: State, name: str, values: Any) -> None:
    if values is None:
        return
    held = {"v": state.v, "isyn_exc": state.exc, "isyn_inh": state.inh}[name]
    given = ~np.isnan(values)
    held[given] = encode_array(f"initial {name}", values[given])
