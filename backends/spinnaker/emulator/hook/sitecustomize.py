"""Read by Python as it starts, before the user's script: leads sPyNNaker to the emulated machine.

Nothing of sPyNNaker's is changed on disk, and of its code in memory only where it looks for its
configuration: instead of the user's file it reads the emulator's, and what names a machine or
gives it time is set last, so that a spynnaker.cfg beside the script cannot lead elsewhere. And a
run-time error of a core gets the sentences that the core has logged.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import logging
import os
import sys
from configparser import RawConfigParser
from types import ModuleType
from typing import Any

CONFIGURATION = "PYNN_SPINNAKER_EMULATOR"
"""The environment variable with the path of the emulator's configuration."""
HOLDER, LOADER = "spinn_utilities.config_holder", "spinn_utilities.conf_loader"
ERRORS = "spinn_front_end_common.interface.abstract_spinnaker_base"


class AfterImport(importlib.abc.MetaPathFinder):
    """Has something done to modules once they are loaded."""

    def __init__(self, actions: dict[str, Any]) -> None:
        self.actions = actions

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.actions:
            return None
        action = self.actions.pop(fullname)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        original = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            original(module)
            action(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def use(configuration: str) -> None:
    """Have sPyNNaker read this file in the place of the user's own, and last of all."""
    binding = RawConfigParser()
    with open(configuration, encoding="utf-8") as stream:
        binding.read_file(stream)

    def holder(module: Any) -> None:
        module._user_cfg = lambda: configuration

    def loader(module: Any) -> None:
        load = module.load_config

        def load_config(*arguments: Any, **named: Any) -> Any:
            loaded = load(*arguments, **named)
            for option, value in binding.items("Machine"):
                loaded.set("Machine", option, value)
            for option, value in binding.items("Mapping"):
                loaded.set("Mapping", option, value)
            return loaded

        module.load_config = load_config

    sys.meta_path.insert(0, AfterImport({HOLDER: holder, LOADER: loader}))


class Sentences(logging.Handler):
    """Gives the error that ended a run what the cores have logged about it.

    sPyNNaker logs the error first, then every core's sentences, and then raises the error.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.error: Exception | None = None

    def emit(self, record: logging.LogRecord) -> None:
        logged = getattr(record.msg, "message", record.msg)
        if isinstance(logged, Exception):
            self.error = logged
        elif self.error is not None and isinstance(logged, str) and logged.strip():
            first, *others = self.error.args or ("",)
            self.error.args = (f"{first}\n{logged.strip()}", *others)


def run_the_next_one() -> None:
    """Python reads one sitecustomize only: read the one that this hides."""
    here = os.path.dirname(os.path.abspath(__file__))
    places = [p for p in sys.path if os.path.abspath(p or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", places)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if CONFIGURATION in os.environ:
    use(os.environ[CONFIGURATION])
    logging.getLogger(ERRORS).addHandler(Sentences())
    run_the_next_one()
