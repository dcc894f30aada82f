"""Chips that are memory and nothing else, for the host's side of the emulator."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Sequence

from backends.spinnaker.emulator.seam import CORE_STATUS, CORE_STATUS_SIZE, CORES, SYSTEM_VARIABLES

PAGE = 4096
HEAP = 0x60800000
HEAP_END = 0x677FFFF0
READY, RUNNING, IDLE = 5, 7, 15


def chips_of_a_board() -> list[tuple[int, int]]:
    """A version-5 board: a hexagon of 48 chips."""
    return [(x, y) for x in range(8) for y in range(8) if -4 < x - y < 5]


class MemoryBoard:
    """Remembers what it is told; `log` has what is not memory."""

    def __init__(self) -> None:
        self.chips = chips_of_a_board()
        self.log: list[tuple] = []
        self.outgoing = lambda x, y, p, message: None
        self.left = 0
        self._pages = {chip: defaultdict(lambda: bytearray(PAGE)) for chip in self.chips}
        for x, y in self.chips:
            self._set_up(x, y)

    def _set_up(self, x: int, y: int) -> None:
        where = bytes([y, x, 8, 8, 0, 0, 0, 0, 0, 0, 5, (x, y) == (0, 0)])
        self.write(x, y, 0, SYSTEM_VARIABLES, where)
        words = {
            SYSTEM_VARIABLES + 0x4C: HEAP,
            SYSTEM_VARIABLES + 0xD4: 0x60100000,
            SYSTEM_VARIABLES + 0xDC: 0x60200000,
            HEAP: HEAP + 16,
            HEAP + 4: HEAP + 16,
            HEAP + 8: HEAP_END,
            HEAP + 12: HEAP_END - HEAP - 16,
            HEAP + 16: HEAP_END,
        }
        for address, value in words.items():
            self.write(x, y, 0, address, struct.pack("<I", value))
        for core in range(CORES):
            self.put_state(x, y, core, IDLE if core else RUNNING)

    def put_state(self, x: int, y: int, core: int, state: int, app_id: int = 0) -> None:
        at = CORE_STATUS + core * CORE_STATUS_SIZE + 46
        self.write(x, y, 0, at, bytes([state, app_id]))

    @staticmethod
    def _plain(address: int) -> int:
        """The first of the two addresses of everything."""
        if 0x70000000 <= address < 0x80000000 or address >= 0xF0000000:
            return address - 0x10000000
        return address

    def read(self, x: int, y: int, p: int, address: int, length: int) -> bytes:
        address, out = self._plain(address), bytearray()
        while len(out) < length:
            page, at = divmod(address + len(out), PAGE)
            take = min(PAGE - at, length - len(out))
            pages = self._pages[x, y]
            out += pages[page][at : at + take] if page in pages else bytes(take)
        return bytes(out)

    def write(self, x: int, y: int, p: int, address: int, data: bytes) -> None:
        address = self._plain(address)
        while data:
            page, at = divmod(address, PAGE)
            take = min(PAGE - at, len(data))
            self._pages[x, y][page][at : at + take] = data[:take]
            address, data = address + take, data[take:]

    def start(
        self, x: int, y: int, cores: Sequence[int], image: bytes, app_id: int, wait: bool
    ) -> None:
        self.log.append(("start", x, y, tuple(cores), bytes(image), app_id, wait))
        for core in cores:
            self.put_state(x, y, core, READY, app_id)

    def stop_app(self, app_id: int) -> None:
        self.log.append(("stop", app_id))

    def signal(self, app_id: int, mask: int, signal: int) -> None:
        self.log.append(("signal", app_id, mask, signal))

    def send_sdp(self, x: int, y: int, p: int, message: bytes) -> None:
        self.log.append(("sdp", x, y, p, message))

    def set_routes(self, x: int, y: int, entries: Sequence[tuple[int, int, int]]) -> None:
        self.log.append(("routes", x, y, tuple(entries)))

    def advance(self) -> bool:
        self.left -= 1
        return self.left > 0

    def close(self) -> None:
        pass
