"""What each simulator needs to obey the one convention of currents, spike times and potentials.

- Current sample k acts over [t_k, t_k + dt), t_k = k·dt, from k = 0 on, whatever the source.
- A spike is stamped with the end of the step in which the threshold was crossed, 0 < t <= duration.
- v, mV, sample j is v(j·interval), j = 0 .. duration/interval − 1; the first is the initial value.
- The refractory period is exactly tau_refrac; a part of a step counts as a whole one.

`open_simulator` returns the one object that knows how to get this from a simulator. A process uses
it for one simulation: setup, build (plain PyNN, with `simulator.sim` as the PyNN module), record,
run, then spikes and potentials, end. A simulator that is not in the table is used as it is.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .sources import Injections

Progress = Callable[[float], None]
Say = Callable[[str], None]

_CORRECTED = {
    "nest": "on_nest.NestOnGrid",
    "nest-precise": "on_nest.NestPrecise",
    "neuron": "on_neuron.Neuron",
    "brian2": "on_brian2.Brian2",
    "spiNNaker": "on_spinnaker.SpiNNaker",
    "spiNNaker-virtual": "on_spinnaker.VirtualSpiNNaker",
}


INTEGRATED_FINER = (
    "HH_cond_exp",
    "EIF_cond_exp_isfa_ista",
    "EIF_cond_alpha_isfa_ista",
)
FINE_STEP = 0.025
"""ms. NEURON and Brian2 advance all cells in steps of at most this when such a cell is there."""


class SimulationError(RuntimeError):
    """The simulation ended, but with something that is no result."""


class Request(NamedTuple):
    """What is to be recorded of one population."""

    spikes: bool
    v_indices: np.ndarray
    v_interval: float


class Simulator:
    """Any PyNN simulator, used through PyNN alone and without corrections.

    sim: the PyNN module. timestep: ms. notes: sentences on what this run could not be given; they
    belong into its record.
    """

    module = ""
    progress_calls = 50

    def __init__(self, system: str, timestep: float, seed: int, threads: int = 1) -> None:
        self.system = system
        self.timestep = timestep
        self.seed = seed
        self.threads = threads
        self.duration = 0.0
        self.notes: List[str] = []
        self.requests: Dict[int, Tuple[Any, Request]] = {}
        name = self.module or system
        self.sim: Any = importlib.import_module(name if "." in name else "pyNN." + name)

    @property
    def n_steps(self) -> int:
        """Time steps of the run."""
        return int(round(self.duration / self.timestep))

    def setup(self) -> None:
        """Begin: nothing may have been built before."""
        self.sim.setup(timestep=self.timestep)
        self.note(
            "No corrections are known for {}: when a current begins, when a spike is stamped and "
            "which sample of v comes first are as its own PyNN module has them.".format(self.system)
        )

    def record(
        self, population: Any, spikes: bool, v_indices: Sequence[int], v_interval: float
    ) -> None:
        """Ask for spikes, and for v of the cells `v_indices` every `v_interval` ms."""
        indices = np.asarray(v_indices, dtype=np.int64)
        self.requests[id(population)] = (population, Request(spikes, indices, v_interval))

    def begin(self, duration: float) -> None:
        """Connect what waits for the duration to be known, ms; `run` does it if nobody did."""

    def run(self, duration: float, progress: Optional[Progress] = None) -> None:
        """Simulate `duration` ms. `progress` is called with the fraction done, 0 to 1."""
        self.duration = duration
        for population, wanted in self.requests.values():
            if wanted.spikes:
                population.record("spikes")
            if len(wanted.v_indices):
                view = population[wanted.v_indices]
                view.record("v", sampling_interval=wanted.v_interval)
        self.sim.run(duration)
        if progress:
            progress(1.0)

    def spikes(self, population: Any) -> Tuple[np.ndarray, np.ndarray]:
        """(times in ms, indices in 0 .. size − 1), sorted by index, then time."""
        trains = population.get_data("spikes").segments[0].spiketrains
        index = [np.full(len(t), t.annotations["source_index"], dtype=np.int64) for t in trains]
        times = [np.asarray(t.rescale("ms").magnitude, dtype=float) for t in trains]
        if not times:
            return np.empty(0), np.empty(0, dtype=np.int64)
        return self._in_order(np.concatenate(times), np.concatenate(index))

    def potentials(self, population: Any) -> np.ndarray:
        """v in mV, (samples, cells), in the order of the `v_indices` asked for."""
        wanted = self.requests[id(population)][1]
        n_samples = int(round(self.duration / wanted.v_interval))
        if not len(wanted.v_indices):
            return np.empty((0, 0))
        signal = population.get_data("v").segments[0].filter(name="v")[0]
        columns = signal.array_annotations.get("channel_index", np.sort(wanted.v_indices))
        place = {int(index): column for column, index in enumerate(columns)}
        v = np.asarray(signal.rescale("mV").magnitude, dtype=float)
        return self._finite(population, v[:n_samples, [place[i] for i in wanted.v_indices]])

    def has_potential(self, population: Any) -> bool:
        """Whether the population is one of cells; spike sources have no potential."""
        return bool(population.can_record("v"))

    def effective(self, population: Any) -> Dict[str, Any]:
        """The parameters of the population's first neuron as the simulator holds them."""
        values: Dict[str, Any] = {"celltype": type(population.celltype).__name__}
        for name, value in population[0].get_parameters().items():
            if isinstance(value, (int, float, np.number)):
                values[name] = float(value)
        return values

    def end(self) -> None:
        """Finish; nothing can be asked for afterwards."""
        self.sim.end()

    @property
    def populations(self) -> List[Any]:
        """Every population that was built, asked for or not."""
        return [recorder.population for recorder in self.sim.simulator.state.recorders]

    def substeps(self, cell_types: Sequence[str]) -> int:
        """Into how many steps of its own the simulator has to divide a step of the grid."""
        present = {type(population.celltype).__name__ for population in self.populations}
        if present.isdisjoint(cell_types):
            return 1
        return int(np.ceil(self.timestep / FINE_STEP - 1e-6))

    def note(self, sentence: str) -> None:
        """Take down, once, what this run could not be given."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def _collect_currents(self) -> Injections:
        """Put this package's current sources in the place of the simulator's own."""
        injections = Injections(self.timestep, self.seed)
        for name, source in injections.classes().items():
            setattr(self.sim, name, source)
        return injections

    def _note_shared_noise(self, injections: Injections) -> None:
        if any(len(indices) > 1 for _, _, indices in injections.noisy()):
            self.note(
                "A NoisyCurrentSource injected into several cells is independent noise in each of "
                "them on NEST; on NEURON and Brian2 they share it. Give each cell its own source."
            )

    def _in_order(self, times: np.ndarray, index: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Spikes of (0, duration] on the grid, sorted by index, then time."""
        # Up to the end of the step, but a time that is on the grid already stays there.
        step = np.ceil(times / self.timestep - 1e-3).astype(np.int64)
        keep = (step > 0) & (step <= self.n_steps)
        step, index = step[keep], index[keep].astype(np.int64)
        # Both are small integers: one sort of one number a spike.
        key = np.sort(index * (self.n_steps + 1) + step)
        index, step = np.divmod(key, self.n_steps + 1)
        return grid_times(step, self.timestep), index

    def _finite(self, population: Any, v: np.ndarray) -> np.ndarray:
        if not np.all(np.isfinite(v)):
            raise SimulationError(
                "the membrane potential of '{}' ({}) became infinite or not a number: {} cannot "
                "integrate this model with a timestep of {:g} ms".format(
                    population.label, type(population.celltype).__name__, self.system, self.timestep
                )
            )
        return v


