"""Advancing one population through one run: blocks of neurons, pieces of time.

Neurons whose numbers cannot leave int32, with a current in common, go through the quick kernel; the
others, and those with a current of their own, through the careful one. The arithmetic is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backends.simulators.common import Cells, Output, Progress

from ..arithmetic import ONE, Raw, decode
from ..parameters import Device
from .currents import Currents, Group, add_noise

BLOCK = 512
"""Neurons that are advanced together, over as many ticks as fill about SPIKES spikes at most."""
SPIKES = 2**19
OWN = 2**17
"""Neurons × ticks advanced together where each neuron has its own current."""


@dataclass
class State:
    """What a population's cores keep from tick to tick: numbers of a core, (size,) each."""

    v: Any
    refract: Any
    exc: Any
    inh: Any


@dataclass
class Stretch:
    """One population in one run: what to compute, and what has come out so far."""

    cells: Cells
    device: Device
    state: State
    currents: Currents
    first: int
    last: int
    ticks: list[Any] = field(default_factory=list)
    neurons: list[Any] = field(default_factory=list)
    wrapped: Raw = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        self.wrapped = np.zeros(self.cells.size, np.int64)
        sampled = self.cells.record.get("v")
        self.every = sampled.every if sampled else 1
        self.sampled = sampled.indices if sampled else np.empty(0, np.int64)
        self.begin = -(-self.first // self.every)
        rows = -(-self.last // self.every) - self.begin
        self.samples = np.zeros((max(rows, 0), len(self.sampled)), np.int32)

    def rows(self, first: int, last: int) -> slice:
        """Which rows of the samples the ticks first .. last − 1 make."""
        return slice(-(-first // self.every) - self.begin, -(-last // self.every) - self.begin)

    def output(self, timestep: float) -> Output:
        """Spikes stamped with the tick they are in, v in mV."""
        ticks = np.concatenate([np.empty(0, np.int32), *self.ticks])
        neurons = np.concatenate([np.empty(0, np.int64), *self.neurons])
        samples = {"v": decode(self.samples)} if "v" in self.cells.record else {}
        times = np.arange(self.first, self.last) * timestep  # to the last bit as sPyNNaker has them
        return Output(times[ticks - self.first], neurons, samples)


def advance(stretch: Stretch, told: Progress) -> None:
    """Compute the stretch."""
    noisy = np.zeros(stretch.cells.size, bool)
    for noise in stretch.currents.noises:
        noisy[noise.cells] = True
    own: list[tuple[Group, Raw]] = []
    blocks = []
    for group in stretch.currents.groups:
        quiet = group.cells[~noisy[group.cells]]
        safe = _safe(stretch, quiet, group.largest())
        blocks += [(group, part) for part in _blocks(quiet[safe])]
        rest = np.concatenate((quiet[~safe], group.cells[noisy[group.cells]]))
        if len(rest):
            own.append((group, rest))
    parts = len(blocks) + bool(own)
    for number, (group, cells) in enumerate(blocks):
        _shared(stretch, group, cells)
        told((number + 1) / parts)
    if own:
        _own(stretch, own)
        told(1.0)


def _blocks(cells: Raw) -> list[Raw]:
    return [cells[k : k + BLOCK] for k in range(0, len(cells), BLOCK)]


def _safe(stretch: Stretch, cells: Raw, largest: int) -> Any:
    """For each of the cells, whether no number of theirs can leave int32, and no synapse acts."""
    d, state = stretch.device, stretch.state
    x = largest + np.abs(d.i_offset[cells])
    # In floats, which are wide enough to say "far below 2^31".
    alpha = x * np.abs(d.resistance[cells]).astype(float) / ONE + np.abs(d.v_rest[cells]) + 1
    v = np.maximum(np.abs(state.v[cells].astype(np.int64)), np.abs(d.v_reset[cells]))
    v = np.maximum(v, alpha) + 1
    decay = d.decay[cells]
    return (
        (x < 2**31)
        & (alpha + v < 2**31 - 2**10)
        & (decay >= 0)
        & (decay <= ONE)
        & (state.exc[cells] == 0)
        & (state.inh[cells] == 0)
    )


def _numbers(device: Device, cells: Raw) -> Any:
    of_it = device.take(cells)
    return tuple(
        column.astype(np.int32)
        for column in (
            of_it.resistance,
            of_it.decay,
            of_it.v_rest,
            of_it.v_reset,
            of_it.v_thresh,
            of_it.i_offset,
            of_it.refractory,
        )
    )


def _columns(stretch: Stretch, cells: Raw) -> tuple[Any, Any]:
    """(places in `cells` of those that are sampled, their columns in the samples)."""
    columns = np.flatnonzero(np.isin(stretch.sampled, cells))
    order = np.argsort(cells)
    places = order[np.searchsorted(cells, stretch.sampled[columns], sorter=order)]
    return places, columns


def _shared(stretch: Stretch, group: Group, cells: Raw) -> None:
    """A block of neurons with one current between them."""
    from . import kernels

    numbers = _numbers(stretch.device, cells)
    v, refract = stretch.state.v[cells], stretch.state.refract[cells]
    places, columns = _columns(stretch, cells)
    size = len(cells)
    chunk = max(SPIKES // size, 1)
    mask = np.zeros(-(-size // 8) * 8, np.uint8)
    room = min(chunk, stretch.last - stretch.first) * size + 8
    ticks, fired = np.empty(room, np.int32), np.empty(room, np.int32)
    for first in range(stretch.first, stretch.last, chunk):
        last = min(first + chunk, stretch.last)
        current = group.current(first, last).astype(np.int32)
        rows = stretch.rows(first, last)
        samples = np.empty((rows.stop - rows.start, len(places)), np.int32)
        arguments = [
            first,
            current,
            *numbers,
            v,
            refract,
            stretch.every,
            places,
            samples,
            mask,
            ticks,
            fired,
        ]
        count = kernels.shared_current(*arguments)
        stretch.samples[rows, columns] = samples
        stretch.ticks.append(ticks[:count].copy())
        stretch.neurons.append(cells[fired[:count]])
    stretch.state.v[cells], stretch.state.refract[cells] = v, refract


def _own(stretch: Stretch, groups: list[tuple[Group, Raw]]) -> None:
    """Neurons with currents of their own, or with numbers that may wrap."""
    from . import kernels

    cells = np.concatenate([part for _, part in groups])
    ends = np.cumsum([len(part) for _, part in groups])
    place = np.full(stretch.cells.size, -1, np.int64)
    place[cells] = np.arange(len(cells))
    numbers = _numbers(stretch.device, cells)
    decays = [stretch.device.decay_exc[cells], stretch.device.decay_inh[cells]]
    s = stretch.state
    states: Any = [s.v[cells], s.refract[cells], s.exc[cells], s.inh[cells]]
    wrapped = np.zeros(len(cells), np.int64)
    places, columns = _columns(stretch, cells)
    chunk = max(OWN // len(cells), 1)
    ticks = np.empty(min(chunk, stretch.last - stretch.first) * len(cells), np.int32)
    fired = np.empty(len(ticks), np.int32)
    for first in range(stretch.first, stretch.last, chunk):
        last = min(first + chunk, stretch.last)
        current = np.empty((last - first, len(cells)), np.int64)
        for (group, part), end in zip(groups, ends.tolist(), strict=True):
            current[:, end - len(part) : end] = group.current(first, last)[:, None]
        for noise in stretch.currents.noises:
            add_noise(noise, place, current, first)
        rows = stretch.rows(first, last)
        samples = np.empty((rows.stop - rows.start, len(places)), np.int32)
        arguments = [
            first,
            current,
            *numbers,
            *decays,
            *states,
            stretch.every,
            places,
            samples,
            wrapped,
            ticks,
            fired,
        ]
        count = kernels.own_currents(*arguments)
        stretch.samples[rows, columns] = samples
        stretch.ticks.append(ticks[:count].copy())
        stretch.neurons.append(cells[fired[:count]])
    s.v[cells], s.refract[cells], s.exc[cells], s.inh[cells] = states
    stretch.wrapped[cells] += wrapped
