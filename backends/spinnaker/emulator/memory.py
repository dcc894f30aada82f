"""The memory of a chip: SDRAM and system RAM that its cores share, and each core's own.

All of it is one anonymous mapping that the worker processes inherit, so that a core in any of
them, and the monitor in the main process, see the same bytes. The system takes pages for it only
where something has been written. Addresses: SpiNNaker datasheet 2.02, section 3.3; the second
address of a region is an alias of the first (unbuffered writes).
"""

from __future__ import annotations

import ctypes
import mmap
from dataclasses import dataclass
from functools import cache

CORES = 18
"""Cores of a chip; core 0 is the monitor processor."""

ITCM_BASE, ITCM_SIZE = 0x00000000, 0x8000
DTCM_BASE, DTCM_SIZE = 0x00400000, 0x10000
SDRAM_BASE, SDRAM_ALIAS, SDRAM_SIZE = 0x60000000, 0x70000000, 128 << 20
SYSRAM_BASE, SYSRAM_ALIAS, SYSRAM_SIZE = 0xE5000000, 0xF5000000, 0x8000
ROUTER_BASE, ROUTER_ALIAS, ROUTER_SIZE = 0xE1000000, 0xF1000000, 0x18000
"""The router's registers and tables; to the cores they are plain memory."""
CONTROL_SIZE = 0x1000
"""Of the emulator's own: what all cores of a chip know of each other (see `system`)."""


@dataclass(frozen=True)
class Region:
    """Where a stretch of addresses lies in a chip's mapping."""

    base: int
    size: int
    offset: int

    def holds(self, address: int, length: int) -> bool:
        return self.base <= address and address + length <= self.base + self.size


_SHARED = (
    (SDRAM_SIZE, (SDRAM_BASE, SDRAM_ALIAS)),
    (SYSRAM_SIZE, (SYSRAM_BASE, SYSRAM_ALIAS)),
    (ROUTER_SIZE, (ROUTER_BASE, ROUTER_ALIAS)),
)


def _lay_out() -> tuple[list[Region], int]:
    regions, offset = [], 0
    for size, bases in _SHARED:
        regions += [Region(base, size, offset) for base in bases]
        offset += size
    return regions, offset


SHARED_REGIONS, _CONTROL_OFFSET = _lay_out()
_OWN_OFFSET = _CONTROL_OFFSET + CONTROL_SIZE
_OWN_SIZE = ITCM_SIZE + DTCM_SIZE
_TOTAL = _OWN_OFFSET + CORES * _OWN_SIZE


@cache
def own_regions(core: int) -> tuple[Region, Region]:
    """The instruction and the data memory of one core."""
    start = _OWN_OFFSET + core * _OWN_SIZE
    return (
        Region(ITCM_BASE, ITCM_SIZE, start),
        Region(DTCM_BASE, DTCM_SIZE, start + ITCM_SIZE),
    )


class NoMemoryError(ValueError):
    """An address where a chip has no memory."""


class ChipMemory:
    """Every byte of one chip, by the addresses that its cores use."""

    def __init__(self) -> None:
        flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
        self._map = mmap.mmap(-1, _TOTAL, flags=flags)
        self._view = memoryview(self._map)
        first = ctypes.c_char.from_buffer(self._map)
        self._address = ctypes.addressof(first)
        del first
        self.control = self._view[_CONTROL_OFFSET:_OWN_OFFSET].cast("I")
        """The emulator's own words of this chip."""
        self._sdram = SHARED_REGIONS[0]

    def view(self, core: int, address: int, length: int) -> memoryview:
        """`length` bytes as they are, not a copy. Raises NoMemoryError."""
        start = address - SDRAM_BASE
        if 0 <= start <= SDRAM_SIZE - length:  # nearly always
            return self._view[start : start + length]
        for region in (*own_regions(core), *SHARED_REGIONS):
            if region.holds(address, length):
                start = region.offset + address - region.base
                return self._view[start : start + length]
        raise NoMemoryError(f"{length} bytes at 0x{address:08x} are not in a chip's memory")

    def read(self, core: int, address: int, length: int) -> bytes:
        return bytes(self.view(core, address, length))

    def write(self, core: int, address: int, data: bytes) -> None:
        self.view(core, address, len(data))[:] = data

    def words(self, core: int, address: int, count: int) -> memoryview:
        """Words that can be read and set, as they are in memory."""
        return self.view(core, address, 4 * count).cast("I")

    def word(self, address: int) -> int:
        """One word of the shared memories."""
        return int(self.view(0, address, 4).cast("I")[0])

    def set_word(self, address: int, value: int) -> None:
        self.view(0, address, 4).cast("I")[0] = value

    def pointer(self, region: Region) -> int:
        """The address in this process where a region begins."""
        return self._address + region.offset

    def clear_own(self, core: int) -> None:
        """Zero a core's own memories."""
        for region in own_regions(core):
            self._view[region.offset : region.offset + region.size] = bytes(region.size)

    def close(self) -> None:
        self.control.release()
        self._view.release()
        self._map.close()