def grid_times(steps: np.ndarray, timestep: float) -> np.ndarray:
    """Times in ms of points of the grid, each the float nearest to its decimal number."""
    return np.asarray(np.round(steps * timestep, 9))


def whole_steps(period: float, timestep: float) -> int:
    """How many steps a period lasts: a part of one counts as one, as in NEST."""
    return int(np.ceil(period / timestep - 1e-6))


def open_simulator(
    system: str, timestep: float, seed: int, threads: int = 1, say: Optional[Say] = None
) -> Simulator:
    """The simulator called `system`: nest, nest-precise, neuron, brian2, spiNNaker (or, with no
    machine, spiNNaker-virtual), or any other of PyNN's; a name with a dot is the import path of a
    PyNN simulator module that lives elsewhere.

    say: receives a line when something slow has to be done first (NEURON's compile step).
    Raises ImportError when the simulator is not installed.
    """
    system = _behind(system)
    corrected = _CORRECTED.get(system) or _of_its_own(system)
    if not corrected:
        return Simulator(system, timestep, seed, threads)
    module, name = corrected.split(".")
    found = importlib.import_module("." + module, __name__)
    if say and hasattr(found, "prepare"):
        found.prepare(say)
    simulator: Simulator = getattr(found, name)(system, timestep, seed, threads)
    return simulator


def _of_its_own(system: str) -> str:
    """What a simulator module from elsewhere (a name with a dot) says of itself.

    FOLLOWS_CONVENTION = True: it needs no corrections. CORRECTED_BY = "file.Class": those of that
    class of this package.
    """
    if "." not in system:
        return ""
    module = importlib.import_module(system)
    if getattr(module, "FOLLOWS_CONVENTION", False):
        return "conforming.Conforming"
    return str(getattr(module, "CORRECTED_BY", ""))


def _behind(system: str) -> str:
    """Which simulator answers to the name of SpiNNaker.

    It is SpiNNaker, unless another module takes the place of pyNN.spiNNaker and says so by its
    origin ("pyNN.nest", or any other module's full name instead of a file), as in a rehearsal of a
    remote run. Then that one's conventions hold.
    """
    if system != "spiNNaker":
        return system
    spec = importlib.util.find_spec("pyNN.spiNNaker")
    origin = str(spec.origin if spec else "")
    if "." not in origin or not all(part.isidentifier() for part in origin.split(".")):
        return system
    return origin[len("pyNN.") :] if origin.startswith("pyNN.") else origin
