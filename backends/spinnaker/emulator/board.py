"""A version-5 board: 48 chips of 18 cores, advanced in lock-step.

Time is virtual. A tick of the cores' timers comes when every core is done with the last one:
first all cores run their timer interrupt until they wait; then the packets they sent are
delivered, in the order of the senders' places, and so on until no core has anything left to do;
then the second timers run out (the end of a time step, on cores that use it), then comes the
next tick. What a core writes to a chip's memory by DMA as a tick begins is there when all have
begun it. No result depends on how fast a core or a process is, or how many processes there are.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

from . import counting, system
from .crew import Beginning, Orders, Outcome
from .memory import CORES, ROUTER_ALIAS, ROUTER_BASE, ROUTER_SIZE, ChipMemory
from .peripherals import Packet
from .processes import Crews
from .router import Chip, Place, Router

WIDTH = HEIGHT = 8
TURN = 0.05
"""Seconds that one call of `advance` takes, about, so that the host is not kept waiting."""
ETHERNET = 0xFF
"""The destination port, with its core, of messages that leave the board."""


class Signal:
    """What the host sends to all cores of an application."""

    INIT, POWER_DOWN, STOP, START, SYNC0, SYNC1 = 0, 1, 2, 3, 4, 5


def chips_of_board() -> list[Chip]:
    """The coordinates of a version-5 board's 48 chips: a hexagon in a square of 8 by 8."""
    return [(x, y) for x in range(WIDTH) for y in range(HEIGHT) if -4 < x - y < 5]


