"""How a simulator module is declared."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

from pyNN import common, errors, random, space
from pyNN.common.control import DEFAULT_MAX_DELAY, DEFAULT_MIN_DELAY, DEFAULT_TIMESTEP
from pyNN.network import Network
from pyNN.recording import get_io
from pyNN.standardmodels import StandardCellType

from . import populations, projections
from .cells import CURRENT_BASED, SOURCES, cell_classes, synapse_classes
from .connectors import connector_classes
from .electrodes import source_classes
from .network import EngineClass, Unsupported
from .recording import Recorder
from .state import DEFAULT_SEED, State


def declare(
    module: str,
    name: str,
    engine: EngineClass,
    cell_types: tuple[str, ...] = (*CURRENT_BASED, *SOURCES),
) -> dict[str, Any]:
    """All names of a PyNN simulator module, for ``globals().update(...)`` in it.

    module: its import path. name: in words, for messages and Neo annotations. engine: the class
    of its arithmetic. cell_types: those of PyNN's it has; the others exist and refuse, by name.
    """
    simulator = SimpleNamespace(name=name, state=State(engine))
    found: dict[str, Any] = {"simulator": simulator, "errors": errors, "random": random}
    found.update(_from_pynn())
    found.update(cell_classes(cell_types, simulator))
    found.update(synapse_classes(simulator))
    found.update(source_classes(simulator))
    found.update(_network_classes(simulator, found["StaticSynapse"]))
    found.update(_control(simulator))
    found.update(_procedures(simulator, found))

    def list_standard_models() -> list[str]:
        """The names of the cell types this simulator has."""
        return [n for n, c in found.items() if _is_cell(c)]

    found["list_standard_models"] = list_standard_models
    for value in found.values():
        if isinstance(value, type) and value.__module__.startswith(__package__ + "."):
            value.__module__ = module
    return found


def _is_cell(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, StandardCellType)


def _from_pynn() -> dict[str, Any]:
    return {
        **connector_classes(),
        "NumpyRNG": random.NumpyRNG,
        "GSLRNG": random.GSLRNG,
        "RandomDistribution": random.RandomDistribution,
        "Network": Network,
        "Space": space.Space,
        "space": space,
    }


def _network_classes(simulator: Any, static_synapse: type) -> dict[str, type]:
    shared = {"_simulator": simulator}
    assembly = type("Assembly", (populations.Assembly,), shared)
    shared = {**shared, "_assembly_class": assembly}
    view = type("PopulationView", (populations.PopulationView,), shared)
    recorder = type("Recorder", (Recorder,), {"_simulator": simulator})
    population = type(
        "Population",
        (populations.Population,),
        {**shared, "_view_class": view, "_recorder_class": recorder},
    )
    projection = type(
        "Projection",
        (projections.Projection,),
        {"_simulator": simulator, "_static_synapse_class": static_synapse},
    )
    classes = (assembly, view, population, projection)
    return {c.__name__: c for c in classes}


def _control(simulator: Any) -> dict[str, Any]:
    state = simulator.state

    def setup(
        timestep: float = DEFAULT_TIMESTEP,
        min_delay: Any = DEFAULT_MIN_DELAY,
        max_delay: Any = DEFAULT_MAX_DELAY,
        rng_seed: int = DEFAULT_SEED,
        **others: Any,
    ) -> int:
        """Begin anew; times in ms. rng_seed: of Poisson sources and noisy currents."""
        if not timestep > 0:
            raise ValueError(f"timestep = {timestep!r} ms must be greater than 0")
        common.setup(timestep, min_delay, max_delay=max_delay, **others)
        if others:
            warnings.warn(
                f"{simulator.name} has no use for these arguments of setup(): "
                + ", ".join(sorted(others)),
                stacklevel=2,
            )
        state.clear(float(timestep), min_delay, max_delay, int(rng_seed))
        return 0

    def end(compatible_output: bool = True) -> None:
        """Write what was to be written at the end."""
        for population, variables, filename in state.write_on_end:
            population.write_data(get_io(filename), variables)
        state.write_on_end = []

    run, run_until = common.build_run(simulator)
    names = ("current_time", "time_step", "min_delay", "max_delay")
    queries = dict(zip(names, common.build_state_queries(simulator), strict=False))
    found: dict[str, Any] = {f"get_{key}": query for key, query in queries.items()}
    found["get_min_delay"] = lambda: state.shortest_delay
    found["num_processes"] = lambda: 1
    found["rank"] = lambda: 0
    found.update(
        setup=setup,
        end=end,
        run=run,
        run_for=run,
        run_until=run_until,
        reset=common.build_reset(simulator),
        initialize=common.initialize,
    )
    return found


def _procedures(simulator: Any, found: dict[str, Any]) -> dict[str, Any]:
    """PyNN's older interface: create(), connect(), record()."""
    record = common.build_record(simulator)
    return {
        "create": common.build_create(found["Population"]),
        "connect": common.build_connect(
            found["Projection"], found["FixedProbabilityConnector"], found["StaticSynapse"]
        ),
        "set": common.set,
        "record": record,
        "record_v": lambda source, filename: record(["v"], source, filename),
    }


__all__ = ["Unsupported", "declare"]
