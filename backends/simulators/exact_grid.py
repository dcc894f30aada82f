"""PyNN on the exact solution, with the threshold tested at the end of each step.

``import backends.simulators.exact_grid as sim`` takes the place of ``import pyNN.nest as sim``.
Between two points of the grid the membrane equation is solved in closed form; a spike is stamped
with the end of the step in which v >= v_thresh was found, and the refractory period lasts the next
whole number of steps. NEST on the grid, and NEURON and Brian2 by this project's convention, have to
give the same spikes. A synaptic event acts from the point of the grid at which it arrives: spike
time + delay.
"""

from __future__ import annotations

from .closed_form.on_grid import GridEngine
from .common import declare

FOLLOWS_CONVENTION = True
"""Currents, spike times and v are as :mod:`pynn_model.conventions` says, without corrections."""

globals().update(declare(__name__, "exact-grid", GridEngine))
