"""Run an experiment where this file stands: ``python run.py SYSTEM``.

Imports the PyNN module of the system, builds, runs, and saves a Recording. This is the whole of a
local run and of a remote job; who starts it and what happens to its output is up to a backend.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import select
import sys
import threading
import time
import uuid
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from . import conventions, network, packing
from .conventions import limits
from .experiment import Experiment
from .recording import PopulationRecording, Recording

Progress = Optional[Callable[[float], None]]


class ModelError(Exception):
    """The user's own model returned something that cannot be recorded."""


def execute(
    experiment: Experiment,
    system: str,
    backend: str = "",
    threads: int = 1,
    progress: Progress = None,
) -> Recording:
    """Run the experiment in this process: once, since PyNN keeps global state.

    system: a name that :func:`pynn_model.conventions.open_simulator` knows. backend: the name
    to put into the recording, default `system`. progress: called with the simulated fraction.
    """
    phases = Phases()
    started = _now()
    simulator = conventions.open_simulator(
        system, timestep=experiment.timestep, seed=experiment.seed, threads=threads
    )
    phases.end("import")
    simulator.setup()
    populations = _build(experiment, simulator.sim)
    kept = {
        name: _kept(experiment, simulator, population) for name, population in populations.items()
    }
    for name, population in populations.items():
        simulator.record(
            population, experiment.record.spikes, kept[name], experiment.record.v_interval
        )
    effective = {name: simulator.effective(p) for name, p in populations.items()}
    simulator.begin(experiment.duration)
    phases.end("build")
    simulator.run(experiment.duration, progress)
    phases.end("run")
    recorded = tuple(
        _collect(experiment, simulator, name, population, kept[name])
        for name, population in populations.items()
    )
    phases.end("collect")
    notes = _cell_notes(experiment, system) + list(simulator.notes)
    simulator.end()
    return Recording(
        experiment=experiment.to_json(),
        digest=experiment.digest,
        backend=backend or system,
        populations=recorded,
        provenance={
            "system": system,
            "threads": threads,
            "versions": versions(),
            "host": {
                "name": platform.node(),
                "machine": platform.machine(),
                "platform": platform.platform(),
                "python": sys.executable,
            },
            "start": started,
            "end": _now(),
            "phases": phases.seconds,
            "phases_cpu": phases.cpu_seconds,
            "peak_memory_mb": _peak_memory(),
            "seed": experiment.seed,
            "effective_parameters": effective,
            "notes": notes,
        },
    )


def _build(experiment: Experiment, sim: Any) -> Dict[str, Any]:
    if experiment.model is None:
        return network.build(sim, experiment)
    namespace: Dict[str, Any] = {"__name__": "model", "__file__": experiment.model.file}
    exec(compile(experiment.model.source, experiment.model.file, "exec"), namespace)
    built = namespace["build"](sim, experiment)
    return _named(built, experiment.model.file)


def _cell_notes(experiment: Experiment, system: str) -> List[str]:
    neuron = experiment.neuron
    if neuron is None:
        return []
    return limits.noted(system, neuron.cell_type, experiment.timestep, neuron.parameters)


def _named(built: Any, file: str) -> Dict[str, Any]:
    """What build() returned as {name: population}: a dict, a list or one population."""
    if hasattr(built, "record"):
        built = [built]
    if isinstance(built, (list, tuple)):
        named = {str(getattr(population, "label", "")): population for population in built}
        if len(named) != len(built):
            raise ModelError("{}: build() returned two populations of one label".format(file))
        built = named
    if not isinstance(built, dict) or not built:
        raise ModelError(
            "{}: build() must return the populations to record (a dict by name, a list, or one "
            "population), not {!r}".format(file, built)
        )
    for name, population in built.items():
        if not hasattr(population, "record") or not hasattr(population, "size"):
            raise ModelError(
                "{}: build() returned {!r} as {!r}, which is not a population".format(
                    file, population, name
                )
            )
    return {str(name): population for name, population in built.items()}


def _kept(experiment: Experiment, simulator: conventions.Simulator, population: Any) -> List[int]:
    """The neurons whose potential is kept; spike sources have none."""
    if not simulator.has_potential(population):
        return []
    return list(range(min(experiment.record.v, population.size)))


