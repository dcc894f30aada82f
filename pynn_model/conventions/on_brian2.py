"""Brian2.

Measured with Brian2 2.9 and PyNN 0.13:
- A spike is stamped with the start of its step, and the refractory period is a step short. Times
  read here are a step later, tau_refrac a step longer while the simulation runs.
- PyNN applies currents in a Python loop, 24 to 37 µs a neuron and change: 81 s for 25 neurons and
  2 s at dt 0.1 ms. Here one array operation a step does it for a whole population.
- The generated code is numpy: 50 cells and 2 s take 3.3 s, with Cython 22 s in a fresh environment
  and 2.7 s in a used one, and numpy needs no compiler.
- Other cells than the current-based ones are integrated with Euler or second order; fourth order is
  used instead. HH_cond_exp became infinite at dt 0.1 ms and counted 653 spikes for 8 at 0.01 ms.
- A spike of a SpikeSourceArray acted a step late, and kept to a grid of 0.1 ms at any timestep.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Tuple

import brian2
import numpy as np
from pyNN.brian2.cells import BaseNeuronGroup

from . import INTEGRATED_FINER, Progress, Simulator, whole_steps
from .sources import Drive, by_population, drives

TARGET = "numpy"
AMPERE = 1e-9  # A in a nA
MILLIVOLT = 1e3  # mV in a V


class Brian2(Simulator):
    """Brian2, one operation a step feeding the currents in and the potentials out."""

    module = "brian2"

    def setup(self) -> None:
        brian2.prefs.codegen.target = TARGET
        brian2.BrianLogger.log_level_error()
        brian2.seed(self.seed % 2**32)
        self.sim.setup(timestep=self.timestep)
        brian2.defaultclock.dt = self.timestep * brian2.ms
        self.injections = self._collect_currents()
        self.sim.HH_cond_exp.brian2_model = _HodgkinHuxleyGroup

    def run(self, duration: float, progress: Optional[Progress] = None) -> None:
        self.duration = duration
        self._note_shared_noise(self.injections)
        state = self.sim.simulator.state
        currents = drives(self.injections, self.timestep, self.n_steps)
        feeds: List[Any] = [
            _Feed(population, of_it, self.n_steps) for population, of_it in by_population(currents)
        ]
        self._traces: Dict[int, _Trace] = {}
        self._monitors: Dict[int, Any] = {}
        for key, (population, wanted) in self.requests.items():
            if wanted.spikes:
                self._monitors[key] = brian2.SpikeMonitor(population.brian2_group)
            if len(wanted.v_indices):
                every = int(round(wanted.v_interval / self.timestep))
                self._traces[key] = _Trace(population, wanted.v_indices, every, self.n_steps)
        work = feeds + list(self._traces.values())
        if progress:
            work.append(_Report(progress, self.n_steps, self.progress_calls))
        grid = brian2.Clock(self.timestep * brian2.ms)
        operation = brian2.NetworkOperation(_each_step(work), clock=grid, when="start", order=-1)
        state.network.add(operation, *self._monitors.values())
        self._own_step = self.timestep / self.substeps(INTEGRATED_FINER)
        with _corrected(state.network, self._own_step * brian2.ms, grid.dt):
            state.run(duration)
        for population in self.populations:
            if "v" in population.celltype.recordable:
                group = population.brian2_group
                self._finite(population, np.asarray(group.variables["v"].get_value()))

    def spikes(self, population: Any) -> Tuple[np.ndarray, np.ndarray]:
        monitor = self._monitors[id(population)]
        times = np.asarray(monitor.t_[:]) * 1000 + self._own_step
        return self._in_order(times, np.asarray(monitor.i[:], dtype=np.int64))

    def potentials(self, population: Any) -> np.ndarray:
        if id(population) not in self._traces:
            return np.empty((0, 0))
        return self._finite(population, self._traces[id(population)].v)


class _HodgkinHuxleyGroup(BaseNeuronGroup):  # type: ignore[misc]
    """As PyNN's, which fires at every step above its threshold, but once per spike, at 10 mV."""

    def __init__(self, n: int, equations: Any, **parameters: Any) -> None:
        above = "v > 10*mV"
        super().__init__(n, equations, above, reset=None, refractory=above, **parameters)


