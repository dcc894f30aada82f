"""Where SpiNNaker's PyNN interface differs from that of this project's other simulators."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from backends.simulators.common import Unsupported
from backends.simulators.common.network import Output

from .. import arithmetic
from .engine import MOST_NEURONS
from .faults import warn
from .sources import source_classes

RECORDED = ["spikes", "v"]


def adapted(module: dict[str, Any], engine: type) -> dict[str, Any]:
    """The names of a simulator module, made to be SpiNNaker's."""
    simulator = module["simulator"]
    engine.simulator = simulator  # type: ignore[attr-defined]
    simulator.sources = source_classes(simulator)
    module.update(simulator.sources)
    module["IF_curr_exp"].recordable = list(RECORDED)
    population = module["Population"]
    population._recorder_class = _recorder(population._recorder_class)
    population.set_max_atoms_per_core = _set_max_atoms_per_core
    population.max_atoms_per_core = MOST_NEURONS
    module["setup"] = _setup(simulator.state, module["setup"], module)
    module.update(_running(simulator.state, module["run_until"]))

    def set_number_of_neurons_per_core(neuron_type: Any, max_permitted: int) -> None:
        """At most so many neurons of a cell type on a core, in populations made from now on."""
        if neuron_type is not module["IF_curr_exp"]:
            raise Unsupported(f"{neuron_type.__name__} is not on this simulator")
        population.max_atoms_per_core = _checked(max_permitted)

    module["set_number_of_neurons_per_core"] = set_number_of_neurons_per_core
    return module


def _checked(neurons: int) -> int:
    if not 1 <= int(neurons) <= MOST_NEURONS:
        raise Unsupported(
            f"neurons per core = {neurons}: SpiNNaker allows 1 to {MOST_NEURONS} of this type"
        )
    return int(neurons)


def _set_max_atoms_per_core(population: Any, max_atoms_per_core: int) -> None:
    """At most so many of this population's neurons on a core."""
    population.max_atoms_per_core = _checked(max_atoms_per_core)


def _setup(state: Any, common: Any, module: dict[str, Any]) -> Any:
    def setup(
        timestep: Any = 1.0,
        min_delay: Any = 0.1,
        max_delay: Any = None,
        time_scale_factor: int | None = None,
        n_chips_required: int | None = None,
        n_boards_required: int | None = None,
        rng_seed: int = 42,
        **others: Any,
    ) -> int:
        """Begin anew; times in ms. rng_seed: of noise that is given no seed.

        The timestep becomes a whole number of µs, rounded up, as sPyNNaker does it.
        """
        if timestep == "auto":
            timestep = 1.0
        if not float(timestep) > 0:
            raise Unsupported(f"timestep = {timestep!r} ms must be greater than 0")
        actual = arithmetic.microseconds(float(timestep)) / 1000
        if abs(actual - timestep) > 1e-9:
            warn(f"the timestep of {timestep:g} ms becomes {actual:g} ms on SpiNNaker: whole µs")
        if min_delay == "auto" or min_delay < actual:
            min_delay = actual
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*has no use for these arguments.*")
            result: int = common(actual, min_delay, max_delay or "auto", rng_seed, **others)
        state.time_scale_factor = time_scale_factor or 1
        state.noises = 0
        module["Population"].max_atoms_per_core = MOST_NEURONS
        return result

    return setup


def _running(state: Any, until: Any) -> dict[str, Any]:
    def run_until(tstop: float, callbacks: Any = None) -> float:
        """Simulate up to the time `tstop` in ms, in whole ticks rounded up as sPyNNaker does it."""
        now = state.step * state.dt  # to the last bit sPyNNaker's: what is left decides on a tick
        simtime = tstop - now
        if simtime < -state.dt / 2:
            raise ValueError(f"the time to run until, {tstop:g} ms, is in the past ({now:g} ms)")
        ticks = math.ceil(simtime / state.dt)
        if abs(simtime - ticks * state.dt) > 1e-5:
            warn(
                f"a run of {simtime:g} ms is no multiple of the timestep for sPyNNaker: it takes "
                f"{ticks} ticks, {ticks * state.dt:g} ms"
            )
        if callbacks:
            raise Unsupported("callbacks: a run on SpiNNaker cannot be interrupted for them")
        return float(until(float(np.round((state.step + ticks) * state.dt, 9))))

    def run(simtime: float, callbacks: Any = None) -> float:
        """Simulate `simtime` ms more."""
        return run_until(state.step * state.dt + simtime, callbacks)

    return {"run": run, "run_for": run, "run_until": run_until}


def _recorder(common: type) -> type:
    class Recorder(common):  # type: ignore[misc]
        """SpiNNaker samples at the start of ticks, so a stretch has none of its end."""

        def take(self, first: int, last: int, output: Output) -> None:
            """Keep what happened between two ticks."""
            known = {name: len(parts) for name, parts in self._samples.items()}
            super().take(first, last, output)
            for name, wanted in self.sampled().items():
                part = self._samples[name][known.get(name, 0)]
                begin = -(-first // wanted.every) * wanted.every
                self._samples[name][-1] = (begin, *part[1:])

        def _clear_simulator(self) -> None:
            self._reset()

    Recorder.__name__ = "Recorder"
    return Recorder
