"""PyNN's current sources: those of the convention, delivered by the simulator itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynn_model.conventions import sources

from .network import Unsupported


class _Live:
    """A source that may be changed at any time; the change counts from the next run on."""

    _simulator: Any
    defaults: dict[str, Any]

    @property
    def injections(self) -> sources.Injections:
        injections: sources.Injections | None = self._simulator.state.injections
        if injections is None:
            raise Unsupported("call setup() before a current source is made")
        return injections

    def set_parameters(self, **parameters: Any) -> None:
        self.__dict__["_setting"] = True
        try:
            # The steps of the times before are kept there, whatever the timestep was.
            sources.StepCurrentSource.last = (np.empty(0), np.empty(0))
            super().set_parameters(**parameters)  # type: ignore[misc]
        finally:
            self.__dict__["_setting"] = False
            self._simulator.state.currents = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.defaults and not self.__dict__.get("_setting", False):
            self.set_parameters(**{name: value})
        else:
            object.__setattr__(self, name, value)

    def inject_into(self, cells: Any) -> None:
        super().inject_into(cells)  # type: ignore[misc]
        self._simulator.state.currents = None


def source_classes(simulator: Any) -> dict[str, type]:
    """The four current sources of PyNN, by name."""
    kinds = (
        sources.StepCurrentSource,
        sources.DCSource,
        sources.ACSource,
        sources.NoisyCurrentSource,
    )
    return {
        kind.__name__: type(
            kind.__name__, (_Live, kind), {"_simulator": simulator, "__doc__": kind.__doc__}
        )
        for kind in kinds
    }
