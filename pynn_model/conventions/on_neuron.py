"""NEURON.

Measured with NEURON 9.0 and PyNN 0.13:
- PyNN leaves the integrator at backward Euler: error 0.02 mV at dt 0.1 ms. With the second-order
  rule (``h.secondorder = 2``) it is 2e-5 mV, at dt 1 ms 8e-4 mV.
- That rule multiplies the distance from the steady state by (1 − x)/(1 + x), x = dt/(2·tau_m); the
  exact factor is exp(−2x). During the run an integrate-and-fire cell has its capacitance
  multiplied by x/tanh(x), 1 + 1e-6 at dt 0.1 ms and tau_m 30 ms: then the two factors are the
  same, and v follows a current that is constant over a step to 1e-9 mV at any timestep.
- v at the time of a spike is still the value above threshold; here, as elsewhere, it is v_reset.
- PyNN plays one waveform a source and cell; here a cell has one current clamp with the sum.
- The time is summed up in floating point: 200.00000000001123 ms after 2000 steps. A run is asked
  to go a quarter of a step further, so that it makes exactly the steps that it should. Then it
  makes one more, since it notices a crossing at the end of a step only in the next one.
- Cells with fast dynamics go wrong: HH_cond_exp had 42 of 43 spikes at dt 0.1 ms, at 1 ms
  EIF_cond_exp_isfa_ista had 11 of 13 and v down to −125 mV. They are advanced in finer steps.
- HH_cond_exp takes its rates from a table of 1 mV and begins with all gates at 0: not here.
"""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from . import INTEGRATED_FINER, Progress, Say, SimulationError, Simulator, whole_steps
from .mechanisms import compile_mechanisms
from .sources import drives

SECOND_ORDER = 2
FOR_EVER = 1e12


def prepare(say: Say) -> None:
    """Compile PyNN's mechanisms, if this environment has none yet."""
    compile_mechanisms(say)


