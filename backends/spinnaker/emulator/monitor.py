"""The monitor processors of a board: what a host's commands bring about, and what they answer.

On a real board core 0 of every chip runs this (SC&MP, 4.0.0 is what sPyNNaker asks for); here it
is Python, and only what sPyNNaker's host code uses of it. It touches the chips through memory, as
the host sees it, and through :class:`.seam.Chips`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from . import routes
from .heap import Heap
from .scp import LARGEST, ROOT, Command, Message, Place, Request, Result, response
from .seam import CORE_STATUS, CORE_STATUS_SIZE, CORES, SYSTEM_VARIABLES, Chips
from .tags import Address, BadTag, Tags

VERSION = (4, 0, 0)
IMAGE = 0x67800000
"""Where a host puts an application before it has it started."""
APP_ID_AT, STATE_AT = 47, 46
"""Bytes in a core's status block."""
HOST_PORT = (7, 31)
"""Port and core that mean: not to a core but out, to the host."""
SYSTEM_RAM_FREE = 16384
STOP = 2
STOP_EVERYWHERE = 5
"""The operation of a message among neighbours that stops an application."""
WAIT = 1 << 18
_FOUR_WORDS = struct.Struct("<4B2HI")


class Refused(Exception):
    """A command that cannot be done, and its result code."""

    def __init__(self, result: Result, why: str) -> None:
        super().__init__(why)
        self.result = result


Reply = tuple[Address, bytes]


