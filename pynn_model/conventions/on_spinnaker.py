"""SpiNNaker, through sPyNNaker: all that the machine needs, in one place.

What a core computes, and what the platform accepts and then does wrong, was measured by executing
sPyNNaker 7.4.1's machine code. Here it is avoided by construction:
- Every current whose samples are known becomes a step source: a DC, AC or noisy source is silent
  when its stop is left out, AC has a wrong frequency at timesteps other than 1 ms, negative DC is
  refused; a step source is right. Its times are k·timestep by multiplication, as lists of plain
  floats, strictly increasing from 0 on.
- The cursor of a step source runs on past its last entry and injects what lies in memory behind
  it: an entry after the end of the run stops it there.
- A source is injected into one view. Of two views only the second would receive it.
- A neuron's sources must fit the data memory of its core, with all others on that core, and a core
  must be done within its tick, or spikes are lost: the neurons per core follow from the sources.
- A second run, or one that was cut in pieces because recordings fill the memory, begins all sources
  anew. There is one run, and sPyNNaker is told to refuse what does not fit.
- A noisy source has the same seed on every core. Each neuron gets a source and a seed of its own.
- A spike is stamped with the start of its step, one step before this package's convention; v is
  taken before a step, so sample j is v(j·interval), as the convention has it.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from . import Progress, SimulationError, Simulator, grid_times
from . import spinnaker_limits as limits
from .sources import CurrentSource, Drive, Injection, Injections, Steps, by_population, drives

VIRTUAL_BOARD = {"virtual_board": "True", "version": "5"}
SENTINEL = 2
"""Steps after the end of the run at which the entry that stops the cursor lies."""
HIGHEST_SEED = 698769068  # of the last of the four words of its random number generator


class SpiNNaker(Simulator):
    """A SpiNNaker machine: whichever one sPyNNaker's own configuration names."""

    module = "spiNNaker"
    virtual = False

    def __init__(self, system: str, timestep: float, seed: int, threads: int = 1) -> None:
        super().__init__(system, timestep, seed, threads)
        self.done = False

    def setup(self) -> None:
        if not limits.possible(self.timestep):
            raise SimulationError(
                "SpiNNaker runs with a timestep of 0.1 to 1 ms, in whole microseconds, not "
                "{:g} ms".format(self.timestep)
            )
        if not limits.reliable(self.timestep):
            self.note(
                "A timestep of {:g} ms works in software; a machine keeps time reliably at 0.1 and "
                "1 ms only.".format(self.timestep)
            )
        factor = limits.time_scale_factor(self.timestep)
        try:
            self.sim.setup(timestep=self.timestep, time_scale_factor=factor)
        except Exception as error:
            if type(error).__name__ != "NoConfigFoundException":
                raise
            raise SimulationError(
                "sPyNNaker had no configuration and has written {}: set the machine in it, then "
                "run again".format(os.path.expanduser("~/.spynnaker.cfg"))
            ) from None
        self._configure("Buffers", "use_auto_pause_and_resume", "False")
        if self.virtual:
            for option, value in VIRTUAL_BOARD.items():
                self._configure("Machine", option, value)
        elif self._configured("Machine", "virtual_board") == "True":
            raise SimulationError(
                "sPyNNaker is configured for a virtual board, which computes nothing: remove "
                "virtual_board from spynnaker.cfg, or map without a machine: "
                "run.py spiNNaker-virtual"
            )
        self._native = {"NoisyCurrentSource": self.sim.NoisyCurrentSource}
        self._native["StepCurrentSource"] = self.sim.StepCurrentSource
        self.injections = self._collect_currents()

    def _collect_currents(self) -> Injections:
        injections = Injections(self.timestep, self.seed)
        for name, source in injections.classes().items():
            source.inject_into = _inject_into  # type: ignore[assignment,method-assign]
            setattr(self.sim, name, source)
        return injections

    def run(self, duration: float, progress: Optional[Progress] = None) -> None:
        """Simulate once; a second run would begin every source anew."""
        if self.done:
            raise SimulationError("SpiNNaker: only one run, the current sources would start again")
        self.done = True
        self.duration = duration
        found = drives(self.injections.exact(), self.timestep, self.n_steps)
        currents = {id(population): of_it for population, of_it in by_population(found)}
        populations = {id(p): p for p in [d.population for d in found]}
        populations.update((key, p) for key, (p, _) in self.requests.items())
        for key, population in populations.items():
            if has_potential(population):  # a spike source takes no current
                self._deliver(population, currents.get(key, []))
        self._deliver_noise()
        for population, wanted in self.requests.values():
            if wanted.spikes:
                population.record("spikes")
            if len(wanted.v_indices):
                view = population[wanted.v_indices.tolist()]
                view.record("v", sampling_interval=wanted.v_interval)
        self.sim.run(duration)
        if progress:
            progress(1.0)
        self.note(
            "SpiNNaker computes in numbers of 1/32768: potentials, currents and the decay of the "
            "membrane (tau_m) are rounded to that."
        )

    def _deliver(self, population: Any, currents: List[Drive]) -> None:
        cell_type = self._cell_type(population)
        layout = limits.arrange(
            population.size,
            currents,
            cell_type,
            self._recorded(population),
            limits.noisy_sources(self.injections, population),
        )
        if layout is None:
            raise SimulationError(
                "'{}': the currents of one neuron need {} entries; with what it records, that is "
                "more than a core or its chip holds. Let each value last longer, record less, or "
                "make the run shorter".format(population.label, limits.entries_of_one(currents))
            )
        _set_neurons_per_core(population, layout.neurons)
        sources: List[Tuple[Steps, List[int]]] = []
        if layout.summed:
            sources = [(drive.steps(), drive.indices.tolist()) for drive in currents]
        else:
            cells: Dict[int, List[int]] = {}
            parts: Dict[int, Steps] = {}
            for drive in currents:
                for part in drive.parts:
                    parts[id(part)] = part
                    cells.setdefault(id(part), []).extend(drive.indices.tolist())
            sources = [(parts[key], sorted(indices)) for key, indices in cells.items()]
        for steps, indices in sources:
            times, amplitudes = step_lists(steps, self.timestep, self.n_steps)
            source = self._native["StepCurrentSource"](times=times, amplitudes=amplitudes)
            source.inject_into(_view(population, indices))

    def _recorded(self, population: Any) -> Optional[limits.Recorded]:
        if id(population) not in self.requests:
            return None
        wanted = self.requests[id(population)][1]
        samples = int(round(self.duration / wanted.v_interval))
        return limits.Recorded(wanted.spikes, len(wanted.v_indices), self.n_steps, samples)

    def _deliver_noise(self) -> None:
        for source, population, indices in self.injections.noisy():
            if abs(source.dt - self.timestep) > 1e-9 or source.mean < 0:
                raise SimulationError(
                    "SpiNNaker's own noise changes every timestep and has a mean of at least 0 "
                    "nA, not dt = {:g} ms, mean = {:g} nA".format(source.dt, source.mean)
                )
            begin, end = source.window(self.timestep, self.n_steps)
            for index in indices.tolist():
                own = self._native["NoisyCurrentSource"](
                    mean=float(source.mean),
                    stdev=float(source.stdev),
                    start=float(grid_times(np.array(begin), self.timestep)),
                    stop=float(grid_times(np.array(end), self.timestep)),
                    dt=self.timestep,
                )
                own.set_parameters(seed=device_seed((*source.seed, index)))
                own.inject_into(_view(population, [index]))
            self.note("SpiNNaker's own noise follows from the seed, each neuron has its own.")

    def spikes(self, population: Any) -> Tuple[np.ndarray, np.ndarray]:
        trains = population.get_data("spikes").segments[0].spiketrains
        index = [np.full(len(t), t.annotations["source_index"], dtype=np.int64) for t in trains]
        times = [np.asarray(t.rescale("ms").magnitude, dtype=float) for t in trains]
        if not times:
            return np.empty(0), np.empty(0, dtype=np.int64)
        # Stamped with the start of the step; the convention is its end.
        return self._in_order(np.concatenate(times) + self.timestep, np.concatenate(index))

    def has_potential(self, population: Any) -> bool:
        return has_potential(population)

    def effective(self, population: Any) -> Dict[str, Any]:
        values: Dict[str, Any] = {"celltype": self._cell_type(population)}
        for name in population.celltype.default_parameters:
            try:
                value = np.atleast_1d(population.get(name))[0]
            except (LookupError, AttributeError, TypeError, NotImplementedError):
                continue  # sPyNNaker does not give every parameter back; the others are kept
            if isinstance(value, (int, float, np.number)):
                values[name] = float(value)
        return values

    def _cell_type(self, population: Any) -> str:
        """PyNN's name of the cell type; sPyNNaker's classes have names of their own."""
        kind = type(population.celltype)
        known = [n for n in limits.CELL_TYPES if getattr(self.sim, n, None) is kind]
        return known[0] if known else str(kind.__name__)

    def _configure(self, section: str, option: str, value: str) -> None:
        """Set what spynnaker.cfg in the working folder could set, without touching that file."""
        holder = _config_holder()
        if holder is not None:
            holder.set_config(section, option, value)

    def _configured(self, section: str, option: str) -> str:
        holder = _config_holder()
        return str(holder.get_config_bool(section, option)) if holder is not None else ""


