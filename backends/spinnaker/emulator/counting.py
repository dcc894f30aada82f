"""Counting the instructions that a core executes: its clock, and a bound of its time.

A core of SpiNNaker does 200 million cycles a second, an instruction takes one or more. Unicorn
calls a hook at every basic block; written in Python that would cost more than the emulation, so
it is compiled (numba). The count also bounds how long a core runs without a break.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engine import Engine, stop_function

CYCLES_PER_US = 200
INSTRUCTION_BYTES = 4
DONE, LIMIT, SLOTS = 0, 1, 2
"""Places in a core's counter: instructions so far; the count at which it is interrupted."""


@cache
def _block_hook() -> Any:
    """The compiled hook: (engine, address, bytes of the block, pointer to the counter)."""
    numba: Any = importlib.import_module("numba")
    stop, carray = stop_function(), numba.carray
    signature = "void(voidptr, uint64, uint32, CPointer(int64))"

    @numba.cfunc(signature)  # type: ignore[untyped-decorator]
    def count(engine: Any, address: Any, size: Any, pointer: Any) -> None:
        counter = carray(pointer, SLOTS)
        if counter[DONE] >= counter[LIMIT]:
            stop(engine)
        else:
            counter[DONE] += size // INSTRUCTION_BYTES

    return count


def install(engine: Engine, counter: NDArray[np.int64]) -> None:
    """Let an engine count its instructions in counter[DONE] and stop at counter[LIMIT]."""
    engine.hook_blocks(_block_hook().address, counter.ctypes.data)


def prepare() -> None:
    """Compile now what is needed later: before worker processes are made, once for all."""
    _block_hook()


@dataclass
class Use:
    """What a core needed of its ticks."""

    period: int = 0
    """Cycles between two ticks, as many as instructions at best."""
    ticks: int = 0
    total: int = 0
    most: int = 0
    busiest: int = 0
    """The tick (of the board's) that needed most."""
    overruns: int = 0
    """Ticks with more instructions than cycles: a real core would have come late."""
    now: int = 0
    """Instructions in the present tick."""

    def close(self, tick: int) -> None:
        """The tick is over."""
        self.ticks += 1
        self.total += self.now
        self.overruns += self.now > self.period
        if self.now > self.most:
            self.most, self.busiest = self.now, tick
        self.now = 0


@dataclass
class Meter:
    """Instructions of each core in each tick, against the time it has."""

    ticks: int = 0
    cores: dict[tuple[int, int, int], Use] = field(default_factory=dict)
    _ticking: Sequence[tuple[int, int, int]] = ()

    def period(self, place: tuple[int, int, int], cycles: int) -> None:
        """A core begins to tick with this period."""
        self.cores[place] = replace(self.cores.get(place, Use()), period=cycles, now=0)

    def tick(self, places: Sequence[tuple[int, int, int]]) -> None:
        """A tick of these cores begins, and their last one is over."""
        self.over()
        self.ticks += 1
        self._ticking = places

    def over(self) -> None:
        """The tick is over."""
        for place in self._ticking:
            self.cores[place].close(self.ticks)
        self._ticking = ()

    def ran(self, place: tuple[int, int, int], instructions: int) -> None:
        if place in self.cores:
            self.cores[place].now += instructions

    def report(self) -> dict[str, Any]:
        """{"x,y,core": {"cycles": of a tick, "ticks", "mean", "most" (instructions of a tick),
        "busiest" (which tick), "overruns" (ticks with more instructions than cycles)}}."""
        return {
            ",".join(map(str, place)): {
                "cycles": use.period,
                "ticks": use.ticks,
                "mean": use.total / use.ticks,
                "most": use.most,
                "busiest": use.busiest,
                "overruns": use.overruns,
            }
            for place, use in sorted(self.cores.items())
            if use.ticks
        }

    def warnings(self) -> list[str]:
        """A sentence for each core that had ticks with more instructions than cycles."""
        return [
            "core {} of chip {},{}: {} of {} ticks need more than the {:g} µs there are; tick {} "
            "takes {:.0f} µs at least (a real machine would fall behind)".format(
                *(core, x, y, use.overruns, use.ticks, use.period / CYCLES_PER_US),
                *(use.busiest, use.most / CYCLES_PER_US),
            )
            for (x, y, core), use in sorted(self.cores.items())
            if use.overruns
        ]
