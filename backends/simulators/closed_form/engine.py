"""What both engines share: slices of the shortest delay, after which spikes are exchanged."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..common.cells import CURRENT_BASED, check_together
from ..common.network import (
    Cells,
    Floats,
    Integers,
    Network,
    Output,
    Progress,
    Source,
    Unsupported,
)
from .membrane import Membrane, new_state, prepare
from .sampling import Samples, samples
from .spiking import Spikes
from .synapses import Table, table

REPORTS = 50
"""How often progress is told."""


class Stretch(NamedTuple):
    """One call of advance().

    first_cells: the number of each population's first cell, and that of all cells. quiet: the
    populations whose cells receive nothing from synapses.
    """

    network: Network
    membranes: list[Membrane | None]
    samples: list[Samples | None]
    synapses: Table
    first_cells: Integers
    quiet: list[bool]


class SlicedEngine:
    """Cells that a closed form is known for, exchanging spikes once a shortest delay."""

    on_grid: ClassVar[bool]

    def __init__(self, timestep: float) -> None:
        self.timestep = timestep
        self._states: dict[int, Floats] = {}
        self._known: list[Any] = []
        self._table: Table | None = None

    def check(self, network: Network) -> None:
        """Raise Unsupported for cells or parameters that there is no solution for."""
        for population in network.populations:
            if isinstance(population, Cells):
                if population.cell_type not in CURRENT_BASED:
                    raise Unsupported(f"{population.cell_type}: no closed form is known for it")
                check_together(population.cell_type, population.parameters)

    def advance(
        self, network: Network, first: int, last: int, progress: Progress | None = None
    ) -> list[Output]:
        """See :class:`backends.simulators.common.Engine`."""
        stretch = self._prepare(network, first, last)
        often = -(-(last - first) // REPORTS) if progress else last - first
        length = min(network.min_delay or often, often)
        self._make_room(stretch, first, length)
        fired: list[list[Spikes]] = [[] for _ in network.populations]
        for number, population in enumerate(network.populations):
            if first == 0 and isinstance(population, Source):  # a spike at t = 0, at that
                self._send(stretch, number, self._of_source(population, -1, 0))
        reported = first
        for begin in range(first, last, length):
            end = min(begin + length, last)
            self._slice(stretch, begin, end, fired)
            if progress and (end - reported >= often or end == last):
                reported = end
                progress((end - first) / (last - first))
        return [self._output(stretch, number, of_it) for number, of_it in enumerate(fired)]

    def _prepare(self, network: Network, first: int, last: int) -> Stretch:
        membranes: list[Membrane | None] = []
        recorded: list[Samples | None] = []
        for number, population in enumerate(network.populations):
            if isinstance(population, Source):
                membranes.append(None)
                recorded.append(None)
                continue
            state = self._states.setdefault(number, new_state(population.size))
            membranes.append(prepare(population, state, self.timestep))
            recorded.append(samples(population, state, first, last))
        sizes = [population.size for population in network.populations]
        first_cells = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        synapses = self._synapses(network, membranes, first_cells)
        targets = {s.post for s in network.synapses}
        quiet = [m is None or (m.quiet and k not in targets) for k, m in enumerate(membranes)]
        return Stretch(network, membranes, recorded, synapses, first_cells, quiet)

    def _synapses(
        self, network: Network, membranes: list[Membrane | None], first_cells: Integers
    ) -> Table:
        """The table of all synapses, made anew only when some have changed."""
        kicks = [m.kicks for m in membranes if m is not None]
        same = len(self._known) == len(network.synapses) + len(kicks) and all(
            a is b for a, b in zip(self._known, network.synapses, strict=False)
        )
        same = same and all(
            np.array_equal(a, b)
            for a, b in zip(self._known[len(network.synapses) :], kicks, strict=True)
        )
        if self._table is None or not same:
            self._known = [*network.synapses, *kicks]
            self._table = table(network, membranes, first_cells)
        return self._table

    def _slice(self, stretch: Stretch, begin: int, end: int, fired: list[list[Spikes]]) -> None:
        for number, population in enumerate(stretch.network.populations):
            if isinstance(population, Source):
                self._send(stretch, number, self._of_source(population, begin, end))
            else:
                fired[number].append(self._update(stretch, number, begin, end - begin))
                self._send(stretch, number, fired[number][-1])

    def _send(self, stretch: Stretch, number: int, spikes: Spikes) -> None:
        """Let the spikes of a population be delivered, if anybody receives them."""
        first, end = stretch.first_cells[number : number + 2]
        if len(spikes.cells) and stretch.synapses.begin[first] < stretch.synapses.begin[end]:
            self._deliver(stretch.synapses, spikes, spikes.cells + first)

    def _of_source(self, source: Source, begin: int, end: int) -> Spikes:
        # Half a billionth of a step: a time that is on the grid but for its rounding is on it.
        edges = (np.array([begin, end]) + 1e-9) * self.timestep
        low, high = np.searchsorted(source.times, edges, side="right")
        times = source.times[low:high]
        steps = np.ceil(times / self.timestep - 1e-9).astype(np.int64)
        offsets = times - (steps - 1) * self.timestep
        return Spikes(steps, offsets, source.indices[low:high], np.array([high - low]))

    def _output(self, stretch: Stretch, number: int, fired: list[Spikes]) -> Output:
        population, recorded = stretch.network.populations[number], stretch.samples[number]
        if isinstance(population, Source) or recorded is None:
            return Output.none()
        steps = np.concatenate([np.empty(0, np.int64), *(s.steps for s in fired)])
        offsets = np.concatenate([np.empty(0), *(s.offsets for s in fired)])
        cells = np.concatenate([np.empty(0, np.int64), *(s.cells for s in fired)])
        return Output(self._times(steps, offsets), cells, recorded.recorded(population))

    # --- what differs

    def _make_room(self, stretch: Stretch, now: int, length: int) -> None:
        """Be ready for the spikes that will be on their way."""
        raise NotImplementedError

    _alone: ClassVar[Any]
    """The compiled steps of cells that receive nothing from synapses."""
    _connected: ClassVar[Any]
    """The compiled steps of the others."""
    _mail: Any
    """What is on its way."""

    def _update(self, stretch: Stretch, number: int, first: int, count: int) -> Spikes:
        """Advance a population by `count` steps."""
        m, recorded = stretch.membranes[number], stretch.samples[number]
        assert m is not None
        cells = (first, count, self.timestep, m.constants, m.state, m.currents)
        if stretch.quiet[number]:
            found = type(self)._alone(*cells, recorded)
        else:
            place = int(stretch.first_cells[number])
            found = type(self)._connected(*cells, self._mail, place, m.mode, recorded)
        n = int(found.n[0])
        return Spikes(found.steps[:n], found.offsets[:n], found.cells[:n], found.n)

    def _deliver(self, synapses: Table, spikes: Spikes, numbers: Integers) -> None:
        """Put spikes where they will arrive. numbers: of the cells, through all populations."""
        raise NotImplementedError

    def _times(self, steps: Integers, offsets: Floats) -> Floats:
        """The times of spikes, ms."""
        raise NotImplementedError
