"""Where multicast packets go: the routing tables of the chips and the links between them.

An entry matches a packet whose key, masked, is the entry's key; the first that matches tells the
links and cores. Where none does, a packet that came over a link leaves on the opposite side, and
one from a core is dropped. (SpiNNaker datasheet, chapter 10.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .memory import CORES, ROUTER_BASE, ChipMemory

Chip = tuple[int, int]
Place = tuple[int, int, int]
"""x, y and core."""

ENTRIES = 1024
ROUTES, KEYS, MASKS = ROUTER_BASE + 0x4000, ROUTER_BASE + 0x8000, ROUTER_BASE + 0xC000
COUNTERS = ROUTER_BASE + 0x300
TABLES = range(ROUTES, MASKS + 4 * ENTRIES)
LINKS: tuple[Chip, ...] = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1))
NEVER = (0xFFFFFFFF, 0, 0)
"""An entry (key, mask, route) that matches nothing."""
LONGEST = 64
"""Chips on a way; a packet that has passed more goes round in circles."""


class Counter:
    """Which of a router's counters counts what."""

    LOCAL, EXTERNAL, DROPPED = 0, 1, 8


@dataclass(frozen=True, eq=False)
class Way:
    """What becomes of a packet: the cores it reaches, and the counters that notice it."""

    cores: tuple[Place, ...]
    counted: tuple[tuple[Chip, int], ...]


@dataclass
class Table:
    """A chip's routing table."""

    keys: NDArray[np.uint32]
    masks: NDArray[np.uint32]
    routes: NDArray[np.uint32]

    @classmethod
    def of(cls, memory: ChipMemory) -> Table:
        keys, masks, routes = (
            np.frombuffer(memory.read(0, base, 4 * ENTRIES), "<u4")
            for base in (KEYS, MASKS, ROUTES)
        )
        used = np.flatnonzero((keys & ~masks) == 0)
        return cls(keys[used], masks[used], routes[used])

    def route(self, key: int) -> int | None:
        """The first entry's links (bits 0 to 5) and cores (bit 6 is core 0)."""
        found = np.flatnonzero((np.uint32(key) & self.masks) == self.keys)
        return int(self.routes[found[0]]) if len(found) else None


class Router:
    """The routers of all chips together."""

    def __init__(self, memories: Mapping[Chip, ChipMemory]) -> None:
        self._memories = memories
        self._tables: dict[Chip, Table] = {}
        self._ways: dict[tuple[Chip, int], Way] = {}
        self._passed: dict[Way, int] = {}
        for chip in memories:
            self.set(chip, ())

    def set(self, chip: Chip, entries: Sequence[tuple[int, int, int]]) -> None:
        """Load a chip's table: (key, mask, route), first match first. Raises ValueError."""
        if len(entries) > ENTRIES:
            raise ValueError(f"a router has {ENTRIES} entries, not {len(entries)}")
        rows = np.array([*entries, *[NEVER] * (ENTRIES - len(entries))], dtype="<u4")
        memory = self._memories[chip]
        for base, column in zip((KEYS, MASKS, ROUTES), rows.T, strict=True):
            memory.write(0, base, np.ascontiguousarray(column).tobytes())
        self.forget()

    def get(self, chip: Chip) -> list[tuple[int, int, int]]:
        """The entries of a chip that can match: (key, mask, route)."""
        table = Table.of(self._memories[chip])
        columns = (table.keys.tolist(), table.masks.tolist(), table.routes.tolist())
        return list(zip(*columns, strict=True))

    def forget(self) -> None:
        """The tables may have been changed in memory."""
        self._tables.clear()
        self._ways.clear()

    def way(self, chip: Chip, key: int) -> Way:
        """Where a packet goes that a core of this chip sends."""
        known = self._ways.get((chip, key))
        if known is None:
            known = self._ways[chip, key] = self._find(chip, key)
        return known

    def pass_on(self, chip: Chip, key: int) -> tuple[Place, ...]:
        """The cores that a packet of a core of this chip reaches; the counters will tell of it."""
        way = self.way(chip, key)
        self._passed[way] = self._passed.get(way, 0) + 1
        return way.cores

    def count(self) -> None:
        """Write into the routers' counters what has passed."""
        counted: dict[tuple[Chip, int], int] = {}
        for way, times in self._passed.items():
            for counter in way.counted:
                counted[counter] = counted.get(counter, 0) + times
        self._passed.clear()
        for (chip, number), times in counted.items():
            memory, address = self._memories[chip], COUNTERS + 4 * number
            memory.set_word(address, memory.word(address) + times & 0xFFFFFFFF)

    def _find(self, start: Chip, key: int) -> Way:
        cores: list[Place] = []
        counted: list[tuple[Chip, int]] = []
        going: list[tuple[Chip, int | None, int]] = [(start, None, 0)]
        while going:
            chip, link, steps = going.pop(0)
            counted.append((chip, Counter.LOCAL if link is None else Counter.EXTERNAL))
            route = self._table(chip).route(key)
            if route is None:
                route = 0 if link is None else 1 << link
            out = [n for n in range(len(LINKS)) if route >> n & 1]
            cores += [(*chip, n) for n in range(CORES) if route >> (len(LINKS) + n) & 1]
            for n in out:
                following = (chip[0] + LINKS[n][0], chip[1] + LINKS[n][1])
                if following in self._memories and steps < LONGEST:
                    going.append((following, n, steps + 1))
                else:
                    counted.append((chip, Counter.DROPPED))
            if route == 0:
                counted.append((chip, Counter.DROPPED))
        return Way(tuple(dict.fromkeys(cores)), tuple(counted))

    def _table(self, chip: Chip) -> Table:
        if chip not in self._tables:
            self._tables[chip] = Table.of(self._memories[chip])
        return self._tables[chip]
