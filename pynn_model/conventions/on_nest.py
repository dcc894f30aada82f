"""NEST: on the grid, as every other simulator, or with exact spike times ("nest-precise").

Measured with NEST 3.10 and PyNN 0.13:
- The current of a generator reaches a cell one min_delay and one step after its first possible
  time, so what begins at t = 0 comes 0.2 ms late at dt 0.1 ms (2 ms at dt 1 ms), later still in a
  network with longer delays. In those few steps the current is given to the cells as I_e, which
  acts at once; then I_e gets its own value back.
- One generator for the sum of a cell's currents is cheaper than one a source.
- PyNN runs one min_delay past the end, to get all that was recorded; so does this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import nest
import numpy as np
from pyNN.standardmodels import build_translations

from . import Progress, Request, Simulator
from .sources import Drive, Injections, NoisyCurrentSource, by_population, drives

try:
    from nest import nestkernel_api as nestkernel  # since NEST 3.10
except ImportError:
    nestkernel = None

PA = 1000.0  # pA in a nA
AT_ONCE = 100  # generators made in one call: more would hold their waveforms twice
First = Tuple[Any, np.ndarray, np.ndarray]  # population, indices, nA of (step, cell)


class NestOnGrid(Simulator):
    """NEST with spikes at the end of the step in which the threshold was crossed."""

    module = "nest"
    spike_precision = "on_grid"

    def __init__(self, system: str, timestep: float, seed: int, threads: int = 1) -> None:
        with _no_extensions():
            super().__init__(system, timestep, seed, threads)

    def setup(self) -> None:
        self.sim.setup(
            timestep=self.timestep,
            spike_precision=self.spike_precision,
            threads=self.threads,
            rng_seed=self.seed % (2**32 - 1) or 2**32 - 1,
            verbosity="error",
        )
        self.injections = self._collect_currents()
        # Without these two PyNN 0.13 can neither record v of this cell nor set its initial value.
        self.sim.IF_curr_delta.variable_map = {"v": "V_m"}
        self.sim.IF_curr_delta.scale_factors = {"v": 1}
        # PyNN shifts the times at once by a delay that is not yet known; see below.
        as_given = build_translations(("spike_times", "spike_times"))
        self.sim.SpikeSourceArray.translations = as_given

    def begin(self, duration: float) -> None:
        self.duration = duration
        state = self.sim.simulator.state
        self._sources = _connect_spike_sources(state.populations, self.timestep)
        state.run(0)  # makes the other connections that PyNN puts off until the run
        # NEST sends spikes and currents once a shortest delay: where nothing says how long that
        # is, ten steps. With one step 10 000 cells with generators take twice as long.
        own = nest.num_connections == 0 and not self.injections.noisy()
        self._delay = 10 * self.timestep if own else nest.min_delay
        delay_steps = int(round(self._delay / self.timestep))
        self._recorders = {
            key: self._connect_recorders(population, wanted)
            for key, (population, wanted) in self.requests.items()
        }
        lead = min(delay_steps + 1, self.n_steps)
        first = self._connect_noise(lead, delay_steps)
        exact = self.injections.exact()
        for population, currents in by_population(drives(exact, self.timestep, self.n_steps)):
            for i in range(0, len(currents), AT_ONCE):
                self._connect_generators(population, currents[i : i + AT_ONCE], lead, delay_steps)
            for current in currents:
                first.append((population, current.indices, current.first(lead)[:, np.newaxis]))
        self._lead_in(first, lead)
        self._left = self.n_steps + delay_steps - lead

    def run(self, duration: float, progress: Optional[Progress] = None) -> None:
        if duration != self.duration:
            self.begin(duration)
        state = self.sim.simulator.state
        state.running = True
        self._play(self._left, progress)
        for generators, times in self._sources:
            generators.set([{"spike_times": t} for t in times])
        for population in self.populations:
            # A leaky cell cannot diverge, and asking 10 000 of them takes 0.1 s.
            celltype = population.celltype
            if "v" in celltype.recordable and not type(celltype).__name__.startswith("IF_"):
                self._finite(population, _values(population.node_collection, "V_m"))

    def spikes(self, population: Any) -> Tuple[np.ndarray, np.ndarray]:
        events = self._recorders[id(population)][0].events
        return self._in_order(events["times"], events["senders"] - int(population.first_id))

    def potentials(self, population: Any) -> np.ndarray:
        wanted = self.requests[id(population)][1]
        _, multimeter, initial = self._recorders[id(population)]
        if multimeter is None:
            return np.empty((0, 0))
        every = int(round(wanted.v_interval / self.timestep))
        n_samples = self.n_steps // every
        events = multimeter.events
        sample = np.rint(events["times"] / (every * self.timestep)).astype(np.int64)
        column = np.empty(population.size, dtype=np.int64)
        column[wanted.v_indices] = np.arange(len(wanted.v_indices))
        # With room for those after the end no sample has to be picked out of millions.
        rows = max(n_samples, int(sample.max(initial=0)) + 1)
        v = np.full((rows, len(wanted.v_indices)), np.nan)
        v[0] = initial
        v[sample, column[events["senders"] - int(population.first_id)]] = events["V_m"]
        v = v[:n_samples]
        return self._finite(population, v)

    def _connect_recorders(self, population: Any, wanted: Request) -> Any:
        cells = population.node_collection
        spike_recorder = multimeter = initial = None
        if wanted.spikes:
            spike_recorder = nest.Create("spike_recorder")
            nest.Connect(cells, spike_recorder, syn_spec={"delay": self._delay})
        if len(wanted.v_indices):
            parameters = {"interval": wanted.v_interval, "record_from": ["V_m"]}
            multimeter = nest.Create("multimeter", params=parameters)
            recorded = cells[np.sort(wanted.v_indices).tolist()]
            nest.Connect(multimeter, recorded, syn_spec={"delay": self._delay})
            order = np.argsort(np.argsort(wanted.v_indices))
            initial = _values(recorded, "V_m")[order]
        return spike_recorder, multimeter, initial

    def _connect_generators(
        self, population: Any, currents: List[Drive], lead: int, delay_steps: int
    ) -> None:
        parameters = []
        for current in currents:
            rest = current.steps().after(lead)
            times = np.round((rest.start - delay_steps) * self.timestep, 9)
            values = rest.amplitude * PA
            parameters.append({"amplitude_times": times, "amplitude_values": values})
        generators = nest.Create("step_current_generator", len(currents), params=parameters)
        cells = population.node_collection
        delay = {"delay": self._delay}
        single = [i for i, current in enumerate(currents) if len(current.indices) == 1]
        if single:
            # Drives come in the order of their first cells, which one_to_one depends on.
            targets = cells[[int(currents[i].indices[0]) for i in single]]
            nest.Connect(generators[single], targets, "one_to_one", delay)
        for i, current in enumerate(currents):
            if len(current.indices) > 1:
                nest.Connect(generators[i], cells[current.indices.tolist()], syn_spec=delay)

    def _connect_noise(self, lead: int, delay_steps: int) -> List[First]:
        """NEST's own noise generators; returns what flows before they can be felt."""
        first_steps = []
        for source, population, indices in _equal_noise(self.injections):
            begin, end = source.window(self.timestep, self.n_steps)
            parameters = {
                "mean": source.mean * PA,
                "std": source.stdev * PA,
                "dt": source.dt,
                "start": max(begin - delay_steps, 1) * self.timestep,
                "stop": max(end - delay_steps, 1) * self.timestep,
            }
            generator = nest.Create("noise_generator", params=parameters)
            cells = population.node_collection[indices.tolist()]
            nest.Connect(generator, cells, syn_spec={"delay": self._delay})
            values = source.draw(lead // source.hold + 1, len(indices))
            held = np.repeat(values, source.hold, axis=0)
            amplitudes = np.zeros((lead, len(indices)))
            amplitudes[begin:end] = held[: len(amplitudes[begin:end])]
            first_steps.append((population, indices, amplitudes))
            self.note(
                "NEST's own noise (NoisyCurrentSource) follows from the seed, but the noise of a "
                "cell is another one when the number of cells or threads changes."
            )
        self._note_shared_noise(self.injections)
        return first_steps

    def _lead_in(self, first: List[First], lead: int) -> None:
        """The first steps, which no generator can reach, one at a time with the current as I_e."""
        cells = {id(population): population.node_collection for population, _, _ in first}
        own = {key: _values(nodes, "I_e") for key, nodes in cells.items()}
        # A row a step, and one more that gives the cells their own value back.
        total = {key: np.tile(offset, (lead + 1, 1)) for key, offset in own.items()}
        for population, indices, amplitudes in first:
            total[id(population)][:lead, indices] += amplitudes * PA
        for step in range(lead + 1):
            for key, nodes in cells.items():
                before = total[key][step - 1] if step else own[key]
                if not np.array_equal(total[key][step], before):
                    _set_each(nodes, "I_e", total[key][step])
            if step < lead:
                nest.Simulate(self.timestep)

    def _play(self, n_steps: int, progress: Optional[Progress]) -> None:
        slices = self.progress_calls if progress else 1
        edges = np.unique(np.linspace(0, n_steps, slices + 1).astype(np.int64))
        nest.Prepare()
        for done, steps in zip(edges[1:], np.diff(edges)):
            nest.Run(steps * self.timestep)
            if progress:
                progress(float(done / n_steps))
        nest.Cleanup()


class NestPrecise(NestOnGrid):
    """NEST with spikes at the very time of the crossing."""

    spike_precision = "off_grid"

    def _in_order(self, times: np.ndarray, index: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        keep = (times > 0) & (times <= self.duration)
        order = np.lexsort((times[keep], index[keep]))
        return times[keep][order], index[keep][order].astype(np.int64)


@contextmanager
def _no_extensions() -> Iterator[None]:
    """Keep PyNN from trying to compile its extensions for a NEST that was built elsewhere.

    It does so at every import when nest-config is on PATH; with the NEST wheel, which holds the
    folders of its build machine, that fails each time and costs 0.4 s.
    """
    path = os.environ.get("PATH", "")
    program = shutil.which("nest-config")
    if program is not None:
        asked = subprocess.run([program, "--prefix"], stdout=subprocess.PIPE, text=True)
        if not os.path.isdir(asked.stdout.strip()):
            kept = [d for d in path.split(os.pathsep) if not os.path.exists(d + "/nest-config")]
            os.environ["PATH"] = os.pathsep.join(kept)
            warnings.filterwarnings("ignore", "Cannot find nest-config")
    try:
        yield
    finally:
        os.environ["PATH"] = path


def _equal_noise(injections: Injections) -> List[Tuple[NoisyCurrentSource, Any, np.ndarray]]:
    """Sources with equal parameters as one: a generator gives each of its cells its own noise.

    A cell that receives two of them stays with two generators.
    """
    merged: Dict[Any, List[Any]] = {}
    for source, population, indices in injections.noisy():
        kind = (id(population), *source.get_parameters().values())
        new = set(indices.tolist())
        for _, _, cells in merged.setdefault(kind, []):
            if cells.isdisjoint(new):
                cells |= new
                break
        else:
            merged[kind].append((source, population, new))
    return [
        (source, population, np.array(sorted(cells)))
        for kind in merged.values()
        for source, population, cells in kind
    ]


def _connect_spike_sources(populations: Sequence[Any], timestep: float) -> List[Any]:
    """Let each spike come from a SpikeSourceArray at its time; returns generators and own times.

    A generator's spike passes through a parrot neuron. PyNN takes the delay between them from the
    times when the source is made, but it may be another one when the run begins: with synapses of
    1.5 ms at dt 0.1 ms the spikes came 1.4 ms late. Here the delay is the one that there is.
    """
    shifted = []
    for population in populations:
        if population._deferred_parrot_connections and _is_array(population):
            generators = population.node_collection_source
            times = [np.asarray(g.spike_times, dtype=float) for g in generators]
            first = min((t[0] for t in times if len(t)), default=np.inf)
            delay = nest.min_delay if first > nest.min_delay else timestep
            if first < 1.5 * timestep:
                raise ValueError(
                    "SpikeSourceArray: NEST cannot fire at {:g} ms, the first possible time is "
                    "{:g} ms".format(first, 2 * timestep)
                )
            generators.set([{"spike_times": np.round(t - delay, 9)} for t in times])
            parrots = population.node_collection
            nest.Connect(generators, parrots, "one_to_one", {"delay": delay})
            population._deferred_parrot_connections = False
            shifted.append((generators, times))
    return shifted


def _is_array(population: Any) -> bool:
    return "spike_times" in population.celltype.default_parameters


def _values(nodes: Any, name: str) -> np.ndarray:
    """One number a cell."""
    return np.atleast_1d(np.array(nodes.get(name), dtype=float))


def _set_each(nodes: Any, name: str, values: np.ndarray) -> None:
    """One number a cell: ``nodes.set`` takes 0.12 s for 10 000 cells, most of it to ask if they are
    on this machine; the call below it takes 0.01 s."""
    each = [{name: value} for value in values.tolist()]
    if nestkernel is None:
        nodes.set(each)
    else:
        nestkernel.llapi_set_nc_status(nodes._datum, each)
