"""What the monitor processor (the host's side) needs of the chips."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

CORES = 18
"""Cores of a chip; core 0 is the monitor processor."""
SYSTEM_VARIABLES = 0xE5007F00
CORE_STATUS = 0xE5007000
"""The status blocks of the cores, one behind the other."""
CORE_STATUS_SIZE = 128
ROUTER = 0xE1000000

_WORD = struct.Struct("<I")

Outgoing = Callable[[int, int, int, bytes], None]
"""Takes x, y, core and the encoded SDP message that the core handed to its monitor."""


class Chips(Protocol):
    """A board of chips, as seen from outside of their cores."""

    outgoing: Outgoing

    @property
    def chips(self) -> Collection[tuple[int, int]]:
        """The coordinates of the chips."""

    def read(self, x: int, y: int, p: int, address: int, length: int) -> bytes: ...

    def write(self, x: int, y: int, p: int, address: int, data: bytes) -> None: ...

    def start(
        self, x: int, y: int, cores: Sequence[int], image: bytes, app_id: int, wait: bool
    ) -> None:
        """Load the image (a whole .aplx file) on these cores and let them go."""

    def stop_app(self, app_id: int) -> None: ...

    def signal(self, app_id: int, mask: int, signal: int) -> None:
        """To the cores whose application number equals app_id in the bits of the mask."""

    def send_sdp(self, x: int, y: int, p: int, message: bytes) -> None: ...

    def set_routes(self, x: int, y: int, entries: Sequence[tuple[int, int, int]]) -> None:
        """All entries of a chip's router, first match first: (key, mask, route)."""

    def advance(self) -> bool:
        """Compute for a while, one tick at most; False when there is nothing to compute."""

    def close(self) -> None: ...


def word(chips: Chips, x: int, y: int, address: int) -> int:
    """One word of a chip's memory."""
    return int(_WORD.unpack(chips.read(x, y, 0, address, _WORD.size))[0])


def put_word(chips: Chips, x: int, y: int, address: int, value: int) -> None:
    chips.write(x, y, 0, address, _WORD.pack(value))