class Monitor:
    """All monitor processors of one board. `address` is the board's own in the host's network.

    send: takes what is to go out, (host, datagram). say: takes a line for people.
    """

    def __init__(
        self,
        chips: Chips,
        address: str,
        send: Callable[[Address, bytes], None],
        say: Callable[[str], None],
    ) -> None:
        self.chips, self.address = chips, address
        self._send, self._say = send, say
        self.tags = Tags()
        self._tables = {chip: routes.RoutingTable(chips, *chip) for chip in chips.chips}
        self._heaps = {chip: Heap(chips, *chip) for chip in chips.chips}
        self._images: dict[tuple[int, int], bytes] = {}
        chips.write(0, 0, 0, SYSTEM_VARIABLES + 0xF0, socket.inet_aton(address))
        chips.outgoing = self.from_core
        self._commands: dict[int, Callable[[Place, Request], bytes]] = {
            Command.VERSION: self._version,
            Command.READ: self._read,
            Command.WRITE: self._write,
            Command.FILL: self._fill,
            Command.COUNT: self._count,
            Command.LINK_READ: self._link_read,
            Command.LINK_WRITE: self._link_write,
            Command.RUN: self._run,
            Command.NEIGHBOURS: self._neighbours,
            Command.COPY_RUN: self._copy_run,
            Command.SIGNAL: self._signal,
            Command.LED: self._nothing,
            Command.ALLOCATE: self._allocate,
            Command.ROUTER: self._router,
            Command.INFO: self._info,
            Command.SYNC: self._nothing,
        }

    # --- messages

    def from_host(self, message: Message, host: Address) -> bytes | None:
        """Take a message from the host; what there is to answer at once.

        Raises Malformed for bytes that are no command.
        """
        to = self._resolved(message.to)
        if to.core != 0:
            self._to_core(message, to, host)
            return None
        request = Request.decode(message.data)
        result, data = self._answer(to, request, host)
        if not message.wants_reply:
            return None
        answer = message.answer(response(result, request.sequence, data), to)
        return answer.datagram()

    def from_core(self, x: int, y: int, core: int, encoded: bytes) -> None:
        """Take a message that a core handed to the monitor of its chip."""
        message = Message.decode(encoded)
        if (message.to.port, message.to.core) == HOST_PORT or message.tag in self.tags:
            found = self.tags.route(message)
            if found is not None:
                self._send(*found)
        elif message.to.core != 0:
            self.chips.send_sdp(message.to.x, message.to.y, message.to.core, encoded)
        else:
            request = Request.decode(message.data)
            to = self._resolved(message.to)
            result, data = self._answer(to, request, (self.address, 0))
            if message.wants_reply:
                answer = message.answer(response(result, request.sequence, data), to)
                self.chips.send_sdp(x, y, core, answer.encode())

    def _to_core(self, message: Message, to: Place, host: Address) -> None:
        if (to.x, to.y) not in self.chips.chips or to.core >= CORES:
            return  # as on the machine: nobody is there to answer
        if message.wants_reply:
            message = message.tagged(self.tags.await_answer(host))
        inside = Message(message.flags, message.tag, to, message.sender, message.data)
        self.chips.send_sdp(to.x, to.y, to.core, inside.encode())

    def _resolved(self, to: Place) -> Place:
        return Place(0, 0, to.core, to.port) if (to.x, to.y) == (ROOT, ROOT) else to

    def _answer(self, to: Place, request: Request, host: Address) -> tuple[Result, bytes]:
        if (to.x, to.y) not in self.chips.chips:
            return Result.NO_CHIP, b""
        try:
            if request.command == Command.IPTAG:
                return Result.OK, self.tags.command(request, host)
            if request.command not in self._commands:
                raise Refused(Result.COMMAND, f"command {request.command} is not emulated")
            return Result.OK, self._commands[request.command](to, request)
        except Refused as refused:
            self._say(str(refused))
            return refused.result, b""
        except BadTag as refused:
            self._say(str(refused))
            return Result.ARGUMENT, b""

    # --- memory

    def _read(self, to: Place, request: Request) -> bytes:
        return self._memory(to, request.word1, request.word2)

    def _memory(self, to: Place, address: int, length: int) -> bytes:
        if length > LARGEST:
            raise Refused(Result.LENGTH, f"a packet carries {LARGEST} bytes, not {length}")
        if routes.POINT_TO_POINT <= address < routes.POINT_TO_POINT + 0x8000:
            return routes.point_to_point(self.chips, address, length)
        return self.chips.read(to.x, to.y, to.core, address, length)

    def _write(self, to: Place, request: Request) -> bytes:
        data = request.data[: request.word2]
        if len(data) != request.word2:
            raise Refused(Result.LENGTH, f"{len(data)} bytes came to be written, not all")
        self.chips.write(to.x, to.y, to.core, request.word1, data)
        return b""

    def _fill(self, to: Place, request: Request) -> bytes:
        data = struct.pack("<I", request.word2) * (request.word3 // 4)
        self.chips.write(to.x, to.y, to.core, request.word1, data)
        return b""

    def _neighbour(self, to: Place, link: int) -> Place:
        if link >= len(routes.NEIGHBOURS):
            raise Refused(Result.ARGUMENT, f"link {link}: a chip has six, 0 to 5")
        dx, dy = routes.NEIGHBOURS[link]
        place = Place(to.x + dx, to.y + dy)
        if (place.x, place.y) not in self.chips.chips:
            raise Refused(Result.NO_CHIP, f"link {link} of chip {to.x}, {to.y} leads nowhere")
        return place

    def _link_read(self, to: Place, request: Request) -> bytes:
        return self._memory(self._neighbour(to, request.word3), request.word1, request.word2)

    def _link_write(self, to: Place, request: Request) -> bytes:
        return self._write(self._neighbour(to, request.word3), request)

    def _allocate(self, to: Place, request: Request) -> bytes:
        """Memory or router entries."""
        chip = (to.x, to.y)
        heap, table = self._heaps[chip], self._tables[chip]
        what, app_id = request.word1 & 0xFF, request.word1 >> 8 & 0xFF
        number = 0
        if what == 0:
            number = heap.allocate(request.word2, app_id, request.word3 & 0xFF)
        elif what == 1:
            heap.free(request.word2)
        elif what == 2:
            number = heap.free_app(app_id)
        elif what == 3:
            number = table.allocate(request.word2, app_id)
        elif what == 5:
            table.free_app(app_id)
        else:
            raise Refused(Result.ARGUMENT, f"allocation {what} is not emulated")
        return struct.pack("<I", number)

    def _router(self, to: Place, request: Request) -> bytes:
        table = self._tables[to.x, to.y]
        what = request.word1 & 0xFF
        if what == routes.CLEAR:
            table.clear()
        elif what == routes.LOAD:
            if not table.load(request):
                raise Refused(Result.ARGUMENT, "router entries that were not allocated")
        elif what == routes.FIXED_ROUTE:
            if request.word2 >> 31:
                return struct.pack("<I", table.fixed_route)
            table.fixed_route = request.word2
        else:
            raise Refused(Result.ARGUMENT, f"router operation {what} is not emulated")
        return b""

    # --- applications

    def _run(self, to: Place, request: Request) -> bytes:
        """Start what the host has put into the memory of this chip."""
        length = routes.ENTRIES * 1024  # an image says itself where it ends
        image = self.chips.read(to.x, to.y, 0, IMAGE, length)
        self._start(to, image, request.word1)
        return b""

    def _copy_run(self, to: Place, request: Request) -> bytes:
        """Take the image from a neighbour, and start it."""
        link, checksum = request.word1 & 7, request.word1 >> 3
        neighbour = self._neighbour(to, link)
        source = (neighbour.x, neighbour.y)
        if source == (0, 0):
            self._images[source] = self.chips.read(0, 0, 0, IMAGE, request.word2)
        image = self._images.get(source, b"")
        total = sum(struct.unpack(f"<{len(image) // 4}I", image)) & 0x1FFFFFFF
        if len(image) != request.word2 or total != checksum:
            raise Refused(Result.CHECKSUM, "the image that was to be started has changed")
        self._images[to.x, to.y] = image
        self._start(to, image, request.word3)
        return b""

    def _start(self, to: Place, image: bytes, packed: int) -> None:
        cores = [core for core in range(1, CORES) if packed >> core & 1]
        if cores:
            self.chips.start(to.x, to.y, cores, image, packed >> 24, bool(packed & WAIT))

    def _signal(self, to: Place, request: Request) -> bytes:
        self._deliver(request.word2)
        return b""

    def _neighbours(self, to: Place, request: Request) -> bytes:
        if request.word2 >> 28 != STOP_EVERYWHERE:
            raise Refused(Result.ARGUMENT, "flood fill is not emulated")
        self._deliver(request.word2)
        return b""

    def _deliver(self, packed: int) -> None:
        app_id, mask, signal = packed & 0xFF, packed >> 8 & 0xFF, packed >> 16 & 0xFF
        if signal != STOP:
            self.chips.signal(app_id, mask, signal)
            return
        for number in range(1, 256):
            if number & mask == app_id & mask:
                self._stop(number)

    def _stop(self, app_id: int) -> None:
        self.chips.stop_app(app_id)
        for chip in self.chips.chips:
            self._heaps[chip].free_app(app_id)
            self._tables[chip].free_app(app_id)

    def _count(self, to: Place, request: Request) -> bytes:
        number = 0
        wanted = bytes([request.word2 & 0xFF, request.word1 & 0xFF])
        for x, y in self.chips.chips:
            status = self._statuses(x, y)
            number += sum(
                status[at + STATE_AT : at + APP_ID_AT + 1] == wanted
                for at in range(CORE_STATUS_SIZE, len(status), CORE_STATUS_SIZE)
            )
        return struct.pack("<I", number)

    def _statuses(self, x: int, y: int) -> bytes:
        return self.chips.read(x, y, 0, CORE_STATUS, CORES * CORE_STATUS_SIZE)

    # --- about the machine

    def _version(self, to: Place, request: Request) -> bytes:
        described = "SC&MP/SpiNNaker\0" + ".".join(map(str, VERSION)) + "\0"
        numbers = _FOUR_WORDS.pack(to.core, to.core, to.y, to.x, LARGEST, 0xFFFF, 0)
        return numbers + described.encode()

    def _info(self, to: Place, request: Request) -> bytes:
        """What chip this is, and what it has: all of it, whatever was asked for."""
        chip = (to.x, to.y)
        ethernet = chip == (0, 0)
        links = sum(
            1 << k
            for k, (dx, dy) in enumerate(routes.NEIGHBOURS)
            if (to.x + dx, to.y + dy) in self.chips.chips
        )
        flags = CORES | links << 8 | self._tables[chip].free << 14 | ethernet << 25
        status = self._statuses(*chip)
        states = [status[core * CORE_STATUS_SIZE + STATE_AT] for core in range(CORES)]
        return (
            struct.pack("<3I", flags, self._heaps[chip].largest(), SYSTEM_RAM_FREE)
            + bytes(states)
            + bytes(2)  # y and x of the chip with the network's plug
            + (socket.inet_aton(self.address) if ethernet else bytes(4))
            + struct.pack("<H", routes.parent_link(*chip))
        )

    def _nothing(self, to: Place, request: Request) -> bytes:
        return b""