class Neuron(Simulator):
    """NEURON with the second-order rule."""

    module = "neuron"

    def __init__(self, system: str, timestep: float, seed: int, threads: int = 1) -> None:
        compile_mechanisms()
        os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
        warnings.filterwarnings("ignore", "mpi4py not available")
        super().__init__(system, timestep, seed, threads)
        from neuron import h

        self.h: Any = h

    def setup(self) -> None:
        self.sim.setup(timestep=self.timestep, native_rng_baseseed=self.seed % 2**31)
        self.h.secondorder = SECOND_ORDER
        self.h.usetable_hh_traub = 0
        self.injections = self._collect_currents()

    def run(self, duration: float, progress: Optional[Progress] = None) -> None:
        self.duration = duration
        self._note_shared_noise(self.injections)
        self._playing: List[Any] = []
        for drive in drives(self.injections, self.timestep, self.n_steps):
            self._play(drive)
        self._potentials = {
            key: [self._record_v(population[int(i)]) for i in wanted.v_indices]
            for key, (population, wanted) in self.requests.items()
        }
        for population, _ in self.requests.values():
            population.record("spikes")
        state = self.sim.simulator.state
        self._substeps = self.substeps(("Izhikevich", *INTEGRATED_FINER))
        own = self.timestep / self._substeps
        cells = [item._cell for item in self.sim.simulator.initializer.cell_list]
        whole = _whole_refractory_periods(cells, self.timestep)
        with whole, _exact_leak(cells, own), _exact_charge(self.h, own):
            state.dt = own
            self._solve(state, progress)
            state.dt = self.timestep

    def _solve(self, state: Any, progress: Optional[Progress]) -> None:
        state._pre_run()
        for item in self.sim.simulator.initializer.cell_list:
            _initialize_gates(item._cell)
        slices = self.progress_calls if progress else 1
        edges = np.unique(np.linspace(0, self.n_steps, slices + 1).astype(np.int64))
        for edge in edges[1:]:
            state.parallel_context.psolve(edge * self.timestep + 0.25 * state.dt)
            if progress:
                progress(float(edge / self.n_steps))
        if int(round(state.t / state.dt)) != self.n_steps * self._substeps:
            raise SimulationError("NEURON stopped at {} ms, not {}".format(state.t, self.duration))
        state.parallel_context.psolve(self.duration + 1.25 * state.dt)
        state.tstop = self.duration

    def spikes(self, population: Any) -> Tuple[np.ndarray, np.ndarray]:
        trains = [_spike_times(cell._cell) for cell in population]
        index = np.repeat(np.arange(population.size), [len(train) for train in trains])
        return self._in_order(np.concatenate(trains), index)

    def potentials(self, population: Any) -> np.ndarray:
        wanted = self.requests[id(population)][1]
        if not len(wanted.v_indices):
            return np.empty((0, 0))
        every = int(round(wanted.v_interval / self.timestep))
        v = np.empty((self.n_steps // every, len(wanted.v_indices)))
        for column, index in enumerate(wanted.v_indices):
            vector = self._potentials[id(population)][column].as_numpy()
            trace = vector[: self.n_steps * self._substeps : self._substeps].copy()
            self._reset_at_spikes(trace, population[int(index)]._cell)
            v[:, column] = trace[::every]
        return self._finite(population, v)

    def _reset_at_spikes(self, trace: np.ndarray, cell: Any) -> None:
        reset = getattr(cell, "v_reset", getattr(cell, "c", None))
        if reset is not None:
            step = np.rint(_spike_times(cell) / self.timestep).astype(np.int64)
            trace[step[step < len(trace)]] = reset

    def _play(self, drive: Any) -> None:
        current = drive.steps()
        times = self.h.Vector(current.start * self.timestep)
        amplitudes = self.h.Vector(current.amplitude)
        self._playing += [times, amplitudes]
        for index in drive.indices:
            clamp = self.h.IClamp(0.5, sec=drive.population[int(index)]._cell.source_section)
            clamp.delay, clamp.dur, clamp.amp = 0.0, FOR_EVER, 0.0
            amplitudes.play(clamp._ref_amp, times)
            self._playing.append(clamp)

    def _record_v(self, cell: Any) -> Any:
        vector = self.h.Vector()
        vector.record(cell._cell.source_section(0.5)._ref_v)
        return vector


@contextmanager
def _whole_refractory_periods(cells: Sequence[Any], timestep: float) -> Iterator[None]:
    """Let a refractory period last whole steps of the grid, rounded up, as NEST does."""
    refractory = [cell for cell in cells if hasattr(cell, "t_refrac")]
    own = [cell.t_refrac for cell in refractory]
    for cell, period in zip(refractory, own):
        cell.t_refrac = whole_steps(period, timestep) * timestep
    try:
        yield
    finally:
        for cell, period in zip(refractory, own):
            cell.t_refrac = period


@contextmanager
def _exact_leak(cells: Sequence[Any], timestep: float) -> Iterator[None]:
    """Give integrate-and-fire cells, for a while, the capacitance that makes the leak exact."""
    leaky = [cell for cell in cells if hasattr(cell, "spike_reset")]
    own = [cell.seg.cm for cell in leaky]
    for cell in leaky:
        x = timestep / (2 * cell.tau_m)
        cell.seg.cm *= x / np.tanh(x)
    try:
        yield
    finally:
        for cell, cm in zip(leaky, own):
            cell.seg.cm = cm


@contextmanager
def _exact_charge(h: Any, timestep: float) -> Iterator[None]:
    """Give an exponential synapse, for a while, the weight whose charge in each step is right.

    NEURON holds the synaptic current over a step at its first value, too large by x/(1 − e^−x),
    x = dt/tau_syn: a PSP of 1.6 mV was 0.11 mV off at dt 0.1 ms and is 1e-4 mV off with this.
    """
    own = []
    if not len(h.plastic_connections):  # those keep the weights for themselves
        for connection in h.List("NetCon"):
            synapse = connection.syn()
            if synapse is not None and synapse.hname().startswith(("ExpISyn[", "ExpSyn[")):
                own.append((connection, connection.weight[0]))
                x = timestep / synapse.tau
                connection.weight[0] *= -np.expm1(-x) / x
    try:
        yield
    finally:
        for connection, weight in own:
            connection.weight[0] = weight


def _initialize_gates(cell: Any) -> None:
    """PyNN's Hodgkin-Huxley mechanism begins with all gates at 0, whatever their initial values."""
    if hasattr(cell.source_section(0.5), "hh_traub"):
        for gate in "mnh":
            setattr(cell.source_section(0.5).hh_traub, gate, cell.initial_values.get(gate, 0.0))


def _spike_times(cell: Any) -> np.ndarray:
    if cell.rec is None:  # a SpikeSourceArray
        return np.array(cell.get_recorded_spike_times(), dtype=float)
    return np.array(cell.spike_times.as_numpy(), dtype=float)
