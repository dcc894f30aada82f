"""Projections of static synapses, kept as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyNN import common, errors
from pyNN.parameters import ParameterSpace
from pyNN.space import Space

from .network import Floats, Integers, Synapses, Unsupported


class Connection(common.Connection):  # type: ignore[misc]
    """One synapse of a projection."""

    def __init__(self, projection: Projection, k: int) -> None:
        self._projection = projection
        self._k = k
        self.presynaptic_index = int(projection.pre_indices[k])
        self.postsynaptic_index = int(projection.post_indices[k])

    @property
    def weight(self) -> float:
        """nA, or mV for delta synapses."""
        return float(self._projection.values["weight"][self._k])

    @weight.setter
    def weight(self, value: float) -> None:
        self._projection.values["weight"][self._k] = value

    @property
    def delay(self) -> float:
        """ms."""
        return float(self._projection.values["delay"][self._k])

    @delay.setter
    def delay(self, value: float) -> None:
        self._projection.values["delay"][self._k] = self._projection.on_grid(np.array([value]))[0]

    def as_tuple(self, *names: str) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in names)


class Projection(common.Projection):  # type: ignore[misc]
    """Synapses from one population, view or assembly to another.

    A delay is rounded to the timestep, as on every simulator of PyNN, and is at least one step.
    """

    _static_synapse_class: type

    def __init__(
        self,
        presynaptic_neurons: Any,
        postsynaptic_neurons: Any,
        connector: Any,
        synapse_type: Any = None,
        source: str | None = None,
        receptor_type: str | None = None,
        space: Any = None,
        label: str | None = None,
    ) -> None:
        if source is not None:
            raise Unsupported(f"Projection: source = {source!r}: cells here have only one")
        super().__init__(
            presynaptic_neurons,
            postsynaptic_neurons,
            connector,
            synapse_type,
            source,
            receptor_type,
            space or Space(),
            label,
        )
        self._made: list[tuple[Integers, int, dict[str, Any]]] = []
        connector.connect(self)
        self._join()
        self._simulator.state.projections.append(self)

    def _convergent_connect(
        self,
        presynaptic_indices: Any,
        postsynaptic_index: int,
        location_selector: Any = None,
        **parameters: Any,
    ) -> None:
        if location_selector is not None:
            raise Unsupported("Projection: location_selector: these cells are points")
        self._made.append((np.asarray(presynaptic_indices), int(postsynaptic_index), parameters))

    def _join(self) -> None:
        counts = [len(pre) for pre, _, _ in self._made]
        self.pre_indices: Integers = np.concatenate(
            [np.empty(0, np.int64), *(pre for pre, _, _ in self._made)]
        ).astype(np.int64)
        self.post_indices: Integers = np.repeat(
            np.array([post for _, post, _ in self._made], np.int64), counts
        )
        self.values: dict[str, Floats] = {}
        for name in ("weight", "delay"):
            parts = [
                np.broadcast_to(np.asarray(p[name], float), n)
                for (_, _, p), n in zip(self._made, counts, strict=True)
            ]
            self.values[name] = np.concatenate([np.empty(0), *parts])
        self._made = []
        self._check_weights(self.values["weight"])
        self.values["delay"] = self.on_grid(self.values["delay"])

    def on_grid(self, delays: Floats) -> Floats:
        """Delays as whole steps, in ms. Unsupported if one is out of range."""
        state = self._simulator.state
        if not np.all(np.isfinite(delays)):
            raise errors.ConnectionError(f"{self.label}: a delay is not a finite number")
        steps = np.rint(delays / state.dt)
        low = max(state.shortest_delay, state.dt)
        high = np.inf if state.max_delay == "auto" else float(state.max_delay)
        wrong = (steps * state.dt < low - 1e-9) | (steps * state.dt > high + 1e-9)
        if np.any(wrong):
            raise errors.ConnectionError(
                f"{self.label}: a delay of {delays[wrong][0]:g} ms is out of range: at least "
                f"{low:g} ms (one timestep, or min_delay of setup())"
                + ("" if np.isinf(high) else f", at most {high:g} ms (max_delay of setup())")
            )
        return np.asarray(np.round(steps * state.dt, 9))

    def _check_weights(self, weights: Floats) -> None:
        if not np.all(np.isfinite(weights)):
            raise errors.ConnectionError(f"{self.label}: a weight is not a finite number")
        sign = 1.0 if self.receptor_type == "excitatory" else -1.0
        if np.any(weights * sign < 0):
            raise errors.ConnectionError(
                f"{self.label}: weights of {self.receptor_type} synapses must be "
                f"{'at least' if sign > 0 else 'at most'} 0 for these current-based cells"
            )

    # --- reading and setting

    def __len__(self) -> int:
        return len(self.pre_indices)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [Connection(self, k) for k in range(*i.indices(len(self)))]
        if not -len(self) <= i < len(self):
            raise IndexError(f"{self.label} has {len(self)} synapses, there is no number {i}")
        return Connection(self, int(i) % len(self))

    @property
    def connections(self) -> list[Connection]:
        """The synapses, one by one."""
        return [Connection(self, k) for k in range(len(self))]

    def _set_attributes(self, parameter_space: ParameterSpace) -> None:
        parameter_space.evaluate(simplify=False)
        for name, matrix in parameter_space.items():
            found = np.asarray(matrix)[self.pre_indices, self.post_indices]
            if name == "weight":
                self._check_weights(found)
                self.values[name] = np.array(found, dtype=float)
            else:
                self.values[name] = self.on_grid(np.array(found, dtype=float))

    def _set_initial_value_array(self, variable: str, _: Any) -> None:
        raise Unsupported(f"StaticSynapse has no state variable {variable!r} to initialize")

    def _get_attributes_as_list(self, names: Any) -> list[tuple[Any, ...]]:
        columns = []
        for name in names:
            if name == "presynaptic_index":
                columns.append(self.pre_indices.tolist())
            elif name == "postsynaptic_index":
                columns.append(self.post_indices.tolist())
            else:
                columns.append(self.values[name].tolist())
        return list(zip(*columns, strict=True))

    # --- for the engine

    def synapses(self, place: dict[int, int]) -> list[Synapses]:
        """The synapses as arrays, one entry for each pair of populations."""
        delays = np.rint(self.values["delay"] / self._simulator.state.dt).astype(np.int64)
        found = []
        for pre, begin, end, pre_cells in _parts(self.pre):
            from_here = (self.pre_indices >= begin) & (self.pre_indices < end)
            for post, first, last, post_cells in _parts(self.post):
                here = from_here & (self.post_indices >= first) & (self.post_indices < last)
                if not np.any(here):
                    continue
                found.append(
                    Synapses(
                        place[id(pre)],
                        place[id(post)],
                        self.receptor_type,
                        pre_cells[self.pre_indices[here] - begin],
                        post_cells[self.post_indices[here] - first],
                        self.values["weight"][here],
                        delays[here],
                    )
                )
        return found


def _parts(cells: Any) -> list[tuple[Any, int, int, Integers]]:
    """(population, its indices here from, to, and each one's index in the population)."""
    found = []
    begin = 0
    for part in getattr(cells, "populations", [cells]):
        population, inside = part._place()
        indices = np.arange(population.size)[inside]
        found.append((population, begin, begin + part.size, indices))
        begin += part.size
    return found
