"""What an engine receives and returns: a network and its recordings as plain arrays.

All times are ms or whole steps of the timestep, potentials mV, currents nA, capacities nF.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from pynn_model.conventions.sources import Drive

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Progress = Callable[[float], None]


class Unsupported(ValueError):
    """A model asks for what this simulator does not have; the message names it."""


@dataclass(frozen=True)
class Sampled:
    """A variable that is recorded: of the cells `indices` (sorted), every `every` steps."""

    indices: Integers
    every: int


@dataclass
class Cells:
    """A population of neurons.

    parameters: PyNN's names and units -> (size,). assigned: state variable -> (size,), what it is
    to be when this stretch begins, NaN where it goes on; before step 0 every value is given.
    drives: the currents, each a sum of steps on the grid for some cells; no cell is in two.
    record: variable (v, isyn_exc, isyn_inh) -> what to sample. Spikes are always returned.
    """

    label: str
    cell_type: str
    size: int
    parameters: dict[str, Floats]
    assigned: dict[str, Floats] = field(default_factory=dict)
    drives: list[Drive] = field(default_factory=list)
    record: dict[str, Sampled] = field(default_factory=dict)


@dataclass
class Source:
    """A population of spike sources, with its spikes of this stretch.

    times: ms, sorted; first < t <= last (also t = 0 in the first stretch). For an engine on the
    grid they are on the grid: the end of the step. indices: which source fires, same length.
    """

    label: str
    size: int
    times: Floats
    indices: Integers


@dataclass
class Synapses:
    """Static synapses between two populations, by their places in `Network.populations`.

    pre_indices, post_indices, weights (nA; mV for delta synapses; negative for inhibition), and
    delays (whole steps, at least 1): one entry a synapse.
    """

    pre: int
    post: int
    receptor: str
    pre_indices: Integers
    post_indices: Integers
    weights: Floats
    delays: Integers


@dataclass
class Network:
    """Everything that exists when a stretch of simulation begins."""

    timestep: float
    populations: list[Cells | Source]
    synapses: list[Synapses]
    seed: int = 42

    @property
    def min_delay(self) -> int:
        """The shortest delay in steps; 0 without synapses."""
        return min((int(s.delays.min()) for s in self.synapses if len(s.delays)), default=0)

    @property
    def max_delay(self) -> int:
        """The longest delay in steps; 0 without synapses."""
        return max((int(s.delays.max()) for s in self.synapses if len(s.delays)), default=0)


@dataclass
class Output:
    """What happened in one population during a stretch from step `first` to step `last`.

    spike_times: ms, in (first, last], any order; spike_indices: same length. samples: variable ->
    (samples, cells recorded), at the steps k with first < k <= last and k % every == 0, and in the
    first stretch also at k = 0. A Source needs none: its spikes are known.
    """

    spike_times: Floats
    spike_indices: Integers
    samples: dict[str, Floats] = field(default_factory=dict)

    @classmethod
    def none(cls) -> Output:
        """No spikes and nothing sampled."""
        return cls(np.empty(0), np.empty(0, np.int64))


class Engine(Protocol):
    """The arithmetic of a simulator.

    One object simulates from step 0 on, stretch by stretch; `reset()` and `setup()` make a new one.
    """

    on_grid: ClassVar[bool]
    """Whether spikes are on the grid: then `common` puts those of spike sources there, too."""

    def __init__(self, timestep: float) -> None: ...

    def check(self, network: Network) -> None:
        """Raise Unsupported, before anything starts, if this network cannot be simulated."""

    def advance(
        self, network: Network, first: int, last: int, progress: Progress | None = None
    ) -> list[Output]:
        """Simulate from step `first` to step `last`: an Output for each of the populations.

        Stretches follow one another; the first begins at step 0. In between, parameters, weights
        and currents may have changed, and synapses may have been added; populations not. Spikes
        on their way at the end of a stretch arrive in a later one. `progress` takes the fraction
        of this stretch that is done.
        """
        ...


EngineClass = type[Engine]
