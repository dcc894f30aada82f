"""Population, PopulationView and Assembly: parameters and states as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyNN import common, errors
from pyNN.parameters import LazyArray, ParameterSpace, simplify

from pynn_model.conventions.sources import Drive

from .cells import SOURCES, check_values
from .network import Cells, Floats, Unsupported


class ID(int, common.IDMixin):  # type: ignore[misc]
    """One cell."""

    def __init__(self, n: int) -> None:
        int.__init__(n)
        common.IDMixin.__init__(self)


class Assembly(common.Assembly):  # type: ignore[misc]
    """Several populations or views as one."""

    @property
    def receptor_types(self) -> list[str]:
        """Those that all have, in their order; PyNN's own is that of a set.

        The first one is the default of a Projection.
        """
        first, *others = [p.celltype.receptor_types for p in self.populations]
        return [name for name in first if all(name in other for other in others)]


class _Parameters:
    """Reading and setting parameters and states, the same for a population and a view."""

    size: int
    celltype: Any

    def _place(self) -> tuple[Population, Any]:
        """The population that these cells belong to, and where they are in it."""
        raise NotImplementedError

    def _get_parameters(self, *names: str) -> ParameterSpace:
        return self._get_native_parameters(*names)

    def _get_native_parameters(self, *names: str) -> ParameterSpace:
        population, inside = self._place()
        for name in names:
            if name not in population.parameters:
                raise errors.NonExistentParameterError(
                    name, type(self.celltype).__name__, list(population.parameters)
                )
        found = {name: simplify(population.parameters[name][inside]) for name in names}
        return ParameterSpace(found, shape=(self.size,))

    def _set_parameters(self, parameter_space: ParameterSpace) -> None:
        population, inside = self._place()
        parameter_space.shape = (self.size,)
        parameter_space.evaluate(simplify=False)
        given = parameter_space.as_dict()
        check_values(type(self.celltype).__name__, given)
        for name, values in given.items():
            population.parameters[name][inside] = values

    def _get_view(self, selector: Any, label: str | None = None) -> Any:
        return self._view_class(self, selector, label)  # type: ignore[attr-defined]


class PopulationView(_Parameters, common.PopulationView):  # type: ignore[misc]
    """Some cells of a population."""

    def _place(self) -> tuple[Population, Any]:
        return self.grandparent, np.asarray(self.index_in_grandparent(np.arange(self.size)))

    @property
    def _view_class(self) -> type:
        return type(self)

    def initialize(self, **initial_values: Any) -> None:
        """Set state variables of these cells; mV, nA."""
        population, inside = self._place()
        for variable, value in initial_values.items():
            population.require_state(variable)
            whole = population.initial_values[variable]
            values = np.array(np.broadcast_to(whole.evaluate(), population.size), dtype=float)
            given = LazyArray(value, shape=(self.size,), dtype=float).evaluate()
            values[inside] = given
            population.initial_values[variable] = LazyArray(values, dtype=float)
            population.assign(variable, inside, given)


class Population(_Parameters, common.Population):  # type: ignore[misc]
    """Cells of one type."""

    _view_class: type
    parameters: dict[str, Any]

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        state = self._simulator.state
        if state.injections is None:
            raise Unsupported("call setup() before a Population is made")
        if state.began:
            raise Unsupported("a Population cannot be added between run() and reset()")
        super().__init__(*arguments, **keywords)
        self.number = len(state.populations)
        state.populations.append(self)

    @property
    def is_source(self) -> bool:
        """Whether these are spike sources, which have no membrane."""
        return type(self.celltype).__name__ in SOURCES

    def _place(self) -> tuple[Population, Any]:
        return self, slice(None)

    def _create_cells(self) -> None:
        if self.size < 1:
            raise Unsupported(f"a Population needs at least one cell, not {self.size}")
        state = self._simulator.state
        first = state.id_counter
        cells = np.empty(self.size, dtype=object)
        for k in range(self.size):
            cells[k] = ID(first + k)
            cells[k].parent = self
        self.all_cells = cells
        self._mask_local = np.ones(self.size, bool)
        state.id_counter += self.size
        space = self.celltype.native_parameters
        space.shape = (self.size,)
        space.evaluate(simplify=False)
        self.parameters = {name: np.array(values) for name, values in space.as_dict().items()}
        check_values(type(self.celltype).__name__, self.parameters)
        self._assigned: dict[str, Floats] = {}

    # --- states

    def require_state(self, variable: str) -> None:
        """Raise Unsupported unless the cells have that state variable."""
        states = type(self.celltype).default_initial_values
        if variable not in states:
            raise Unsupported(
                f"{type(self.celltype).__name__} has no state variable {variable!r} to initialize"
                f"; it has {', '.join(states) or 'none'}"
            )

    def _set_initial_value_array(self, variable: str, value: LazyArray) -> None:
        self.require_state(variable)
        self.assign(variable, slice(None), value.evaluate())

    def _set_cell_initial_value(self, cell: ID, variable: str, value: float) -> None:
        index = self.id_to_index(cell)
        self[index : index + 1].initialize(**{variable: value})

    def assign(self, variable: str, cells: Any, values: Any) -> None:
        """Let the state variable of some cells have these values when the next run begins."""
        if not np.all(np.isfinite(values)):
            raise Unsupported(f"{self.label}: the initial {variable} must be a finite number")
        assigned = self._assigned.setdefault(variable, np.full(self.size, np.nan))
        assigned[cells] = values

    def restart(self) -> None:
        """Every state variable to its initial value when the next run begins."""
        for variable, value in self.initial_values.items():
            self.assign(variable, slice(None), value.evaluate())

    def taken(self) -> None:
        """The engine has what was assigned."""
        self._assigned = {}

    # --- for the engine

    def description(self, drives: list[Drive]) -> Cells:
        """This population as arrays."""
        return Cells(
            label=self.label,
            cell_type=type(self.celltype).__name__,
            size=self.size,
            parameters=self.parameters,
            assigned=self._assigned,
            drives=drives,
            record=self.recorder.sampled(),
        )