class VirtualSpiNNaker(SpiNNaker):
    """No machine: the network is mapped onto a board that is not there, and nothing is computed."""

    virtual = True

    def run(self, duration: float, progress: Optional[Progress] = None) -> None:
        super().run(duration, progress)
        self.note(
            "A virtual board: the network was mapped and nothing was simulated. The recording is "
            "empty, which says nothing about the model."
        )

    def spikes(self, population: Any) -> Tuple[np.ndarray, np.ndarray]:
        return np.empty(0), np.empty(0, dtype=np.int64)

    def potentials(self, population: Any) -> np.ndarray:
        return np.empty((0, len(self.requests[id(population)][1].v_indices)))


def step_lists(current: Steps, timestep: float, n_steps: int) -> Tuple[List[float], List[float]]:
    """(times in ms, amplitudes in nA) of a step source: plain floats, with the sentinel."""
    start = np.append(current.start, n_steps + SENTINEL)
    return grid_times(start, timestep).tolist(), [*current.amplitude.tolist(), 0.0]


def device_seed(key: Sequence[int]) -> List[int]:
    """The four words of the machine's random number generator, all different for each key."""
    x, y, z, c = np.random.RandomState([k % 2**32 for k in key]).randint(1, 2**31 - 1, 4).tolist()
    return [x, y, z, c % HIGHEST_SEED + 1]