class Board:
    """The chips, their memories and routers, and the processes that compute their cores."""

    def __init__(self, workers: int) -> None:
        """Compute with so many processes, this one included. Raises ValueError."""
        counting.prepare()
        self._memories: Mapping[Chip, ChipMemory] = {
            chip: ChipMemory() for chip in chips_of_board()
        }
        for chip, memory in self._memories.items():
            system.set_up(memory, *chip, (WIDTH, HEIGHT))
        self._router = Router(self._memories)
        self._crews = Crews(self._memories, workers)
        self.outgoing: Callable[[int, int, int, bytes], None] = _nowhere
        self._orders = Orders()
        self._mail: dict[Place, deque[bytes | int]] = {}
        self._sent: dict[Place, list[Packet]] = {}
        self._busy = False
        self._now = 0
        self._due: dict[Place, int] = {}
        self._periods: dict[Place, int] = {}
        self._ends: set[Place] = set()
        self.meter = counting.Meter()

    @property
    def tick(self) -> int:
        """Ticks so far."""
        return self.meter.ticks

    @property
    def chips(self) -> Collection[Chip]:
        return self._memories.keys()

    def read(self, x: int, y: int, p: int, address: int, length: int) -> bytes:
        """Bytes of a chip's memory. Raises NoMemoryError where there is none."""
        return self._memories[x, y].read(p, address, length)

    def write(self, x: int, y: int, p: int, address: int, data: bytes) -> None:
        """Raises NoMemoryError where there is none."""
        self._memories[x, y].write(p, address, data)
        if any(b <= address < b + ROUTER_SIZE for b in (ROUTER_BASE, ROUTER_ALIAS)):
            self._router.forget()

    def start(
        self, x: int, y: int, cores: Sequence[int], image: bytes, app_id: int, wait: bool
    ) -> None:
        """Let cores begin with a program, a whole .aplx file, with the next `advance`."""
        memory = self._memories[x, y]
        for core in cores:
            if not 0 < core < CORES:
                raise ValueError(f"core {core}: programs run on cores 1 to {CORES - 1}")
            place = (x, y, core)
            self._drop(place)
            memory.clear_own(core)
            system.reset_block(memory, core)
            system.set_state(memory, core, system.State.BEGINNING, app_id)
            memory.control[0] |= 1 << core
            self._crews.assign(place)
            self._orders.beginnings.append(Beginning(place, image, app_id, wait))

    def stop_app(self, app_id: int) -> None:
        """Cores of the application do nothing from now on."""
        for place in self._cores_of(app_id, 0xFF):
            self._drop(place)
            system.reset_block(self._memories[place[:2]], place[2])
        for memory in self._memories.values():
            system.free_buffers(memory, app_id)

    def signal(self, app_id: int, mask: int, signal: int) -> None:
        """To the cores whose application number equals app_id in the bits of the mask."""
        places = self._cores_of(app_id, mask)
        if signal == Signal.STOP:
            for stopped in {self._app(place) for place in places}:
                self.stop_app(stopped)
            return
        self._router.forget()
        for x, y, core in places:
            flags = self._memories[x, y].control
            if signal == Signal.SYNC0:
                flags[0] &= ~(1 << core)
            elif signal == Signal.SYNC1:
                flags[0] |= 1 << core
            else:
                self._mail.setdefault((x, y, core), deque()).append(signal)
                continue
            self._orders.mail.append((x, y, core))

    def send_sdp(self, x: int, y: int, p: int, message: bytes) -> None:
        """Hand a message to a core: 8 bytes of envelope, then the data."""
        self._mail.setdefault((x, y, p), deque()).append(message)

    def set_routes(self, x: int, y: int, entries: Sequence[tuple[int, int, int]]) -> None:
        """All entries of a chip's router, first match first: (key, mask, route)."""
        self._router.set((x, y), entries)

    def get_routes(self, x: int, y: int) -> list[tuple[int, int, int]]:
        return self._router.get((x, y))

    def advance(self) -> bool:
        """Compute for a moment; False when there is nothing to compute."""
        until = time.monotonic() + TURN
        going = True
        while going and time.monotonic() < until:
            going = self._step()
        self._router.count()
        return going

    def report(self) -> str:
        """What each core needed of a tick's time, as JSON (see `counting.Meter`)."""
        return json.dumps(self.meter.report(), indent=1)

    def warnings(self) -> list[str]:
        """A sentence for each core that a real machine would have been too slow for."""
        return self.meter.warnings()

    def close(self) -> None:
        self._crews.close()
        for memory in self._memories.values():
            memory.close()

    def _step(self) -> bool:
        """One round; False if nothing is left to do."""
        self._post()
        if not self._busy and not self._orders:
            if self._sent:
                self._route()
            elif self._crews.owes:
                self._orders.settle = True
            elif self._ends:
                self._orders.ends = sorted(self._ends)
                self._ends.clear()
            elif self._due:
                self._tick()
            else:
                self.meter.over()
                return False
        orders, self._orders = self._orders, Orders()
        outcomes = self._crews.round(orders)
        for outcome in outcomes:
            self._note(outcome)
        self._busy = any(outcome.busy for outcome in outcomes)
        return True

    def _tick(self) -> None:
        self._now = min(self._due.values())
        places = sorted(place for place, due in self._due.items() if due == self._now)
        self.meter.tick(places)
        for place in places:
            self._due[place] += self._periods[place]
        self._orders.ticks = places

    def _route(self) -> None:
        inboxes: dict[Place, list[Packet]] = {}
        for place in sorted(self._sent):
            for packet in self._sent[place]:
                for target in self._router.pass_on(place[:2], packet.key):
                    inboxes.setdefault(target, []).append(packet)
        self._sent.clear()
        self._orders.packets = sorted(inboxes.items())

    def _note(self, outcome: Outcome) -> None:
        for place, packets in outcome.sent:
            self._sent.setdefault(place, []).extend(packets)
        for place, timing, started in outcome.timings:
            self._periods[place] = timing.period
            if not timing.period:
                self._due.pop(place, None)
            elif started or place not in self._due:
                self._due[place] = self._now + timing.period
                self.meter.period(place, timing.period)
            (self._ends.add if timing.ends else self._ends.discard)(place)
        for place, count in outcome.instructions:
            self.meter.ran(place, count)
        for place, message in outcome.messages:
            self._deliver(place, message)

    def _deliver(self, place: Place, message: bytes) -> None:
        """To another core of the board, or to who answers for the monitor processors."""
        to, y, x = message[2], message[4], message[5]
        if to != ETHERNET and to & 0x1F and (x, y) in self._memories:
            self.send_sdp(x, y, to & 0x1F, message)
        else:
            self.outgoing(*place, message)

    def _post(self) -> None:
        """Fill the mailboxes that are free."""
        for place in sorted(self._mail):
            memory, core = self._memories[place[:2]], place[2]
            if not system.mailbox_free(memory, core):
                continue
            post = self._mail[place].popleft()
            if isinstance(post, int):
                system.post_signal(memory, core, post)
            elif not system.post_message(memory, core, post, self._crews.locks):
                self._mail[place].appendleft(post)
                continue
            self._orders.mail.append(place)
            if not self._mail[place]:
                del self._mail[place]

    def _app(self, place: Place) -> int:
        return system.app_id(self._memories[place[:2]], place[2])

    def _cores_of(self, app_id: int, mask: int) -> list[Place]:
        return [
            (*chip, core)
            for chip, memory in self._memories.items()
            for core in range(1, CORES)
            if system.app_id(memory, core) & mask == app_id & mask
            and system.state(memory, core) != system.State.IDLE
        ]

    def _drop(self, place: Place) -> None:
        """Forget everything about what runs on a core."""
        self._due.pop(place, None)
        self._ends.discard(place)
        self._mail.pop(place, None)
        self._sent.pop(place, None)
        if self._crews.release(place):
            self._orders.stops.append(place)
        self._orders.beginnings = [b for b in self._orders.beginnings if b.place != place]


def _nowhere(x: int, y: int, core: int, message: bytes) -> None:
    """Messages are lost until someone wants them."""
