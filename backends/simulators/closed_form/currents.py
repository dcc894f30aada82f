"""The injected currents of a population, in a form that compiled code reads step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pynn_model.conventions.sources import Drive

from ..common.network import Floats, Integers
from .compiled import compiled


class Currents(NamedTuple):
    """Who receives what: a cell has parts, a part is a current that changes at given steps.

    cell_begin (size + 1) into parts_of_cells; part_start and part_amplitude: where the steps and
    the amplitudes (nA) of a part begin in start and amplitude; part_length: how many it has.
    cursor: for each entry of parts_of_cells, how many of its steps have begun. group (size): cells
    of one group receive the same; -1 where there is nothing.
    """

    cell_begin: Integers
    parts_of_cells: Integers
    part_start: Integers
    part_amplitude: Integers
    part_length: Integers
    start: Integers
    amplitude: Floats
    cursor: Integers
    group: Integers


def currents(size: int, drives: Sequence[Drive]) -> Currents:
    """The currents of a population of `size` cells."""
    parts = {id(part): part for drive in drives for part in drive.parts}
    number = {key: k for k, key in enumerate(parts)}
    starts = {id(part.start): part.start for part in parts.values()}
    place, total = {}, 0
    for key, start in starts.items():
        place[key] = total
        total += len(start)
    lengths = np.array([len(part.start) for part in parts.values()], np.int64)
    received: list[list[int]] = [[] for _ in range(size)]
    group = np.full(size, -1, np.int64)
    for k, drive in enumerate(drives):
        of_it = [number[id(part)] for part in drive.parts]
        group[drive.indices] = k
        for cell in drive.indices.tolist():
            received[cell] = of_it
    counts = np.array([len(of_it) for of_it in received], np.int64)
    flat = np.array([p for of_it in received for p in of_it], np.int64)
    return Currents(
        cell_begin=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        parts_of_cells=flat,
        part_start=np.array([place[id(p.start)] for p in parts.values()], np.int64),
        part_amplitude=np.concatenate(([0], np.cumsum(lengths)))[:-1].astype(np.int64),
        part_length=lengths,
        start=np.concatenate([np.empty(0, np.int64), *starts.values()]).astype(np.int64),
        amplitude=np.concatenate([np.empty(0), *(p.amplitude for p in parts.values())]),
        cursor=np.zeros(len(flat), np.int64),
        group=group,
    )


@compiled
def fill(currents: Any, cell: int, first: int, count: int, out: Any) -> None:
    """The sum of a cell's currents in each of `count` steps from `first` on, nA, into `out`.

    Steps are asked for in order: the cursors only go on.
    """
    for k in range(count):
        out[k] = 0.0
    for entry in range(currents.cell_begin[cell], currents.cell_begin[cell + 1]):
        part = currents.parts_of_cells[entry]
        start = currents.part_start[part]
        amplitude = currents.part_amplitude[part]
        length = currents.part_length[part]
        begun = currents.cursor[entry]
        k = 0
        while k < count:
            while begun < length and currents.start[start + begun] <= first + k:
                begun += 1
            end = count
            if begun < length:
                end = min(count, currents.start[start + begun] - first)
            if begun > 0:
                value = currents.amplitude[amplitude + begun - 1]
                for i in range(k, end):
                    out[i] += value
            k = end
        currents.cursor[entry] = begun
