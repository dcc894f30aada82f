"""PyNN's cell and synapse types for these simulators; parameters keep PyNN's names and units."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyNN import standardmodels
from pyNN.standardmodels import base, cells, synapses

from .network import Unsupported

CURRENT_BASED = ("IF_curr_exp", "IF_curr_alpha", "IF_curr_delta")
SOURCES = ("SpikeSourceArray", "SpikeSourcePoisson")
POSITIVE = ("tau_m", "cm", "tau_syn_E", "tau_syn_I")
NOT_NEGATIVE = ("tau_refrac", "rate", "start", "duration")


def cell_classes(supported: tuple[str, ...], simulator: Any) -> dict[str, type]:
    """Every cell type of PyNN by name: the `supported` ones and, to say so, the others."""
    found: dict[str, type] = {}
    for name, cell in vars(cells).items():
        if not (isinstance(cell, type) and issubclass(cell, standardmodels.StandardCellType)):
            continue
        if cell is standardmodels.StandardCellType:
            continue
        found[name] = (
            _supported(name, cell) if name in supported else _refused(name, supported, simulator)
        )
    return found


def _supported(name: str, cell: type) -> type:
    parameters = cell.default_parameters  # type: ignore[attr-defined]
    content = {
        "__doc__": cell.__doc__,
        "translations": standardmodels.build_translations(*((p, p) for p in parameters)),
    }
    if name in ("IF_curr_exp", "IF_curr_alpha"):
        content["recordable"] = ["spikes", "v", "isyn_exc", "isyn_inh"]
    return type(name, (cell,), content)


def _refused(name: str, supported: tuple[str, ...], simulator: Any) -> type:
    def refuse(self: Any, *_: Any, **__: Any) -> None:
        raise NotImplementedError(
            f"{name} is not available on {simulator.name}; it has {', '.join(supported)}"
        )

    return type(name, (base.ModelNotAvailable,), {"__init__": refuse})


def synapse_classes(simulator: Any) -> dict[str, type]:
    """StaticSynapse, and the refusal of every other synapse type and plasticity rule of PyNN."""
    found: dict[str, type] = {}
    for name, kind in vars(synapses).items():
        if isinstance(kind, type) and issubclass(kind, base.StandardModelType):
            found[name] = _refused(name, ("StaticSynapse",), simulator)

    def minimum(self: Any) -> float:
        return float(simulator.state.shortest_delay)

    found["StaticSynapse"] = type(
        "StaticSynapse",
        (synapses.StaticSynapse,),
        {
            "__doc__": synapses.StaticSynapse.__doc__,
            "translations": standardmodels.build_translations(
                ("weight", "weight"), ("delay", "delay")
            ),
            "_get_minimum_delay": minimum,
        },
    )
    for abstract in ("StandardSynapseType", "STDPWeightDependence", "STDPTimingDependence"):
        found.pop(abstract, None)
    return found


def check_values(cell_type: str, parameters: dict[str, Any]) -> None:
    """Raise Unsupported for a parameter value that the cell type cannot have."""
    for name, values in parameters.items():
        if name == "spike_times":
            for times in values:
                _check(cell_type, name, np.asarray(times.value, dtype=float), 0.0, False)
        elif name in POSITIVE:
            _check(cell_type, name, values, 0.0, True)
        elif name in NOT_NEGATIVE:
            _check(cell_type, name, values, 0.0, False)
        else:
            _check(cell_type, name, values, -np.inf, False)


def _check(cell_type: str, name: str, values: Any, low: float, above: bool) -> None:
    finite = np.isfinite(values)
    good = finite & ((values > low) if above else (values >= low))
    if not np.all(good):
        wrong = np.asarray(values)[~good][0]
        bound = "" if np.isinf(low) else f", {'greater than' if above else 'at least'} {low:g}"
        raise Unsupported(f"{cell_type}: {name} = {wrong:g} must be a finite number{bound}")


def check_together(cell_type: str, parameters: dict[str, Any]) -> None:
    """Raise Unsupported for values that exclude each other."""
    if "v_reset" not in parameters:
        return
    wrong = np.flatnonzero(parameters["v_reset"] >= parameters["v_thresh"])
    if len(wrong):
        k = wrong[0]
        raise Unsupported(
            f"{cell_type}: v_reset = {parameters['v_reset'][k]:g} mV must be below v_thresh = "
            f"{parameters['v_thresh'][k]:g} mV, or the cell would never stop firing"
        )
