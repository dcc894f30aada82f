"""A population's constants and state, as the compiled code wants them: a row a cell.

Plain tables, because compiled functions hand them on a hundred times as fast as a tuple of arrays.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pynn_model.conventions import whole_steps

from ..common.network import Cells, Floats
from .currents import Currents, currents
from .formulas import response

EXPONENTIAL, ALPHA, DELTA = range(3)
"""What a synaptic event adds to: the current, its slope, v."""

V, I_E, D_E, I_I, D_I, FREE, FREE_OFFSET = range(7)
"""Columns of a state: v (mV), current (nA) and slope (nA/ms) of both receptors, and the end of the
refractory period, `free_offset` ms after the beginning of step `free`."""

(
    BASE, DECAY, RESISTANCE, THRESH, RESET, HOLD, REFRAC, TAU_M, CM,
    TAU_E, LEVEL_E, SLOPE_E, FADE_E, TAU_I, LEVEL_I, SLOPE_I, FADE_I,
) = range(17)  # fmt: skip
"""Columns of the constants. In a whole step of h ms, with limit = base + resistance · I,

    v -> limit + decay (v - limit) + level · i + slope · d,  (i, d) -> fade (i + h d, d).

base: where v tends to without injected current (mV); hold: steps of the refractory period on the
grid; refrac: its length (ms)."""

BEFORE = -(2.0**52)
"""A step long before the first: a cell with this in `free` is not refractory."""


class Membrane(NamedTuple):
    """One population of cells during a stretch.

    state: (size, 7); constants: (size, 17). kicks: (2 receptors, size), what a synaptic weight of 1
    adds to i (nA), d (nA/ms) or v (mV). mode: which of these: EXPONENTIAL, ALPHA or DELTA.
    """

    state: Floats
    constants: Floats
    currents: Currents
    kicks: Floats
    mode: int

    @property
    def quiet(self) -> bool:
        """Whether no synaptic current flows."""
        return not self.state[:, I_E : D_I + 1].any()


def new_state(size: int) -> Floats:
    """The state before anything is assigned."""
    state = np.zeros((size, 7))
    state[:, FREE] = BEFORE
    return state


def prepare(cells: Cells, state: Floats, timestep: float) -> Membrane:
    """The population with its constants of now, and what was assigned put into its state."""
    for variable, column in (("v", V), ("isyn_exc", I_E), ("isyn_inh", I_I)):
        if variable in cells.assigned:
            given = ~np.isnan(cells.assigned[variable])
            state[given, column] = cells.assigned[variable][given]
    made = constants(cells, timestep)
    kicks = np.ones((2, cells.size))
    if cells.cell_type == "IF_curr_alpha":
        # The weight is the current's highest value: that of d t exp(-t / tau), at t = tau.
        kicks = math.e / made[:, [TAU_E, TAU_I]].T
    mode = {"IF_curr_alpha": ALPHA, "IF_curr_delta": DELTA}.get(cells.cell_type, EXPONENTIAL)
    return Membrane(state, made, currents(cells.size, cells.drives), kicks, mode)


def constants(cells: Cells, timestep: float) -> Floats:
    """What follows from the parameters, PyNN's names and units: (size, 17)."""
    p = cells.parameters
    c = np.ones((cells.size, 17))
    c[:, TAU_M], c[:, CM] = p["tau_m"], p["cm"]
    c[:, THRESH], c[:, RESET], c[:, REFRAC] = p["v_thresh"], p["v_reset"], p["tau_refrac"]
    c[:, HOLD] = [whole_steps(period, timestep) for period in p["tau_refrac"].tolist()]
    c[:, RESISTANCE] = p["tau_m"] / p["cm"]
    c[:, BASE] = p["v_rest"] + p["i_offset"] * c[:, RESISTANCE]
    c[:, DECAY] = np.exp(-timestep / p["tau_m"])
    for name, tau, level, fade in (
        ("tau_syn_E", TAU_E, LEVEL_E, FADE_E),
        ("tau_syn_I", TAU_I, LEVEL_I, FADE_I),
    ):
        if name in p:
            c[:, tau] = p[name]
            c[:, fade] = np.exp(-timestep / p[name])
            c[:, level : level + 2] = _responses(timestep, c[:, [TAU_M, tau, CM]])
    return c


def _responses(timestep: float, rows: Floats) -> Floats:
    # Most populations have equal cells: each different one is computed once.
    different, place = np.unique(rows, axis=0, return_inverse=True)
    each = np.array([response(timestep, *row) for row in different.tolist()])
    return np.asarray(each[place.ravel()])
