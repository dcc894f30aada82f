"""PyNN's standard cell types that take an injected current, with their parameters.

The names, defaults and units are PyNN's own (a test holds this table against the installed PyNN).
They are written down here so that an experiment can be checked, and its digest taken, without
importing PyNN, and so that a default that changes in a later PyNN cannot change a run silently.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Dict, List

from .schema import Quantity

VOLTAGE = Quantity("mV", low=-1000, high=1000)
DURATION = Quantity("ms", low=0, high=1e6)
TAU = Quantity("ms", above=0, high=1e6)
CAPACITANCE = Quantity("nF", above=0, high=100, hint="a value in pF is 1000 times too large here")
CURRENT = Quantity("nA", low=-100, high=100, hint="a value in pA is 1000 times too large here")
CONDUCTANCE_US = Quantity("uS", low=0, high=1e4)
CONDUCTANCE_NS = Quantity("nS", low=0, high=1e7)
RATE = Quantity("1/ms", low=-1e3, high=1e3)

Parameters = Dict[str, float]


@dataclass(frozen=True)
class CellType:
    """A cell type: its parameters (default and quantity), settable states, plausibility checks."""

    defaults: Dict[str, float]
    quantities: Dict[str, Quantity]
    states: Dict[str, Callable[[Parameters, Parameters], float]]
    """Initial value of each state from the parameters and the initial values known so far."""
    state_quantities: Dict[str, Quantity]

    def contradictions(self, p: Parameters) -> List[str]:
        """Sentences on combinations of parameters that cannot work."""
        # An exponential cell fires at v_spike and may well be reset above its soft threshold.
        ceiling = "v_spike" if "v_spike" in p else "v_thresh"
        if {"v_reset", ceiling} <= set(p) and p["v_reset"] >= p[ceiling]:
            return [
                "v_reset ({:g} mV) must be below {} ({:g} mV): the cell would fire at every "
                "step".format(p["v_reset"], ceiling, p[ceiling])
            ]
        return []


def _rest(p: Parameters, _: Parameters) -> float:
    return p["v_rest"]


def _zero(_: Parameters, __: Parameters) -> float:
    return 0.0


_QUANTITIES: Dict[str, Quantity] = {
    "cm": CAPACITANCE,
    "i_offset": CURRENT,
    "tau_refrac": DURATION,
    "a": CONDUCTANCE_NS,
    "b": CURRENT,
    "delta_T": Quantity("mV", above=0, high=1000),
    "q_sfa": CONDUCTANCE_NS,
    "q_rr": CONDUCTANCE_NS,
    "gbar_Na": CONDUCTANCE_US,
    "gbar_K": CONDUCTANCE_US,
    "g_leak": CONDUCTANCE_US,
}


def _quantity(name: str) -> Quantity:
    if name in _QUANTITIES:
        return _QUANTITIES[name]
    return TAU if name.startswith("tau_") else VOLTAGE


def _cell(
    defaults: Dict[str, float], **states: Callable[[Parameters, Parameters], float]
) -> CellType:
    return CellType(
        defaults,
        {name: _quantity(name) for name in defaults},
        states or {"v": _rest},
        {"v": VOLTAGE, "w": CURRENT},
    )


_IF = dict(
    v_rest=-65.0, cm=1.0, tau_m=20.0, tau_refrac=0.1, i_offset=0.0, v_reset=-65.0, v_thresh=-50.0
)
_COND = dict(_IF, e_rev_E=0.0, e_rev_I=-70.0)
_SFA = dict(tau_sfa=100.0, e_rev_sfa=-75.0, q_sfa=15.0, tau_rr=2.0, e_rev_rr=-75.0, q_rr=3000.0)
_EIF = dict(
    cm=0.281, tau_refrac=0.1, v_spike=-40.0, v_reset=-70.6, v_rest=-70.6, tau_m=9.3667,
    i_offset=0.0, a=4.0, b=0.0805, delta_T=2.0, tau_w=144.0, v_thresh=-50.4,
    e_rev_E=0.0, tau_syn_E=5.0, e_rev_I=-80.0, tau_syn_I=5.0,
)  # fmt: skip
_HH = dict(
    gbar_Na=20.0, gbar_K=6.0, g_leak=0.01, cm=0.2, v_offset=-63.0, e_rev_Na=50.0, e_rev_K=-90.0,
    e_rev_leak=-65.0, e_rev_E=0.0, e_rev_I=-80.0, tau_syn_E=0.2, tau_syn_I=2.0, i_offset=0.0,
)  # fmt: skip

_IZHIKEVICH = CellType(
    defaults=dict(a=0.02, b=0.2, c=-65.0, d=2.0, i_offset=0.0),
    quantities=dict(a=RATE, b=RATE, c=VOLTAGE, d=Quantity("mV/ms", -1e3, 1e3), i_offset=CURRENT),
    states={"v": lambda p, _: -70.0, "u": lambda p, values: p["b"] * values["v"]},
    state_quantities={"v": VOLTAGE, "u": Quantity("mV/ms", low=-1e4, high=1e4)},
)

CELL_TYPES: Dict[str, CellType] = {
    "IF_curr_exp": _cell(dict(_IF, tau_syn_E=5.0, tau_syn_I=5.0)),
    "IF_curr_alpha": _cell(dict(_IF, tau_syn_E=0.5, tau_syn_I=0.5)),
    "IF_curr_delta": _cell(dict(_IF)),
    "IF_cond_exp": _cell(dict(_COND, tau_syn_E=5.0, tau_syn_I=5.0)),
    "IF_cond_alpha": _cell(dict(_COND, tau_syn_E=0.3, tau_syn_I=0.5)),
    "IF_cond_exp_gsfa_grr": _cell(dict(_COND, tau_syn_E=5.0, tau_syn_I=5.0, **_SFA)),
    "EIF_cond_exp_isfa_ista": _cell(dict(_EIF), v=_rest, w=_zero),
    "EIF_cond_alpha_isfa_ista": _cell(dict(_EIF), v=_rest, w=_zero),
    "Izhikevich": _IZHIKEVICH,
    "HH_cond_exp": _cell(dict(_HH), v=lambda p, _: p["e_rev_leak"]),
}
"""Name in PyNN -> what it takes. The potential starts at rest unless the experiment says where."""

ANY = CellType(
    {name: value for cell in CELL_TYPES.values() for name, value in cell.defaults.items()},
    {name: q for cell in CELL_TYPES.values() for name, q in cell.quantities.items()},
    {"v": _zero, "u": _zero, "w": _zero},
    {"v": VOLTAGE, "u": VOLTAGE, "w": CURRENT},
)
"""Stands in for a misspelt cell type, so that the rest of its table is still checked."""


def initial_values(cell_type: str, parameters: Parameters, given: Parameters) -> Parameters:
    """Every state's initial value: the given ones, the others at rest (mV, nA)."""
    values: Parameters = {}
    for name, default in CELL_TYPES[cell_type].states.items():
        values[name] = given.get(name, math.nan)
        if math.isnan(values[name]):
            values[name] = default(parameters, values)
    return values
