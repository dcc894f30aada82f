"""What a run on SpiNNaker takes: cores, their memory, the recordings, the time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pynn_model.conventions import spinnaker_limits as limits
from pynn_model.experiment import Experiment

from .check import unchecked
from .layout import needs

CORES_ON_CHIP = 15
"""Of 18: one for the monitor, two for sPyNNaker's own helpers, and some have a defect."""
CHIPS_ON_BOARD = 48
SYSTEM_TIME = 60.0
"""s to get a machine, boot it, map, load and read out; an estimate, not measured."""
LOADING = 1e6
"""Bytes loaded or read a second; an estimate, not measured."""


@dataclass(frozen=True)
class PopulationCost:
    """One population. dtcm: bytes of current sources on its fullest core, of dtcm_free."""

    name: str
    neurons: int
    neurons_per_core: int
    cores: int
    sources: int
    entries: int
    dtcm: int
    dtcm_free: int
    recording: int
    chip_memory: int
    tick: float


@dataclass(frozen=True)
class Cost:
    """A whole run. neurons, cores, ... are None where only the user's own model knows them.

    recording: bytes, all cores. wall_time: s, an estimate without the time in the queue. slowest:
    µs of a tick that the busiest core computes, a lower bound.
    """

    neurons: int | None
    cores: int | None
    boards: int | None
    recording: int | None
    dtcm: int | None
    dtcm_free: int | None
    slowest: float | None
    tick: float
    time_scale_factor: int
    wall_time: float
    populations: tuple[PopulationCost, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Lines for a person."""
        lines = []
        if self.neurons is not None:
            assert self.cores is not None and self.dtcm is not None and self.dtcm_free
            assert self.recording is not None and self.slowest is not None
            per_core = sorted({p.neurons_per_core for p in self.populations})
            spread = f"{per_core[0]}" if len(per_core) == 1 else f"{per_core[0]} to {per_core[-1]}"
            boards = f"{self.boards} board" + ("s" if self.boards != 1 else "")
            lines += [
                f"neurons            {self.neurons}",
                f"cores              {self.cores} ({spread} neurons each; {boards})",
                f"core memory        {_bytes(self.dtcm)} of {_bytes(self.dtcm_free)} for current "
                "sources, on the fullest core",
                f"time a step        at least {self.slowest:.0f} of {self.tick:.0f} µs",
                f"recordings         {_bytes(self.recording)}",
            ]
        lines += [
            f"time scale factor  {self.time_scale_factor}",
            f"wall time          about {self.wall_time:.0f} s, without the queue",
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def cost(experiment: Experiment) -> Cost:
    """What the experiment takes. Of one that does not fit, the populations that do are counted."""
    factor = limits.time_scale_factor(experiment.timestep)
    simulated = experiment.duration / 1000 * factor
    notes = tuple(unchecked(experiment))
    if experiment.neuron is None:
        empty = (None,) * 7
        return Cost(*empty, limits.TICK, factor, SYSTEM_TIME + simulated, (), notes)
    populations = []
    for need in needs(experiment):
        layout = need.layout
        if layout is None:
            continue
        populations.append(
            PopulationCost(
                name=need.condition.name,
                neurons=experiment.trials,
                neurons_per_core=layout.neurons,
                cores=layout.cores,
                sources=need.sources,
                entries=need.total_entries,
                dtcm=layout.memory,
                dtcm_free=layout.free,
                recording=layout.cores * need.recorded.memory(layout.neurons),
                chip_memory=layout.shared,
                tick=layout.tick,
            )
        )
    cores = sum(p.cores for p in populations)
    memory = sum(p.cores * p.chip_memory for p in populations)
    chips = max(-(-cores // CORES_ON_CHIP), int(-(-memory // limits.CHIP_MEMORY)))
    fullest = max(populations, key=lambda p: p.dtcm / p.dtcm_free, default=None)
    return Cost(
        neurons=experiment.trials * len(experiment.conditions),
        cores=cores,
        boards=-(-chips // CHIPS_ON_BOARD),
        recording=sum(p.recording for p in populations),
        dtcm=fullest.dtcm if fullest else 0,
        dtcm_free=fullest.dtcm_free if fullest else limits.source_memory(1),
        slowest=max((p.tick for p in populations), default=0.0),
        tick=limits.TICK,
        time_scale_factor=factor,
        wall_time=SYSTEM_TIME + simulated + memory / LOADING,
        populations=tuple(populations),
        notes=notes,
    )


def _bytes(n: float) -> str:
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n:.0f} bytes"
