"""PyNN's current sources as sPyNNaker has them: encoded when they are made, with its defaults.

A source turns its numbers and times into those of a core at once, so what sPyNNaker refuses is
refused here, naming the parameter. Times lose what is less than a tick. What it accepts and a core
then does wrong is done wrong here too; :mod:`.faults` tells of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from backends.simulators.common import Unsupported
from backends.simulators.common.populations import ID, Population, PopulationView

from .. import arithmetic
from ..arithmetic import Raw, encode, encode_array
from ..gaussian import HIGHEST_CARRY, Seed

WORD = 2**32


def received(population: Any) -> dict[Source, Raw]:
    """The sources of a population: source -> the cells it flows into."""
    found: dict[Source, Raw] = population.__dict__.setdefault("current_sources", {})
    return found


class Source:
    """A current source. Parameters in nA, ms, Hz, degrees."""

    _simulator: Any
    names: ClassVar[tuple[str, ...]] = ()
    replaced: int = 0
    """How often it was injected into a population that had it already."""

    def __init__(self, **parameters: Any) -> None:
        if self._state.injections is None:
            raise Unsupported(f"{self.name}: call setup() before a current source is made")
        self._set(parameters, first=True)

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def _state(self) -> Any:
        return self._simulator.state

    def set_parameters(self, **parameters: Any) -> None:
        """Change parameters by name; it counts from the next run on.

        As on sPyNNaker, a `start` or `stop` that is set here is a number of ticks, not of ms.
        """
        for name in parameters:
            if name not in self.names:
                raise Unsupported(
                    f"{self.name} has no parameter {name!r}; it has {', '.join(self.names)}"
                )
        self._set(parameters, first=False)

    def inject_into(self, cells: Any) -> None:
        """Let the current flow into a Population, a PopulationView or one cell.

        A source that is injected twice into one population flows into the second cells only, as on
        SpiNNaker.
        """
        population, indices = self._target(cells)
        if not population.celltype.injectable:
            raise Unsupported(f"{self.name}: a spike source takes no current")
        self.replaced += self in received(population)
        received(population)[self] = indices

    def _target(self, cells: Any) -> tuple[Any, Raw]:
        if isinstance(cells, (Population, PopulationView)):
            population, inside = cells._place()
            return population, np.arange(population.size)[inside]
        if isinstance(cells, ID):
            return cells.parent, np.array([cells.parent.id_to_index(cells)])
        raise Unsupported(
            f"{self.name}: SpiNNaker injects currents into a Population or a PopulationView, not "
            f"into {'a list' if isinstance(cells, (list, tuple)) else type(cells).__name__}"
        )

    def _set(self, parameters: dict[str, Any], first: bool) -> None:
        raise NotImplementedError

    def _number(self, name: str, value: Any, negative: bool = False) -> int:
        raw = encode(f"{self.name}: {name}", value)
        if raw < 0 and not negative:
            raise Unsupported(
                f"{self.name}: {name} = {value:g}: sPyNNaker refuses negative numbers here; a "
                "StepCurrentSource takes them"
            )
        return raw

    def _tick(self, value: Any, first: bool) -> int:
        """A time as the core reads it: an unsigned word, so one below 0 is far in the future."""
        tick = arithmetic.ticks(float(value), self._state.dt) if first else int(value)
        return int(tick) % WORD


class _Windowed(Source):
    """A source that is on from `start` to `stop`, in ticks."""

    start: int
    stop: int

    def _set_window(self, parameters: dict[str, Any], first: bool) -> None:
        for name in ("start", "stop"):
            if name in parameters:
                setattr(self, name, self._tick(parameters[name], first))

    def window(self, first: int, last: int) -> tuple[int, int]:
        """The part of the ticks first .. last − 1 in which it is on."""
        begin = min(max(self.start, first), last)
        return begin, max(begin, min(self.stop, last))


class DCSource(_Windowed):
    """`amplitude` (nA) from `start` to `stop` (ms); it is never on if stop is left out."""

    names = ("amplitude", "start", "stop")
    amplitude: int

    def __init__(self, amplitude: float = 0.0, start: float = 0.0, stop: float = 0.0) -> None:
        super().__init__(amplitude=amplitude, start=start, stop=stop)

    def _set(self, parameters: dict[str, Any], first: bool) -> None:
        if "amplitude" in parameters:
            self.amplitude = self._number("amplitude", parameters["amplitude"])
        self._set_window(parameters, first)


class ACSource(_Windowed):
    """offset + amplitude·sin(frequency·(t − start) + phase) from `start` to `stop`.

    nA, Hz, degrees. The core counts the time in ticks and takes them for ms.
    """

    names = ("start", "stop", "amplitude", "offset", "frequency", "phase")
    amplitude: int
    offset: int
    frequency: int
    phase: int

    def __init__(
        self,
        start: float = 0.0,
        stop: float = 0.0,
        amplitude: float = 0.0,
        offset: float = 0.0,
        frequency: float = 0.0,
        phase: float = 0.0,
    ) -> None:
        super().__init__(
            start=start,
            stop=stop,
            amplitude=amplitude,
            offset=offset,
            frequency=frequency,
            phase=phase,
        )

    def _set(self, parameters: dict[str, Any], first: bool) -> None:
        given = dict(parameters)
        if "frequency" in given:
            given["frequency"] = (given["frequency"] * 2 * np.pi) / 1000.0
        if "phase" in given:
            given["phase"] = given["phase"] * (np.pi / 180.0)
        for name in ("amplitude", "offset", "frequency", "phase"):
            if name in given:
                setattr(self, name, self._number(name, given[name]))
        self._set_window(parameters, first)

    def at(self, ticks: Raw) -> Raw:
        """The current at ticks of its window."""
        time = arithmetic.wrap((ticks - self.start) << 15)
        angle = arithmetic.wrap(arithmetic.multiply(time, self.frequency) + self.phase)
        try:
            swing = arithmetic.multiply(self.amplitude, arithmetic.sine(angle))
        except ValueError as error:
            raise Unsupported(f"{self.name}: {error}; use a StepCurrentSource") from None
        return np.asarray(arithmetic.wrap(self.offset + swing), dtype=np.int64)


class StepCurrentSource(Source):
    """`amplitudes[i]` (nA) from `times[i]` (ms) on; lists, not arrays, as sPyNNaker asks."""

    names = ("times", "amplitudes")
    ticks: Raw
    amplitudes: Raw
    moved: int
    """Entries that lie less than a thousandth of a tick before one, and are put into the former."""

    def __init__(self, times: Sequence[float] = (), amplitudes: Sequence[float] = ()) -> None:
        super().__init__(times=times, amplitudes=amplitudes)

    def _set(self, parameters: dict[str, Any], first: bool) -> None:
        if not isinstance(parameters.get("amplitudes", ()), Sequence) or (
            not first and not isinstance(parameters.get("times", ()), Sequence)
        ):
            raise Unsupported(f"{self.name}: sPyNNaker takes times and amplitudes as lists only")
        if "amplitudes" in parameters:
            self.amplitudes = encode_array(f"{self.name}: amplitudes", parameters["amplitudes"])
        if "times" in parameters:
            times = np.asarray(parameters["times"], dtype=float)
            if not np.all(np.isfinite(times)):
                raise Unsupported(f"{self.name}: times must be finite numbers")
            ticks = arithmetic.ticks(times, self._state.dt)
            grid = times / self._state.dt
            self.moved = int(np.count_nonzero(ticks < np.floor(grid + 1e-3)))
            self.ticks = ticks % WORD
        if len(self.ticks) != len(self.amplitudes):
            raise Unsupported(
                f"{self.name}: {len(self.ticks)} times but {len(self.amplitudes)} amplitudes"
            )


class NoisyCurrentSource(_Windowed):
    """Gaussian noise (mean, stdev in nA) from `start` to `stop` (ms), new each tick and neuron.

    Its generator's seed, four words, can be given with set_parameters(seed=…) only.
    """

    names = ("mean", "stdev", "start", "stop", "dt", "seed")
    mean: int
    deviation: int
    seed: Seed
    seeded: bool = False

    def __init__(
        self,
        mean: float = 0.0,
        stdev: float = 0.0,
        start: float = 0.0,
        stop: float = 0.0,
        dt: float = 1.0,
        rng: Any = None,
    ) -> None:
        if rng is not None:
            raise Unsupported(f"{self.name}: sPyNNaker refuses rng; leave it out")
        super().__init__(mean=mean, stdev=stdev, start=start, stop=stop, dt=dt)

    def _set(self, parameters: dict[str, Any], first: bool) -> None:
        timestep = self._state.dt
        if first and float(parameters["dt"]) != 1 / (1000 / arithmetic.microseconds(timestep)):
            raise Unsupported(
                f"{self.name}: dt = {parameters['dt']:g}: SpiNNaker's noise changes every "
                f"timestep, {timestep:g} ms; set dt to that"
            )
        if "mean" in parameters:
            self.mean = self._number("mean", parameters["mean"])
        if "stdev" in parameters:
            self.deviation = self._number("stdev", parameters["stdev"])
        self._set_window(parameters, first)
        if "seed" in parameters:
            self.seed = _seed(self.name, parameters["seed"])
            self.seeded = True
        elif first:
            self.seed = self._drawn()

    def _drawn(self) -> Seed:
        """sPyNNaker draws one that nobody knows; here it follows from setup(rng_seed=…)."""
        state = self._state
        state.noises = getattr(state, "noises", 0) + 1
        words = np.random.RandomState([state.seed % WORD, state.noises]).randint(1, 2**31 - 1, 4)
        x, y, z, c = words.tolist()
        return Seed(x, y, z, c % HIGHEST_CARRY + 1)


def _seed(name: str, given: Any) -> Seed:
    words = [int(word) % WORD for word in given]
    if len(words) != 4:
        raise Unsupported(f"{name}: seed must be four numbers, not {len(words)}")
    return Seed(*words)


KINDS = (DCSource, ACSource, StepCurrentSource, NoisyCurrentSource)


def source_classes(simulator: Any) -> dict[str, type]:
    """The four current sources of PyNN, by name."""
    return {
        kind.__name__: type(
            kind.__name__, (kind,), {"_simulator": simulator, "__doc__": kind.__doc__}
        )
        for kind in KINDS
    }
