"""What a PyNN simulator module of this project is built from.

A module is one call of :func:`declare` with an engine. The engine gets the network as plain arrays
(:mod:`.network`) and returns spikes and samples; everything that PyNN asks for is here.
"""

from .module import declare
from .network import (
    Cells,
    Engine,
    Network,
    Output,
    Progress,
    Sampled,
    Source,
    Synapses,
    Unsupported,
)

__all__ = [
    "Cells",
    "Engine",
    "Network",
    "Output",
    "Progress",
    "Sampled",
    "Source",
    "Synapses",
    "Unsupported",
    "declare",
]
