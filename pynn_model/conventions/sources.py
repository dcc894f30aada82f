"""PyNN's current sources, with one meaning on every simulator.

The classes here stand in for a simulator's own StepCurrentSource, DCSource, ACSource and
NoisyCurrentSource while a model is built. They only take down who is to receive what; when the run
begins the sum of all currents of each cell is known exactly, as amplitudes that change on the time
grid, and the simulator's part of this package delivers it: amplitude k acts over [t_k, t_k + dt),
from k = 0 on. A parameter that is changed before the run counts; after it, it is too late.
"""

from __future__ import annotations

from typing import Any, ClassVar, Dict, Iterator, List, NamedTuple, Sequence, Tuple, Type

import numpy as np


class Steps(NamedTuple):
    """A current: `amplitude[i]` (nA) acts from step `start[i]` on; before `start[0]` it is zero."""

    start: np.ndarray
    amplitude: np.ndarray

    def at(self, step: int) -> float:
        """The amplitude during one step, nA."""
        i = int(np.searchsorted(self.start, step, side="right")) - 1
        return float(self.amplitude[i]) if i >= 0 else 0.0

    def after(self, step: int) -> Steps:
        """The same current from `step` on, with an amplitude given for `step` itself."""
        i = int(np.searchsorted(self.start, step, side="right"))
        start = np.concatenate(([step], self.start[i:]))
        return Steps(start, np.concatenate(([self.at(step)], self.amplitude[i:])))


class Drive(NamedTuple):
    """All that flows into some cells of one population; no cell is in two drives."""

    population: Any
    indices: np.ndarray
    parts: Tuple[Steps, ...]

    def steps(self) -> Steps:
        """The sum, made anew each time: that of 1000 cells and 2 s at 0.1 ms is 160 MB."""
        return _sum(self.parts)

    def first(self, n: int) -> np.ndarray:
        """The sum during each of the first n steps, nA."""
        steps = np.arange(n)
        return np.asarray(sum(_on(steps, part).amplitude for part in self.parts))


class Injection(NamedTuple):
    """One source into some cells of one population."""

    source: CurrentSource
    population: Any
    indices: np.ndarray


class CurrentSource:
    """A current source that is delivered when the run begins. Parameters in nA, ms, Hz, degrees."""

    defaults: ClassVar[Dict[str, Any]] = {}
    injections: Injections

    def __init__(self, **parameters: Any) -> None:
        self.set_parameters(**dict(self.defaults, **parameters))

    def set_parameters(self, **parameters: Any) -> None:
        """Set parameters by name. ValueError for a value, TypeError for a name, it cannot have."""
        for name, value in parameters.items():
            if name not in self.defaults:
                raise TypeError(
                    "{} has no parameter {!r}; it has {}".format(
                        type(self).__name__, name, ", ".join(sorted(self.defaults))
                    )
                )
            setattr(self, name, np.array(getattr(value, "value", value), dtype=float)[()])
        self.check()

    def get_parameters(self) -> Dict[str, Any]:
        """The parameters by name."""
        return {name: getattr(self, name) for name in self.defaults}

    def inject_into(self, cells: Any) -> None:
        """Let the current flow into a Population, PopulationView, Assembly or list of cells."""
        for population, indices in _targets(cells):
            if not population.celltype.injectable:
                raise TypeError("Can't inject current into a spike source.")
            self.injections.append(Injection(self, population, indices))

    def check(self) -> None:
        """Raise ValueError unless every parameter is a number (a stop may be infinite)."""
        for name in self.defaults:
            value = getattr(self, name)
            if np.ndim(value) or np.isnan(value) or (np.isinf(value) and name != "stop"):
                raise self._wrong(name, "must be one finite number")

    def steps(self, timestep: float, n_steps: int) -> Steps:
        """The amplitudes on the time grid."""
        raise NotImplementedError

    def window(self, timestep: float, n_steps: int) -> Tuple[int, int]:
        """The first step of [start, stop) and the first one after it, both on the grid."""
        last = n_steps * timestep
        first, end = (int(np.rint(min(max(t, 0.0), last) / timestep)) for t in self._interval())
        return first, max(first, end)

    def _interval(self) -> Tuple[float, float]:
        parameters = self.get_parameters()
        return parameters["start"], parameters["stop"]

    def _wrong(self, name: str, allowed: str) -> ValueError:
        value = np.array2string(np.asarray(getattr(self, name)), threshold=6)
        return ValueError("{}: {} = {} {}".format(type(self).__name__, name, value, allowed))