def targets(cells: Any) -> List[Tuple[Any, np.ndarray]]:
    """(population, indices) of a Population, PopulationView, Assembly, cell or list of cells.

    sPyNNaker's views take any unknown attribute for a parameter, so their kind is told by class.
    """
    kind = [base.__name__ for base in type(cells).__mro__]
    if "Assembly" in kind:
        return [found for part in cells.populations for found in targets(part)]
    if "PopulationView" in kind:  # a single cell is one, too
        inside = np.asarray(cells.index_in_grandparent(list(range(cells.size))), dtype=np.int64)
        return [(cells.grandparent, inside)]
    if "Population" in kind:
        return [(cells, np.arange(cells.size))]
    return [found for cell in cells for found in targets(cell)]


def has_potential(population: Any) -> bool:
    """Whether a population is one of cells, not of spike sources."""
    try:
        return bool(population.can_record("v"))
    except TypeError:  # a mistake of sPyNNaker 7.0
        return "v" in population._vertex.get_recordable_variables()


def _inject_into(source: CurrentSource, cells: Any) -> None:
    for population, indices in targets(cells):
        if not has_potential(population):
            raise TypeError("Can't inject current into a spike source.")
        source.injections.append(Injection(source, population, indices))


def _view(population: Any, indices: List[int]) -> Any:
    """Some cells of a population, or it itself if they are all."""
    return population if len(indices) == population.size else population[indices]


def _set_neurons_per_core(population: Any, neurons: int) -> None:
    population.set_max_atoms_per_core(neurons)


def _config_holder() -> Any:
    try:
        return importlib.import_module("spinn_utilities.config_holder")
    except ImportError:  # before sPyNNaker 7 there was no such place
        return None
