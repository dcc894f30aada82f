"""The state of one simulator module: its network, its clock, its engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyNN.common.control import BaseState

from pynn_model.conventions.sources import Drive, Injections, by_population, drives

from .network import Cells, EngineClass, Network, Output, Progress, Source, Synapses, Unsupported
from .spikes import spikes_of_source

DEFAULT_SEED = 42


class State(BaseState):  # type: ignore[misc]
    """What PyNN's common code asks a simulator for, and what hands the network to the engine.

    t, dt, min_delay, max_delay: ms. step: t in steps. progress: called with the fraction done of
    a run, if somebody sets it.
    """

    def __init__(self, engine: EngineClass) -> None:
        super().__init__()
        self.engine_class = engine
        self.num_processes = 1
        self.mpi_rank = 0
        self.progress: Progress | None = None
        self.injections: Injections | None = None
        self.clear(0.1, "auto", "auto", DEFAULT_SEED)
        self.injections = None  # no current source before setup()

    def clear(self, timestep: float, min_delay: Any, max_delay: Any, seed: int) -> None:
        """Forget every population, projection and current source, and begin at t = 0."""
        self.dt = timestep
        self.min_delay = min_delay
        self.max_delay = max_delay
        self.seed = seed
        self.recorders: set[Any] = set()
        self.write_on_end: list[Any] = []
        self.populations: list[Any] = []
        self.projections: list[Any] = []
        self.injections = Injections(timestep, seed)
        self.id_counter = 1
        self.segment_counter = -1
        self.reset()

    def reset(self) -> None:
        """Back to t = 0 and the initial values; the network and its recordings stay."""
        self.running = False
        self.step = 0
        self.t_start = 0.0
        self.segment_counter += 1
        self.engine: Any = None
        self.currents: dict[int, list[Drive]] | None = None
        self._horizon = 0
        for population in self.populations:
            population.restart()

    @property
    def t(self) -> float:
        """The time in ms, the float nearest to its decimal number."""
        return float(np.round(self.step * self.dt, 9))

    @property
    def shortest_delay(self) -> float:
        """ms: the delay of a synapse that is given none."""
        return self.dt if self.min_delay == "auto" else float(self.min_delay)

    @property
    def began(self) -> bool:
        """Whether something has been simulated since the last setup() or reset()."""
        return self.engine is not None

    def steps(self, time: float, what: str) -> int:
        """How many steps `time` (ms) is; Unsupported if it is no multiple of the timestep."""
        count = int(np.rint(time / self.dt))
        if abs(count - time / self.dt) > 1e-6 * max(1.0, abs(count) * 1e-3):
            raise Unsupported(
                f"{what} = {time:g} ms is no multiple of the timestep, {self.dt:g} ms"
            )
        return count

    def run_until(self, tstop: float) -> None:
        """Simulate up to tstop (ms)."""
        last = self.steps(tstop, "the time to run until")
        network = self.network(last)
        engine = self.engine or self.engine_class(self.dt)
        engine.check(network)
        self.engine = engine
        self.running = True
        if last <= self.step:
            return
        outputs = engine.advance(network, self.step, last, self.progress)
        for population, description, output in zip(
            self.populations, network.populations, outputs, strict=True
        ):
            if isinstance(description, Source):
                output = Output(description.times, description.indices)
            population.recorder.take(self.step, last, output)
            population.taken()
        self.step = last

    def network(self, last: int) -> Network:
        """The network as arrays, for the stretch from now to step `last`."""
        place = {id(population): k for k, population in enumerate(self.populations)}
        currents = self._currents(last)
        described: list[Cells | Source] = []
        for population in self.populations:
            if population.is_source:
                times, indices = spikes_of_source(
                    population, self.step, last, self.dt, self.seed, self.engine_class.on_grid
                )
                described.append(Source(population.label, population.size, times, indices))
            else:
                described.append(population.description(currents.get(id(population), [])))
        synapses: list[Synapses] = []
        for projection in self.projections:
            synapses.extend(projection.synapses(place))
        return Network(self.dt, described, synapses, self.seed)

    def _currents(self, last: int) -> dict[int, list[Drive]]:
        """The drives of each population by its id; made anew only when something has changed.

        They are made for longer than asked, so that many short runs do not cost a sum each.
        """
        assert self.injections is not None
        if self.currents is None or last > self._horizon:
            self._horizon = max(last, 2 * self._horizon if self.currents is not None else last)
            found = drives(self.injections, self.dt, self._horizon)
            self.currents = {id(p): of_it for p, of_it in by_population(found)}
        return self.currents