class _Feed:
    """Puts the currents of a population into its cells, at the steps where any of them changes."""

    def __init__(self, population: Any, currents: List[Drive], n_steps: int) -> None:
        self.i_inj = population.brian2_group.variables["i_inj"].get_value()
        starts = {id(part.start): part.start for drive in currents for part in drive.parts}
        changes = np.zeros(n_steps + 1, dtype=bool)
        for start in starts.values():
            changes[start] = True
        changes[n_steps] = True
        self.changes = np.flatnonzero(changes)
        self.rows = np.zeros((len(self.changes), len(currents)))
        for column, drive in enumerate(currents):
            current = drive.steps()
            amplitude = np.append(0.0, current.amplitude) * AMPERE
            row = np.searchsorted(current.start, self.changes, side="right")
            self.rows[:, column] = amplitude[row]
        self.cells = np.concatenate([d.indices for d in currents])
        self.column = np.repeat(np.arange(len(currents)), [len(d.indices) for d in currents])
        self.next = 0

    def __call__(self, step: int) -> None:
        if step == self.changes[self.next]:
            self.i_inj[self.cells] = self.rows[self.next][self.column]
            self.next += 1


class _Trace:
    """Takes v of some cells of one population down, at the start of a step."""

    def __init__(self, population: Any, indices: np.ndarray, every: int, n_steps: int) -> None:
        self.source = population.brian2_group.variables["v"].get_value()
        self.indices = indices
        self.every = every
        self.v = np.empty((n_steps // every, len(indices)))

    def __call__(self, step: int) -> None:
        if step % self.every == 0:
            self.v[step // self.every] = self.source[self.indices] * MILLIVOLT


class _Report:
    """Says how much is done."""

    def __init__(self, progress: Progress, n_steps: int, calls: int) -> None:
        self.progress = progress
        self.n_steps = n_steps
        self.every = max(1, n_steps // calls)

    def __call__(self, step: int) -> None:
        if (step + 1) % self.every == 0:
            self.progress((step + 1) / self.n_steps)


def _each_step(work: List[Any]) -> Any:
    step = -1

    def operation() -> None:
        nonlocal step
        step += 1
        for do in work:
            do(step)

    return operation


@contextmanager
def _corrected(network: Any, step: Any, grid: Any) -> Iterator[None]:
    """Everything that has to be another way while the simulation runs, and then as it was."""
    clocks = (network.clock, brian2.defaultclock)
    groups = [g for g in network.objects if isinstance(g, brian2.NeuronGroup)]
    timed = [g for g in groups if isinstance(g._refractory, brian2.Quantity)]
    periods = [group._refractory for group in timed]
    sources = [o for o in network.objects if isinstance(o, brian2.SpikeGeneratorGroup)]
    spikes = [(np.array(s.neuron_index[:]), s.spike_time[:]) for s in sources]
    for clock in clocks:
        clock.dt = step
    for group in groups:
        _choose_method(group)
    for group, period in zip(timed, periods):
        steps = whole_steps(float(period), float(grid))
        group._refractory = steps * grid + step if steps else period
    for source, (index, times) in zip(sources, spikes):
        # A time that is given counts as the end of a step then, as the time of any other spike.
        if len(times) and times.min() < 0.5 * step:
            raise ValueError("SpikeSourceArray: a spike at t = 0 comes before the first step")
        source.set_spikes(index, times - step)
    try:
        yield
    finally:
        for clock in clocks:
            clock.dt = grid
        for group, period in zip(timed, periods):
            group._refractory = period
        for source, (index, times) in zip(sources, spikes):
            source.set_spikes(index, times)


def _choose_method(group: Any) -> None:
    """Exact where that is possible, else fourth order; but Euler for Izhikevich, as NEST has it."""
    if "u" not in group.equations.diff_eq_names:
        group.state_updater.method_choice = ("exact", "rk4")
    if "v_spike" in group.variables:
        group.events["spike"] = "v > v_spike"