class StepCurrentSource(CurrentSource):
    """`amplitudes[i]` (nA) from `times[i]` (ms) on; times are rounded to the grid, as PyNN does."""

    defaults: ClassVar[Dict[str, Any]] = {"times": (), "amplitudes": ()}
    times: np.ndarray
    amplitudes: np.ndarray
    start: np.ndarray
    last: ClassVar[Tuple[np.ndarray, np.ndarray]] = (np.empty(0), np.empty(0))
    """Times and steps of the source before. Many sources with the same times share one array."""

    def check(self) -> None:
        for name in ("times", "amplitudes"):
            value = getattr(self, name)
            if value.ndim != 1 or not np.all(np.isfinite(value)):
                raise self._wrong(name, "must be a list of finite numbers")
        if self.times.shape != self.amplitudes.shape:
            raise ValueError(
                "{}: {} times but {} amplitudes".format(
                    type(self).__name__, len(self.times), len(self.amplitudes)
                )
            )
        if np.any(self.times < 0):
            raise self._wrong("times", "must not be negative")
        if np.any(np.diff(self.times) <= 0):
            raise self._wrong("times", "must increase strictly")
        if not np.array_equal(self.times, StepCurrentSource.last[0]):
            start = np.rint(self.times / self.injections.timestep).astype(np.int64)
            StepCurrentSource.last = self.times, start
        self.times, self.start = StepCurrentSource.last

    def steps(self, timestep: float, n_steps: int) -> Steps:
        return Steps(self.start, self.amplitudes)


class DCSource(CurrentSource):
    """`amplitude` (nA) over [start, stop) (ms)."""

    defaults: ClassVar[Dict[str, Any]] = {"amplitude": 1.0, "start": 0.0, "stop": 1e12}
    amplitude: float

    def steps(self, timestep: float, n_steps: int) -> Steps:
        return Steps(
            np.array(self.window(timestep, n_steps), dtype=np.int64),
            np.array([self.amplitude, 0.0]),
        )


class ACSource(CurrentSource):
    """offset + amplitude·sin(2π·frequency·(t − start) + phase) over [start, stop), on the grid."""

    defaults: ClassVar[Dict[str, Any]] = {
        "amplitude": 1.0,
        "start": 0.0,
        "stop": 1e12,
        "frequency": 10.0,
        "offset": 0.0,
        "phase": 0.0,
    }
    amplitude: float
    frequency: float
    offset: float
    phase: float

    def steps(self, timestep: float, n_steps: int) -> Steps:
        first, end = self.window(timestep, n_steps)
        seconds = np.arange(end - first) * timestep / 1000
        angle = 2 * np.pi * self.frequency * seconds + np.deg2rad(self.phase)
        amplitude = self.offset + self.amplitude * np.sin(angle)
        return Steps(np.arange(first, end + 1), np.append(amplitude, 0.0))


class NoisyCurrentSource(CurrentSource):
    """Gaussian noise (mean, stdev in nA) over [start, stop), a new value every `dt` ms."""

    defaults: ClassVar[Dict[str, Any]] = {
        "mean": 0.0,
        "stdev": 1.0,
        "start": 0.0,
        "stop": 1e12,
        "dt": None,
    }
    mean: float
    stdev: float
    dt: float

    def __init__(self, **parameters: Any) -> None:
        self.injections.n_noisy += 1
        self.seed = (self.injections.seed % 2**32, self.injections.n_noisy)
        super().__init__(**parameters)

    def check(self) -> None:
        if np.isnan(self.dt):  # PyNN documents the timestep as default, and takes 0.1 ms
            self.dt = self.injections.timestep
        super().check()
        if self.stdev < 0:
            raise self._wrong("stdev", "must not be negative")
        timestep = self.injections.timestep
        if self.hold < 1 or abs(self.dt / timestep - self.hold) > 1e-6:
            raise self._wrong("dt", "must be a multiple of the timestep, {:g} ms".format(timestep))

    @property
    def hold(self) -> int:
        """How many steps each value lasts."""
        return int(np.rint(self.dt / self.injections.timestep))

    def draw(self, values: int, cells: int) -> np.ndarray:
        """(values, cells) amplitudes in nA, the same whenever the source's place and seed are."""
        shape = (values, cells)
        return self.mean + self.stdev * np.random.RandomState(self.seed).standard_normal(shape)

    def steps(self, timestep: float, n_steps: int) -> Steps:
        first, end = self.window(timestep, n_steps)
        start = np.arange(first, end, self.hold)
        return Steps(np.append(start, end), np.append(self.draw(len(start), 1)[:, 0], 0.0))


