"""What is recorded of a population in a stretch of simulation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..common.network import Cells, Floats, Integers
from .compiled import compiled
from .membrane import I_E, I_I, V


class Samples(NamedTuple):
    """Of v and the two synaptic currents: the cells (sorted) and (samples, cells) to fill.

    The sample of step k is in row k // every - row0.
    """

    v_cells: Integers
    v: Floats
    e_cells: Integers
    e: Floats
    i_cells: Integers
    i: Floats
    row0: int
    every: int

    def recorded(self, cells: Cells) -> dict[str, Floats]:
        """The samples by PyNN's name of the variable."""
        found = {"v": self.v, "isyn_exc": self.e, "isyn_inh": self.i}
        return {name: found[name] for name in cells.record}


def samples(cells: Cells, state: Floats, first: int, last: int) -> Samples:
    """Room for the samples from `first` to `last`; with the one of step 0, if it is among them."""
    every = next((wanted.every for wanted in cells.record.values()), 1)
    row0 = 0 if first == 0 else first // every + 1
    rows = last // every + 1 - row0
    places: list[Any] = []
    for name, variable in (("v", V), ("isyn_exc", I_E), ("isyn_inh", I_I)):
        wanted = cells.record.get(name)
        indices = np.empty(0, np.int64) if wanted is None else wanted.indices
        room = np.zeros((rows, len(indices)))
        if first == 0:
            room[0] = state[indices, variable]
        places += [indices, room]
    v_cells, v, e_cells, e, i_cells, i = places
    return Samples(v_cells, v, e_cells, e, i_cells, i, row0, every)


@compiled
def sample(samples: Any, at: Any, cell: int, step: int, s: Any) -> None:
    """Note the state of a cell at the point `step` of the grid, if that is to be recorded.

    Cells come in their order; at: (3,), how far in the lists of cells that are recorded.
    """
    if step % samples.every:
        return
    row = step // samples.every - samples.row0
    while at[0] < len(samples.v_cells) and samples.v_cells[at[0]] < cell:
        at[0] += 1
    if at[0] < len(samples.v_cells) and samples.v_cells[at[0]] == cell:
        samples.v[row, at[0]] = s[cell, V]
    while at[1] < len(samples.e_cells) and samples.e_cells[at[1]] < cell:
        at[1] += 1
    if at[1] < len(samples.e_cells) and samples.e_cells[at[1]] == cell:
        samples.e[row, at[1]] = s[cell, I_E]
    while at[2] < len(samples.i_cells) and samples.i_cells[at[2]] < cell:
        at[2] += 1
    if at[2] < len(samples.i_cells) and samples.i_cells[at[2]] == cell:
        samples.i[row, at[2]] = s[cell, I_I]
