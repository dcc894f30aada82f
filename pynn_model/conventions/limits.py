"""What a simulator cannot do right, so that it is refused or said before anything starts.

Every number here was measured: one cell for 500 ms with a current step and with noise that changes
every millisecond, against NEST at a timestep of 0.01 ms (adaptive integration).
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional

_PRECISE = ("IF_curr_exp", "IF_curr_delta")
_ON_GRID_ONLY = (
    "IF_curr_alpha",
    "IF_cond_exp",
    "IF_cond_alpha",
    "EIF_cond_exp_isfa_ista",
    "EIF_cond_alpha_isfa_ista",
    "Izhikevich",
    "HH_cond_exp",
)
_CLOSED_FORM = ("IF_curr_exp", "IF_curr_alpha", "IF_curr_delta")
_NO_CELL: Dict[str, str] = {
    "IF_curr_delta": "PyNN has no IF_curr_delta for NEURON; use nest or brian2, or an IF_curr_exp "
    "cell with a short tau_syn."
}


def unsupported(
    system: str,
    cell_type: str,
    timestep: float,
    record_v: bool = False,
    parameters: Optional[Mapping[str, float]] = None,
) -> List[str]:
    """Why `system` cannot run this cell type with this timestep (ms); empty if it can.

    record_v: whether potentials are recorded. parameters: of the cell, by PyNN's names. Each reason
    is a sentence that ends with a way out.
    """
    reasons = []
    nest = system in ("nest", "nest-precise")
    if nest and abs(timestep * 1000 - round(timestep * 1000)) > 1e-6:
        reasons.append(
            "NEST counts time in microseconds: a timestep of {:g} ms is impossible; use a multiple "
            "of 0.001 ms.".format(timestep)
        )
    if system == "nest-precise" and cell_type in _ON_GRID_ONLY:
        reasons.append(
            "NEST has no {} with exact spike times, it would silently run on the grid; use nest, "
            "or one of {}.".format(cell_type, " and ".join(_PRECISE))
        )
    tau_refrac = (parameters or {}).get("tau_refrac")
    if system == "nest-precise" and tau_refrac is not None and tau_refrac < timestep * (1 - 1e-9):
        reasons.append(
            "NEST with exact spike times needs a tau_refrac of at least one timestep: {:g} ms is "
            "less than {:g} ms; use nest, or a smaller timestep.".format(tau_refrac, timestep)
        )
    if nest and cell_type == "HH_cond_exp" and timestep > 0.25 + 1e-9:
        reasons.append(
            "NEST loses spikes of HH_cond_exp at a timestep of {:g} ms (16 of 43 at 0.5 ms) and "
            "fails at 1 ms; use at most 0.25 ms, or brian2.".format(timestep)
        )
    if _own(system) in ("exact", "exact_grid") and cell_type not in _CLOSED_FORM:
        reasons.append(
            "{} has no closed solution, which exact and exact-grid are made of; use one of {}, or "
            "another backend.".format(cell_type, ", ".join(_CLOSED_FORM))
        )
    if system == "neuron" and cell_type in _NO_CELL:
        reasons.append(_NO_CELL[cell_type])
    return reasons


def noted(
    system: str,
    cell_type: str,
    timestep: float,
    parameters: Optional[Mapping[str, float]] = None,
) -> List[str]:
    """Differences between simulators that this cell type and timestep (ms) bring along.

    Each is a sentence worth keeping with the result; empty if all simulators agree.
    """
    notes = []
    tau_refrac = (parameters or {}).get("tau_refrac", 0.0)
    steps = tau_refrac / timestep
    if abs(steps - round(steps)) > 1e-6 and _own(system) != "exact":
        notes.append(
            "tau_refrac = {:g} ms is no multiple of the timestep, {:g} ms: it lasts the next whole "
            "number of steps.".format(tau_refrac, timestep)
        )
    if cell_type == "Izhikevich" and system in ("nest", "brian2"):
        notes.append(
            "Izhikevich is integrated with forward Euler at the timestep on nest and brian2 (equal "
            "spikes on both), but with finer steps on neuron: at 0.1 ms the spikes of nest and "
            "brian2 are up to 8 ms off after 500 ms, at 1 ms 10 % of them are missing."
        )
    if cell_type == "HH_cond_exp":
        notes.append(
            "HH_cond_exp has no threshold: nest stamps a spike at the peak of v, neuron and brian2 "
            "where v passes 10 mV, 0.1 to 0.2 ms before."
        )
    if cell_type.startswith("EIF_") and system in ("neuron", "brian2"):
        notes.append(
            "{} is advanced in steps of at most 0.025 ms on neuron and brian2 and adaptively on "
            "nest; spike times differ by up to 0.3 ms after 500 ms.".format(cell_type)
        )
    return notes


def _own(system: str) -> str:
    """The last part of the import path of a simulator module of this project, or nothing."""
    return system.rpartition(".")[2] if system.startswith("backends.simulators.") else ""
