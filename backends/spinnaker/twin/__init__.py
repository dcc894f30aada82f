"""PyNN on SpiNNaker's arithmetic, bit for bit: what a machine would answer, without a machine.

``import backends.spinnaker.twin as sim`` takes the place of ``import pyNN.spiNNaker as sim`` for
populations of IF_curr_exp driven by currents. Potentials are those of sPyNNaker 7.4's machine code
(float64 mV, exactly int32 / 32768), spikes are stamped with the start of their tick as SpiNNaker
stamps them, v has a sample at the start of each tick and none at the end. What SpiNNaker refuses is
refused; what it does wrong is done wrong, with a warning (:class:`SpiNNakerWarning`).
"""

from __future__ import annotations

from backends.simulators.common import declare

from .engine import TwinEngine
from .faults import SpiNNakerWarning
from .pynn import adapted

CORRECTED_BY = "on_twin.Twin"
"""What :mod:`pynn_model.conventions` has to do to get its convention from this module."""

_Engine = type("Engine", (TwinEngine,), {})
globals().update(
    adapted(declare(__name__, "spinnaker-twin", _Engine, cell_types=("IF_curr_exp",)), _Engine)
)

__all__ = ["CORRECTED_BY", "SpiNNakerWarning"]
