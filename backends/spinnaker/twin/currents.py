"""The currents of a population's neurons in one stretch, as its cores inject them.

A core reads its sources for one neuron after the other. Where that makes no difference between
neurons, a current is *shared*: a row of numbers for all that have the same sources. A step source
that advances in the middle of a tick, and noise, make *own* currents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arithmetic import Raw
from ..gaussian import table
from .sources import ACSource, DCSource, NoisyCurrentSource, Source, StepCurrentSource

Track = tuple[Raw, Raw]
"""A current that changes in steps: from tick start[i] on it is amplitude[i], before it is 0; of
equal starts the last counts."""


@dataclass(frozen=True)
class Cursor:
    """How far a core's cursor came in a step source's array during a stretch.

    ticks, calls: when each entry was read: in the call of which of the source's neurons. late: how
    many entries did not act on all of them from their tick on. exhausted: the tick after which it
    read past the end.
    """

    ticks: Raw
    calls: Raw
    amplitudes: Raw
    late: int
    exhausted: int | None

    @property
    def uneven(self) -> bool:
        """Whether neurons on the core get different currents in some tick."""
        return bool(np.any(self.calls > 0))

    def track(self, call: int) -> Track:
        """The current of the source's neuron number `call` on the core."""
        return self.ticks + (self.calls > call), self.amplitudes


def cursor(source: StepCurrentSource, calls: int, first: int, last: int) -> Cursor:
    """Read the array from its beginning, as a core does when a run begins, for ticks first .. last.

    calls: how many neurons on the core have the source; each call reads one entry at most.
    """
    times = source.ticks
    if len(times) and times[0] >= first and np.all(times[1:] > times[:-1]):
        count = int(np.searchsorted(times, last))
        ticks, numbers = times[:count], np.zeros(count, np.int64)
    else:
        ticks, numbers = _one_by_one(times, calls, first, last)
        count = len(ticks)
    done = int(ticks[-1]) if count == len(times) and count else first
    return Cursor(
        ticks,
        numbers,
        source.amplitudes[:count],
        int(np.count_nonzero((ticks > times[:count]) | (numbers > 0))),
        done if count == len(times) else None,
    )


def _one_by_one(times: Raw, calls: int, first: int, last: int) -> tuple[Raw, Raw]:
    ticks, numbers = [], []
    tick, call = first, 0
    for time in times.tolist():
        if time > tick:
            tick, call = time, 0
        if tick >= last:
            break
        ticks.append(tick)
        numbers.append(call)
        call += 1
        if call == calls:
            tick, call = tick + 1, 0
    return np.array(ticks, dtype=np.int64), np.array(numbers, dtype=np.int64)


@dataclass
class Noise:
    """A noisy source on one core: cells in the order of their calls, its generator's state."""

    source: NoisyCurrentSource
    cells: Raw
    state: Any


@dataclass
class Group:
    """Neurons whose current is the sum of the same tracks and sines."""

    cells: Raw
    tracks: list[Track]
    waves: list[ACSource]

    def largest(self) -> int:
        """A bound of the current without its sign."""
        steps = sum(int(np.abs(a).max(initial=0)) for _, a in self.tracks)
        return steps + sum(w.offset + 2 * w.amplitude + 2 for w in self.waves)

    def current(self, first: int, last: int) -> Raw:
        """The exact sum in ticks first .. last − 1; a core wraps it."""
        ticks = np.arange(first, last)
        total = np.zeros(last - first, dtype=np.int64)
        for start, amplitude in self.tracks:
            place = np.searchsorted(start, ticks, side="right")
            total += np.append(0, amplitude)[place]
        for wave in self.waves:
            begin, end = wave.window(first, last)
            total[begin - first : end - first] += wave.at(np.arange(begin, end))
        return total


@dataclass
class Currents:
    """All currents of a population in a stretch. noisy: the cells with noise in their current."""

    groups: list[Group] = field(default_factory=list)
    noises: list[Noise] = field(default_factory=list)
    cursors: list[tuple[StepCurrentSource, Cursor]] = field(default_factory=list)


def cores(size: int, most: int) -> Iterator[tuple[int, int]]:
    """The first neuron of each core and the one behind its last."""
    for first in range(0, size, most):
        yield first, min(first + most, size)


def plan(sources: dict[Source, Raw], size: int, most: int, first: int, last: int) -> Currents:
    """The currents of `size` neurons, at most `most` on a core, in the ticks first .. last − 1."""
    found = Currents()
    parts: list[list[Any]] = [[] for _ in range(size)]
    for source, cells in sources.items():
        if isinstance(source, DCSource):
            begin, end = source.window(first, last)
            track = np.array([begin, end]), np.array([source.amplitude, 0])
            _give(parts, cells, track)
        elif isinstance(source, ACSource):
            _give(parts, cells, source)
        elif isinstance(source, StepCurrentSource):
            _give_steps(found, parts, source, cells, (size, most), (first, last))
        elif isinstance(source, NoisyCurrentSource):
            for low, high in cores(size, most):
                inside = cells[(cells >= low) & (cells < high)]
                if len(inside):
                    state = np.array(source.seed, dtype=np.uint64)
                    found.noises.append(Noise(source, np.sort(inside), state))
    together: dict[tuple[int, ...], list[int]] = {}
    for cell, of_it in enumerate(parts):
        together.setdefault(tuple(map(id, of_it)), []).append(cell)
    for group in together.values():
        of_it = parts[group[0]]
        waves = [part for part in of_it if isinstance(part, ACSource)]
        tracks = [part for part in of_it if not isinstance(part, ACSource)]
        found.groups.append(Group(np.array(group, dtype=np.int64), tracks, waves))
    return found


def _give(parts: list[list[Any]], cells: Raw, part: Any) -> None:
    for cell in cells.tolist():
        parts[cell].append(part)


def _give_steps(
    found: Currents,
    parts: list[list[Any]],
    source: StepCurrentSource,
    cells: Raw,
    layout: tuple[int, int],
    stretch: tuple[int, int],
) -> None:
    known: dict[int, tuple[Cursor, Track]] = {}
    for low, high in cores(*layout):
        inside = np.sort(cells[(cells >= low) & (cells < high)])
        if not len(inside):
            continue
        calls = len(inside)
        if calls not in known:
            read = cursor(source, calls, *stretch)
            known[calls] = read, read.track(0)
            found.cursors.append((source, read))
        read, track = known[calls]
        if read.uneven:
            for call, cell in enumerate(inside.tolist()):
                parts[cell].append(read.track(call))
        else:
            _give(parts, inside, track)


def add_noise(noise: Noise, place: Raw, current: Raw, first: int) -> None:
    """Add a core's noise to `current`, int64 (ticks, neurons), whose columns are place[cell]."""
    from . import kernels

    source = noise.source
    kernels.noise(
        first,
        current,
        place[noise.cells],
        source.start,
        source.stop,
        source.mean,
        source.deviation,
        noise.state,
        table(),
    )
