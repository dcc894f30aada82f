"""The places where an experiment can run.

A backend decides only *where*: it ships the runner of :mod:`pynn_model` there and brings its
Recording back. :data:`BACKENDS` is the table of all of them; importing it loads no simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pynn_model.schema import nearest

from .base import (
    Backend,
    BackendError,
    BackendUnavailable,
    Job,
    JobFailed,
    JobState,
    JobTimeout,
    RunIncomplete,
    ServiceError,
    UnknownBackend,
    UnsupportedExperiment,
)
from .local import LocalBackend, LocalSystem
from .runstore import Run, RunStore

__all__ = [
    "BACKENDS",
    "Backend",
    "BackendEntry",
    "BackendError",
    "BackendUnavailable",
    "Job",
    "JobFailed",
    "JobState",
    "JobTimeout",
    "Run",
    "RunIncomplete",
    "RunStore",
    "ServiceError",
    "UnknownBackend",
    "UnsupportedExperiment",
    "get",
]


@dataclass(frozen=True)
class BackendEntry:
    """A known backend: what it is, how to make it, and what it needs."""

    name: str
    summary: str
    make: Callable[[RunStore], Backend]
    system: LocalSystem
    limits: tuple[str, ...] = field(default=())


def _local(name: str, summary: str, system: LocalSystem, *limits: str) -> BackendEntry:
    def make(store: RunStore) -> Backend:
        return LocalBackend(name, system, store)

    return BackendEntry(name, summary, make, system, limits)


_NEST = ("nest-simulator",)
BACKENDS: dict[str, BackendEntry] = {
    entry.name: entry
    for entry in (
        _local(
            "nest",
            "NEST, spikes on the time grid",
            LocalSystem("nest", _NEST, "requirements.txt", multithreaded=True),
        ),
        _local(
            "nest-precise",
            "NEST, spike times off the grid",
            LocalSystem("nest-precise", _NEST, "requirements.txt", multithreaded=True),
            "no IF_curr_alpha",
        ),
        _local(
            "neuron",
            "NEURON",
            LocalSystem("neuron", ("neuron", "nrnutils"), "requirements-simulators.txt"),
            "compiles PyNN's mechanisms once; needs a C compiler for that",
        ),
        _local(
            "brian2",
            "Brian2",
            LocalSystem("brian2", ("brian2",), "requirements-simulators.txt"),
        ),
    )
}

IMPOSSIBLE = {
    "arbor": "pyNN.arbor has no point neurons in PyNN 0.13 (only MultiCompartmentNeuron and "
    "DCSource), so it cannot run these models",
}
"""PyNN modules that cannot be a backend, and why."""


def get(name: str, runs: Path | str = "runs") -> Backend:
    """The backend of that name, with its runs kept in the folder `runs`.

    Raises UnknownBackend, with the nearest name, if there is none.
    """
    if name in BACKENDS:
        return BACKENDS[name].make(RunStore(runs))
    if name in IMPOSSIBLE:
        raise UnknownBackend(f"{name}: {IMPOSSIBLE[name]}")
    known = ", ".join(BACKENDS)
    raise UnknownBackend(f"{name}: no such backend{nearest(name, BACKENDS)}; there are: {known}")
