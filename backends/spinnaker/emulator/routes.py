"""The routing table of a chip's router, as the host loads and reads it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .scp import Request
from .seam import ROUTER, SYSTEM_VARIABLES, Chips, word

ENTRIES = 1024
"""Entries of the router; the first is the machine's own."""
COPY = SYSTEM_VARIABLES + 0xD4
"""Where the copy of the table is that a host can read."""
EMPTY = 0xFF000000
"""The route of an entry that is not in use."""
CLEAR, LOAD, FIXED_ROUTE = 0, 2, 3
POINT_TO_POINT = ROUTER + 0x10000
_COLUMN = 128
"""Bytes of the point-to-point table for one x: 3 bits a chip, 8 chips a word."""
_LOADED = struct.Struct("<2H3I")
_STORED = struct.Struct("<H2B3I")
_NOWHERE, _HERE = 0b110, 0b111

NEIGHBOURS = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1))
"""What the six links of a chip add to x and y: east, north-east, north and so on."""


@dataclass(frozen=True)
class Entry:
    key: int
    mask: int
    route: int
    app_id: int


class RoutingTable:
    """The entries of one chip, by their number. 0 stays free, as a number it means failure."""

    def __init__(self, chips: Chips, x: int, y: int) -> None:
        self._chips, self._x, self._y = chips, x, y
        self._entries: dict[int, Entry] = {}
        self._reserved: dict[int, int] = {}
        self.fixed_route = 0
        self._copy = word(chips, x, y, COPY)
        self._show(range(ENTRIES))

    @property
    def free(self) -> int:
        return ENTRIES - 1 - len(self._reserved)

    def allocate(self, count: int, app_id: int) -> int:
        """The number of the first of `count` free entries in a row; 0 if there are none."""
        run = 0
        for number in range(1, ENTRIES):
            run = 0 if number in self._reserved else run + 1
            if run == count:
                first = number - count + 1
                self._reserved.update(dict.fromkeys(range(first, number + 1), app_id))
                return first
        return 0

    def load(self, request: Request) -> bool:
        """Take the entries that the host has put into memory; whether they were allocated."""
        count, app_id = request.word1 >> 16, request.word1 >> 8 & 0xFF
        first = request.word3
        if any(number not in self._reserved for number in range(first, first + count)):
            return False
        content = self._chips.read(self._x, self._y, 0, request.word2, count * _LOADED.size)
        for at, _, route, key, mask in _LOADED.iter_unpack(content):
            self._entries[first + at] = Entry(key, mask, route, app_id)
        self._changed(range(first, first + count))
        return True

    def clear(self) -> None:
        gone = list(self._entries)
        self._entries.clear()
        self._reserved.clear()
        self._changed(gone)

    def free_app(self, app_id: int) -> None:
        gone = [number for number, owner in self._reserved.items() if owner == app_id]
        for number in gone:
            del self._reserved[number]
            self._entries.pop(number, None)
        if gone:
            self._changed(gone)

    def _changed(self, numbers: range | list[int]) -> None:
        self._show(numbers)
        entries = [self._entries[number] for number in sorted(self._entries)]
        self._chips.set_routes(self._x, self._y, [(e.key, e.mask, e.route) for e in entries])

    def _show(self, numbers: range | list[int]) -> None:
        """Write entries into the copy that a host can read."""
        none = Entry(0xFFFFFFFF, 0, EMPTY, 0)
        for number in numbers:
            e = self._entries.get(number, none)
            stored = _STORED.pack(0, e.app_id, 0, e.route, e.key, e.mask)
            self._chips.write(self._x, self._y, 0, self._copy + number * _STORED.size, stored)


def point_to_point(chips: Chips, address: int, length: int) -> bytes:
    """That part of the table of chip 0, 0 by which a host learns which chips there are."""
    content = bytearray()
    first = (address - POINT_TO_POINT) // 4
    for number in range(first, first + (length + 3) // 4):
        x, y = divmod(number, _COLUMN // 4)
        places = [(x, 8 * y + k) for k in range(8)]
        routes = [_towards(*place) if place in chips.chips else _NOWHERE for place in places]
        content += struct.pack("<I", sum(route << 3 * k for k, route in enumerate(routes)))
    return bytes(content[:length])


def _towards(x: int, y: int) -> int:
    """The link of chip 0, 0 that leads to x, y."""
    if (x, y) == (0, 0):
        return _HERE
    return NEIGHBOURS.index((min(x, 1), min(y, 1)))


def parent_link(x: int, y: int) -> int:
    """The link that leads back towards chip 0, 0; on that itself a number that is no link."""
    if (x, y) == (0, 0):
        return _HERE
    return NEIGHBOURS.index((-min(x, 1), -min(y, 1)))
