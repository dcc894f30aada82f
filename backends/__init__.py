"""The places where an experiment can run.

A backend decides only *where*: it ships the runner of :mod:`pynn_model` there and brings its
Recording back. :data:`BACKENDS` is the table of all of them; importing it loads no simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    "is_remote",
    "rehearsed_by",
]


Options = Mapping[str, Any]


@dataclass(frozen=True)
class BackendEntry:
    """A known backend: what it is, how to make it, and what it needs."""

    name: str
    summary: str
    make: Callable[[RunStore], Backend]
    system: LocalSystem
    limits: tuple[str, ...] = field(default=())
    configure: Callable[[RunStore, Options], Backend] | None = None
    """Makes it with options of the command line, where it takes any."""


def _local(name: str, summary: str, system: LocalSystem, *limits: str) -> BackendEntry:
    def make(store: RunStore) -> Backend:
        return LocalBackend(name, system, store)

    return BackendEntry(name, summary, make, system, limits)


def _remote(name: str, summary: str, platform: str, *limits: str) -> BackendEntry:
    def configure(store: RunStore, options: Options) -> Backend:
        from . import ebrains  # only where it is used: it takes time to load

        return ebrains.from_options(name, platform, store, options)

    system = LocalSystem(name, ("httpx",), "requirements.txt")
    return BackendEntry(
        name, summary, lambda store: configure(store, {}), system, limits, configure
    )


def _emulator(name: str, summary: str, system: LocalSystem, *limits: str) -> BackendEntry:
    def make(store: RunStore) -> Backend:
        from .spinnaker.emulator.backend import EmulatedBackend

        return EmulatedBackend(name, system, store)

    return BackendEntry(name, summary, make, system, limits)


def _twin(name: str, summary: str, system: LocalSystem, *limits: str) -> BackendEntry:
    def make(store: RunStore) -> Backend:
        from .spinnaker.twin_backend import TwinBackend

        return TwinBackend(name, system, store)

    return BackendEntry(name, summary, make, system, limits)


def _rehearsal(name: str, summary: str, system: LocalSystem, *limits: str) -> BackendEntry:
    def make(store: RunStore) -> Backend:
        system.require(name)
        from .rehearsal.backend import RehearsalBackend

        return RehearsalBackend(name, system, store)

    return BackendEntry(name, summary, make, system, limits)


def _own(module: str) -> LocalSystem:
    return LocalSystem(
        f"backends.simulators.{module}",
        ("numba",),
        "requirements.txt",
        own_modules=("backends.simulators",),
    )


_CLOSED_FORM = "IF_curr_exp, IF_curr_alpha and IF_curr_delta only, with static synapses"
_NEST = ("nest-simulator",)
_QUEUE = ("httpx", "fastapi", "uvicorn")
_SPINNAKER = ("sPyNNaker", "unicorn")
_EMULATED = "backends/spinnaker/requirements.txt"
_TWIN = (
    "backends.simulators.common",
    "backends.spinnaker.twin",
    "backends.spinnaker.arithmetic",
    "backends.spinnaker.gaussian",
    "backends.spinnaker.parameters",
)
BACKENDS: dict[str, BackendEntry] = {
    entry.name: entry
    for entry in (
        _local(
            "nest",
            "NEST, spikes on the time grid",
            LocalSystem("nest", _NEST, "requirements.txt", multithreaded=True),
            "in a network, Poisson sources are silent for the first min_delay and one step more",
        ),
        _local(
            "nest-precise",
            "NEST, spike times off the grid",
            LocalSystem("nest-precise", _NEST, "requirements.txt", multithreaded=True),
            "IF_curr_exp and IF_curr_delta only",
        ),
        _local(
            "neuron",
            "NEURON",
            LocalSystem("neuron", ("neuron", "nrnutils"), "requirements-simulators.txt"),
            "compiles PyNN's mechanisms once; needs a C++ compiler for that",
            "in a network, alpha synapses act half a step off, and cells beside HH or EIF cells "
            "are integrated in finer steps, as those are",
        ),
        _local(
            "brian2",
            "Brian2",
            LocalSystem("brian2", ("brian2",), "requirements-simulators.txt"),
            "in a network, IF_curr_alpha takes tau_syn_E for inhibition too, and cells beside HH "
            "or EIF cells are integrated in finer steps, as those are",
        ),
        _local(
            "exact",
            "the exact solution, spike times off the grid: what the others are compared with",
            _own("exact"),
            _CLOSED_FORM,
            "compiles its kernels at the first run, for some seconds",
        ),
        _local(
            "exact-grid",
            "the exact solution, with the threshold tested at the end of each step",
            _own("exact_grid"),
            _CLOSED_FORM,
            "compiles its kernels at the first run, for some seconds",
        ),
        _remote(
            "spinnaker",
            "SpiNNaker, through the EBRAINS job queue",
            "SpiNNaker",
            "needs an EBRAINS account",
        ),
        _remote(
            "ebrains-demo",
            "PyNN on NEST, through the EBRAINS job queue (platform Demo)",
            "Demo",
            "needs an EBRAINS account",
        ),
        _twin(
            "spinnaker-twin",
            "SpiNNaker's arithmetic, bit for bit, in software",
            LocalSystem(
                "backends.spinnaker.twin",
                ("numba",),
                "requirements.txt",
                own_modules=_TWIN,
            ),
            "IF_curr_exp driven by currents only",
            "compiles its kernels at the first run, for some seconds",
        ),
        _emulator(
            "spinnaker-emulator",
            "SpiNNaker in software: sPyNNaker and its own machine code, on emulated chips",
            LocalSystem(
                "spiNNaker",
                _SPINNAKER,
                _EMULATED,
                own_modules=("backends.spinnaker.emulator",),
                launcher="backends.spinnaker.emulator.launcher",
            ),
            "Linux only; much slower than other simulators",
        ),
        _rehearsal(
            "rehearsal",
            "all of the way to SpiNNaker on this machine, with NEST at its end",
            LocalSystem("nest", (*_NEST, *_QUEUE), "backends/rehearsal/requirements.txt"),
        ),
        _rehearsal(
            "rehearsal-spinnaker-twin",
            "all of the way to SpiNNaker on this machine, with its twin at the end",
            LocalSystem(
                "backends.spinnaker.twin",
                ("numba", *_QUEUE),
                "backends/rehearsal/requirements.txt",
                own_modules=_TWIN,
            ),
        ),
        _rehearsal(
            "rehearsal-spinnaker-emulator",
            "all of the way to SpiNNaker on this machine, with the emulated one at its end",
            LocalSystem(
                "spinnaker-emulator",
                (*_SPINNAKER, *_QUEUE),
                f"{_EMULATED} -r backends/rehearsal/requirements.txt",
                own_modules=("backends.spinnaker.emulator",),
            ),
            "Linux only",
        ),
    )
}

IMPOSSIBLE = {
    "arbor": "pyNN.arbor has no point neurons in PyNN 0.13 (only MultiCompartmentNeuron and "
    "DCSource), so it cannot run these models",
}
"""PyNN modules that cannot be a backend, and why."""


def get(name: str, runs: Path | str = "runs", options: Options | None = None) -> Backend:
    """The backend of that name, with its runs kept in the folder `runs`.

    options: settings of a remote service by name, and "settings" for their file; None where not
    given. Raises UnknownBackend, with the nearest name, if there is none.
    """
    if name in BACKENDS:
        entry = BACKENDS[name]
        given = {key: value for key, value in (options or {}).items() if value is not None}
        if entry.configure is None and given:
            raise BackendUnavailable(f"{name}: takes no options of a remote service")
        return entry.configure(RunStore(runs), given) if entry.configure else _made(entry, runs)
    platform = _named_platform(name, options)
    if platform is not None:
        return platform(RunStore(runs))
    if name in IMPOSSIBLE:
        raise UnknownBackend(f"{name}: {IMPOSSIBLE[name]}")
    known = ", ".join(BACKENDS)
    raise UnknownBackend(f"{name}: no such backend{nearest(name, BACKENDS)}; there are: {known}")


def rehearsed_by(name: str, provider: str | None) -> str:
    """The backend that is the rehearsal `name` with that provider at the end of its queue.

    provider: nest, spinnaker-twin, spinnaker-emulator; None leaves it as it is. Raises
    UnknownBackend.
    """
    if provider is None:
        return name
    if name != "rehearsal":
        raise UnknownBackend(f"{name}: only the backend rehearsal has a provider to choose")
    if provider == BACKENDS[name].system.name:
        return name
    found = f"{name}-{provider}"
    if found not in BACKENDS:
        known = [entry.removeprefix(f"{name}-") for entry in BACKENDS if f"{name}-" in entry]
        raise UnknownBackend(
            f"provider {provider}: no such provider{nearest(provider, known)}; there are: "
            + ", ".join(["nest", *known])
        )
    return found


def is_remote(name: str) -> bool:
    """Whether runs of that backend go to a service that keeps them when this process ends."""
    entry = BACKENDS.get(name)
    return entry.configure is not None if entry else name not in IMPOSSIBLE


def _made(entry: BackendEntry, runs: Path | str) -> Backend:
    return entry.make(RunStore(runs))


def _named_platform(name: str, options: Options | None) -> Callable[[RunStore], Backend] | None:
    """What makes a backend that only the settings of the remote service name, if they do."""
    from . import ebrains

    platform = ebrains.platform_named(name, options)
    if platform is None:
        return None
    return lambda store: ebrains.from_options(name, platform, store, options)
