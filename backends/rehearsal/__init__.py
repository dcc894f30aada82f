"""The EBRAINS queue on this machine, to rehearse with: no network, no account.

A server on loopback that behaves as the real one was seen to, a provider that takes jobs from it
through its API and runs them with another simulator in the place of SpiNNaker, and a switchboard
that makes them misbehave. Needs backends/rehearsal/requirements.txt.
"""

from __future__ import annotations

from .handle import Rehearsal
from .hostile import Request

__all__ = ["Rehearsal", "Request"]
