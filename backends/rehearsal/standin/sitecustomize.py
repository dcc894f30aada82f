"""Read by Python as it starts, before the script of a job: what stands in for the machine.

``import pyNN.spiNNaker`` gets the PyNN module that PYNN_REHEARSAL_SYSTEM names; the conventions
know it by the origin of its spec. And the job ends with the provider: its process group is
killed by the system when the pipe PYNN_REHEARSAL_LIFELINE closes, however that came about.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import os
import select
import sys
from types import ModuleType
from typing import Any

NAME = "pyNN.spiNNaker"


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds pyNN.spiNNaker, and has its place taken by another module of PyNN."""

    def __init__(self, system: str) -> None:
        self.module = system if "." in system else "pyNN." + system

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != NAME:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=self.module)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[NAME] = importlib.import_module(self.module)


def hold_on_to(lifeline: int) -> None:
    """Let the system end the process group when the other end of the pipe is closed."""
    import fcntl

    os.set_inheritable(lifeline, False)
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([lifeline], [], [], 0)[0]:  # closed before the system was asked to tell
            os._exit(1)
        return
    import signal
    import threading

    def wait() -> None:
        os.read(lifeline, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


if "PYNN_REHEARSAL_LIFELINE" in os.environ:  # not in what the job itself starts
    hold_on_to(int(os.environ.pop("PYNN_REHEARSAL_LIFELINE")))
    if os.environ["PYNN_REHEARSAL_SYSTEM"] != "spiNNaker":
        sys.meta_path.insert(0, StandIn(os.environ["PYNN_REHEARSAL_SYSTEM"]))
