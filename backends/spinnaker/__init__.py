"""SpiNNaker: what it cannot do, and what a run costs on it. Needs neither it nor sPyNNaker."""

from .check import reasons, reasons_in_software, unchecked
from .cost import Cost, cost

__all__ = ["Cost", "cost", "reasons", "reasons_in_software", "unchecked"]