class Injections(List[Injection]):
    """What a model has asked to be injected, in that order."""

    def __init__(self, timestep: float, seed: int) -> None:
        super().__init__()
        self.timestep = timestep
        self.seed = seed
        self.n_noisy = 0

    def noisy(self) -> List[Tuple[NoisyCurrentSource, Any, np.ndarray]]:
        """Those of a NoisyCurrentSource: source, population, indices."""
        return [(s, p, i) for s, p, i in self if isinstance(s, NoisyCurrentSource)]

    def exact(self) -> List[Injection]:
        """All others, whose samples are known."""
        return [i for i in self if not isinstance(i.source, NoisyCurrentSource)]

    def classes(self) -> Dict[str, Type[CurrentSource]]:
        """The source classes that report to this list, by PyNN's names."""
        known = (StepCurrentSource, DCSource, ACSource, NoisyCurrentSource)
        return {c.__name__: type(c.__name__, (c,), {"injections": self}) for c in known}


def drives(injections: Sequence[Injection], timestep: float, n_steps: int) -> List[Drive]:
    """The sum of all currents of each cell, nA; cells with the same sources share one drive."""
    sources = {id(i.source): i.source for i in injections}
    sampled = {key: _tidy(s.steps(timestep, n_steps), n_steps) for key, s in sources.items()}
    found = []
    for population in {id(i.population): i.population for i in injections}.values():
        received: List[List[int]] = [[] for _ in range(population.size)]
        for injection in injections:
            if injection.population is population:
                for index in injection.indices.tolist():
                    received[index].append(id(injection.source))
        groups: Dict[Tuple[int, ...], List[int]] = {}
        for index, keys in enumerate(received):
            if keys:
                groups.setdefault(tuple(keys), []).append(index)
        for keys_of_group, indices in groups.items():
            parts = tuple(sampled[key] for key in keys_of_group)
            found.append(Drive(population, np.array(indices), parts))
    return found


def by_population(found: Sequence[Drive]) -> List[Tuple[Any, List[Drive]]]:
    """The drives of each population."""
    populations = {id(drive.population): drive.population for drive in found}
    return [(p, [d for d in found if d.population is p]) for p in populations.values()]


def _tidy(current: Steps, n_steps: int) -> Steps:
    """Of amplitudes that begin at one step the last one counts; those after the end do not."""
    start = current.start
    keep = np.append(start[1:] != start[:-1], True)[: len(start)] & (start < n_steps)
    return current if keep.all() else Steps(start[keep], current.amplitude[keep])


def _sum(currents: Sequence[Steps]) -> Steps:
    total = currents[0]
    for current in currents[1:]:
        same = total.start is current.start or np.array_equal(total.start, current.start)
        if not same:
            start = np.union1d(total.start, current.start)
            total, current = _on(start, total), _on(start, current)
        total = Steps(total.start, total.amplitude + current.amplitude)
    return total


def _on(start: np.ndarray, current: Steps) -> Steps:
    amplitude = np.append(0.0, current.amplitude)
    return Steps(start, amplitude[np.searchsorted(current.start, start, side="right")])


def _targets(cells: Any) -> Iterator[Tuple[Any, np.ndarray]]:
    """(population, indices) of a Population, PopulationView, Assembly, cell or list of cells."""
    if hasattr(cells, "populations"):
        for part in cells.populations:
            yield from _targets(part)
    elif hasattr(cells, "grandparent"):
        inside = np.asarray(cells.index_in_grandparent(np.arange(cells.size)))
        yield cells.grandparent, inside
    elif hasattr(cells, "all_cells"):
        yield cells, np.arange(cells.size)
    else:
        cells = [cells] if hasattr(cells, "parent") else list(cells)
        for population in {id(cell.parent): cell.parent for cell in cells}.values():
            indices = [population.id_to_index(c) for c in cells if c.parent is population]
            yield population, np.array(indices, dtype=np.int64)
