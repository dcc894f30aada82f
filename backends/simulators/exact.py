"""PyNN on the exact solution, with spikes at the very time of the threshold crossing.

``import backends.simulators.exact as sim`` takes the place of ``import pyNN.nest as sim``. Between
changes of the current and synaptic events the membrane equation is solved in closed form; a spike
is at the first time at which v >= v_thresh, found to 1e-9 ms wherever it lies, and the refractory
period is exactly tau_refrac from there on. Currents change on the grid of the timestep, delays are
whole steps; apart from that the timestep has no influence on the result.
"""

from __future__ import annotations

from .closed_form.off_grid import PreciseEngine
from .common import declare

FOLLOWS_CONVENTION = True
"""Currents, spike times and v are as :mod:`pynn_model.conventions` says, without corrections; a
spike has its own time instead of the end of its step."""

globals().update(declare(__name__, "exact", PreciseEngine))