def _collect(
    experiment: Experiment, simulator: Any, name: str, population: Any, kept: List[int]
) -> PopulationRecording:
    times, indices = np.zeros(0), np.zeros(0, np.int64)
    if experiment.record.spikes:
        times, indices = simulator.spikes(population)
    v = simulator.potentials(population) if kept else np.zeros((0, 0))
    return PopulationRecording(
        name=name,
        size=int(population.size),
        spike_times=times,
        spike_indices=indices,
        v=v,
        v_indices=np.array(kept, np.int64),
        v_interval=experiment.record.v_interval,
    )


# --- facts about the run -----------------------------------------------------------------------


class Phases:
    """Wall time and CPU time (of all threads) of each phase, in s."""

    def __init__(self) -> None:
        self.seconds: Dict[str, float] = {}
        self.cpu_seconds: Dict[str, float] = {}
        self._last = time.perf_counter(), time.process_time()

    def end(self, name: str) -> None:
        """The phase `name` is over, and the next begins."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.seconds[name] = round(wall - self._last[0], 4)
        self.cpu_seconds[name] = round(cpu - self._last[1], 4)
        self._last = wall, cpu


def versions() -> Dict[str, str]:
    """The versions of what is loaded in this process and may matter to a result."""
    found = {"python": platform.python_version()}
    for module in ("numpy", "pyNN", "nest", "neuron", "brian2", "neo", "spynnaker"):
        version = getattr(sys.modules.get(module), "__version__", None)
        if version is not None:
            found[module] = str(version)
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")


def _peak_memory() -> Optional[float]:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale, 1)


# --- the command -------------------------------------------------------------------------------


def main(argv: List[str], experiment_text: str) -> int:
    """``run.py SYSTEM [--output FILE] [--threads N]``; exit status 0 for success only.

    experiment_text: the JSON text of an experiment, packed or not.
    """
    parser = argparse.ArgumentParser(
        prog="run.py", description="Run the experiment in this file on a PyNN simulator."
    )
    parser.add_argument("system", help="nest, nest-precise, neuron, brian2, spiNNaker, ...")
    parser.add_argument("--output", help="the .npz to write; default: a unique name, here")
    parser.add_argument("--backend", default="", help="the backend's name, for the recording")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--progress-to", type=int, metavar="FD", help="a file descriptor")
    options = parser.parse_args(argv)
    if options.progress_to is not None:
        _end_with_parent()
    experiment = Experiment.from_json(packing.restore(experiment_text))
    output = options.output or "recording-{}-{}.npz".format(
        experiment.digest[:12], uuid.uuid4().hex[:8]
    )
    try:
        recording = execute(
            experiment,
            options.system,
            options.backend,
            options.threads,
            _reporter(options.progress_to),
        )
    except ImportError as error:
        if not _is_missing(error):
            raise  # a mistake in code that is there: its traceback is needed
        print("run.py: {} is not usable here: {}".format(options.system, error), file=sys.stderr)
        return 1
    except (ModelError, conventions.SimulationError) as error:
        print("run.py: {}".format(error), file=sys.stderr)
        return 1
    recording.save(output)
    print("saved {} ({} spikes)".format(output, _n_spikes(recording.populations)))
    return 0


def _is_missing(error: ImportError) -> bool:
    """Whether a distribution is not installed, rather than broken or asked for by a model."""
    return isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith(
        "pynn_model"
    )


def _n_spikes(populations: Tuple[PopulationRecording, ...]) -> int:
    return sum(len(population.spike_times) for population in populations)


def _end_with_parent() -> None:
    """Let the system end this process when standard input, a pipe from the parent, is closed.

    The pipe closes however the parent ends, kill -9 included. The signal (SIGIO, whose default
    action is to terminate) comes from the system, so it works while a simulator computes for
    minutes without returning to Python.
    """
    import fcntl

    if not hasattr(fcntl, "F_SETOWN") or sys.platform != "linux":
        threading.Thread(target=_wait_for_end_of_input, daemon=True).start()
        return
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:
        sys.exit("the parent process has ended")


def _wait_for_end_of_input() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _reporter(descriptor: Optional[int]) -> Progress:
    if descriptor is None:
        return None

    def report(fraction: float) -> None:
        try:
            os.write(descriptor, "{:.4f}\n".format(fraction).encode())
        except OSError:
            return  # nobody listens any more; the run itself goes on

    return report
