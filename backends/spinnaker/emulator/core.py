"""One core: an ARM968 on unicorn, its peripherals, and interrupts when its code waits for them.

A core runs until it waits: its program executes the wait-for-interrupt instruction, or, in the
one loop of SpiNNaker's programs that watches a timer instead, goes round it twice with nothing
changed. Pending interrupts are then delivered one by one, each handler returning to the wait
itself; when nothing more is pending the core goes on behind the wait. Real time never passes
unnoticed: what a real core would do while something else happens, this one has done before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from unicorn import arm_const as arm
from unicorn import unicorn_const as const

from . import counting, system
from .aplx import Program
from .bursts import EACH, Bursts
from .dma import DmaController
from .engine import Engine, Registers
from .memory import SHARED_REGIONS, ChipMemory, own_regions
from .peripherals import (
    Communications,
    Device,
    InterruptController,
    Line,
    Locks,
    Packet,
    SystemController,
)
from .timers import Timers

SPARE_PAGE = 0x0FFFF000
"""Below the first peripheral; programs read there what they never use."""
WAIT, WAIT_MASK = 0xEE070F90, 0xFFFF0FFF
"""The instruction that waits for an interrupt, whatever its register."""
NO_BOUND = 1 << 62
BATCH = 64
"""Packets that a core is given before it goes on with what it does outside of handlers; its
programs have room for 256."""


PACKETS = Line.PACKET | Line.MULTICAST | Line.FIXED_ROUTE
FAULTS_AT_MOST = 8
"""The core's own code ends with the first, unless that itself is broken."""


class Mode:
    """Processor modes and flags in the status register."""

    FAST, INTERRUPT, SUPERVISOR, ABORT, UNDEFINED = 0x11, 0x12, 0x13, 0x17, 0x1B
    BITS, THUMB, NO_FAST, NO_INTERRUPT = 0x1F, 0x20, 0x40, 0x80


class Vector:
    """Where a core goes when something happens."""

    UNDEFINED, SOFTWARE, NO_CODE, NO_DATA, FAST = 0x04, 0x08, 0x0C, 0x10, 0x1C


@dataclass(frozen=True)
class Fault:
    """An exception: the mode it is handled in, where, and how far behind lr points."""

    vector: int
    mode: int
    behind: int


FAULTS = {
    const.UC_ERR_READ_UNMAPPED: Fault(Vector.NO_DATA, Mode.ABORT, 8),
    const.UC_ERR_WRITE_UNMAPPED: Fault(Vector.NO_DATA, Mode.ABORT, 8),
    const.UC_ERR_READ_UNALIGNED: Fault(Vector.NO_DATA, Mode.ABORT, 8),
    const.UC_ERR_WRITE_UNALIGNED: Fault(Vector.NO_DATA, Mode.ABORT, 8),
    const.UC_ERR_FETCH_UNMAPPED: Fault(Vector.NO_CODE, Mode.ABORT, 4),
    const.UC_ERR_FETCH_UNALIGNED: Fault(Vector.NO_CODE, Mode.ABORT, 4),
    const.UC_ERR_INSN_INVALID: Fault(Vector.UNDEFINED, Mode.UNDEFINED, 4),
    const.UC_ERR_EXCEPTION: Fault(Vector.SOFTWARE, Mode.SUPERVISOR, 4),
}


@dataclass
class Wait:
    """A wait that the core has come to: where, and with which stack."""

    pc: int
    sp: int
    status: int
    polling: bool
    woken: bool = False
    packets: int = 0

    def same(self, other: Wait) -> bool:
        return self.pc == other.pc and self.sp == other.sp


class Core:
    """An application core with a program in it."""

    def __init__(
        self,
        memory: ChipMemory,
        place: tuple[int, int, int],
        locks: Locks,
        to_monitor: Callable[[], None],
    ) -> None:
        self.place = place
        self.number = place[2]
        self._memory = memory
        self.counter = np.zeros(counting.SLOTS, dtype=np.int64)
        self.vic = InterruptController()
        self.timers = Timers(self.vic, lambda: self.instructions)
        self.dma = DmaController(self.vic, memory, self.number)
        self.communications = Communications(self.vic, place[:2])
        self.controller = SystemController(self.vic, memory, locks, to_monitor)
        self.inbox: deque[Packet] = deque()
        self.waiting = False
        self.dead = False
        self._waits: list[Wait] = []
        self._wait_places: frozenset[int] = frozenset()
        self._pc = self._faults = 0
        self._polls: tuple[int, ...] = ()
        self._last_poll = self._last_wait = 0
        self._polling = False
        self._receiving = Wait(0, 0, 0, False)
        self._connect(memory)

    @property
    def instructions(self) -> int:
        """Executed so far."""
        return int(self.counter[counting.DONE])

    @property
    def since_wait(self) -> int:
        """Instructions since the core last waited."""
        return self.instructions - self._last_wait

    def _connect(self, memory: ChipMemory) -> None:
        engine = Engine()
        engine.map_memory(memory, (*own_regions(self.number), *SHARED_REGIONS))
        engine.map_page(SPARE_PAGE)
        devices: tuple[tuple[Device, tuple[int, ...]], ...] = (
            (self.communications, (0x10000000, 0x20000000)),
            (self.timers, (0x11000000, 0x21000000)),
            (self.vic, (0x1F000000, 0x2F000000, 0xFFFFF000)),
            (self.dma, (0x30000000, 0x40000000)),
            (self.controller, (0xE2000000, 0xF2000000)),
        )
        for device, bases in devices:
            for base in bases:
                engine.map_device(base, device)
        self._engine = engine
        self._bursts = Bursts(engine, self._next_packet)
        counting.install(engine, self.counter)
        self.timers.polled = self._polled
        self._at = Registers(engine, (arm.UC_ARM_REG_PC, arm.UC_ARM_REG_SP, arm.UC_ARM_REG_CPSR))
        self._status = Registers(
            engine, (arm.UC_ARM_REG_CPSR, arm.UC_ARM_REG_SPSR, arm.UC_ARM_REG_LR)
        )
        self._first = Registers(engine, (arm.UC_ARM_REG_CPSR, arm.UC_ARM_REG_R0))
        self._all = Registers(
            engine,
            (*(arm.UC_ARM_REG_R0 + n for n in range(13)), arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR),
        )

    def load(self, program: Program, app_id: int, wait: bool) -> None:
        """Put a program into the core's memory and let it begin."""
        for address, content in program.pieces:
            self._memory.write(self.number, address, content)
        code = np.frombuffer(self._memory.read(self.number, 0, own_regions(0)[0].size), "<u4")
        places = np.flatnonzero((code & WAIT_MASK) == WAIT)
        self._wait_places = frozenset(4 * int(place) for place in places)
        self._engine.set_exits(sorted(self._wait_places))
        off = Mode.SUPERVISOR | Mode.NO_INTERRUPT | Mode.NO_FAST
        self._first.set(off, app_id | int(wait) << 8)
        self._pc = program.start

    @property
    def quiet(self) -> bool:
        """Whether it waits and nothing will wake it."""
        if self.dead:
            return True
        undelivered = self.inbox and not self.communications.occupied
        return self.waiting and not undelivered and not self.vic.pending and not self._over

    @property
    def _over(self) -> bool:
        """Whether the timer that its code watches has run out."""
        return self._waits[-1].polling and self.timers.second.expired

    def run(self, instructions: int = NO_BOUND) -> None:
        """Go on until it is quiet, or for so many instructions."""
        self.counter[counting.LIMIT] = min(self.instructions + instructions, NO_BOUND)
        while not self.dead:
            if self.waiting and not self._wake():
                return
            self.waiting = False
            if not self._execute():
                return

    def _execute(self) -> bool:
        """Run from where it is to a wait or a fault; False if the instructions are used up."""
        self._polling = False
        status = self._engine.start(self._pc)
        if status:
            self._fail(status)
            return True
        pc, sp, flags = self._at.get()
        self._pc = pc | int(flags & Mode.THUMB != 0)
        polling = self._polling and not flags & Mode.NO_FAST
        if polling or pc in self._wait_places:
            self._arrive(Wait(pc, sp, flags, polling))
            return True
        return self.instructions < int(self.counter[counting.LIMIT])

    def _arrive(self, wait: Wait) -> None:
        self.waiting = True
        self._last_wait = self.instructions
        if self._waits and self._waits[-1].woken and self._waits[-1].same(wait):
            return
        self._waits.append(wait)

    def _wake(self) -> bool:
        """Deliver an interrupt, or go on behind the wait; False if there is nothing to do."""
        wait = self._waits[-1]
        self._receive(wait)
        pending = self.vic.pending
        if not pending:
            wait.woken |= self._over
            if wait.woken:
                self._pc = self._behind(wait)
            return wait.woken
        wait.woken = True
        if self.vic.fast:
            self._fast(wait, pending & ~PACKETS)
        else:
            source, vector = self.vic.first()
            more = pending & ~source or self._wanted(wait)
            self._enter(wait, vector, Mode.INTERRUPT, wait.pc if more else self._behind(wait))
        return True

    def _wanted(self, wait: Wait) -> bool:
        """Whether a packet is to be delivered in this wait."""
        occupied = self.communications.occupied
        return bool(self.inbox) and wait.packets < BATCH and not occupied

    def _receive(self, wait: Wait) -> bool:
        if not self._wanted(wait):
            return False
        wait.packets += 1
        self.communications.receive(self.inbox.popleft())
        return True

    def _fast(self, wait: Wait, others: int) -> None:
        """Packets, as many as there are; or whatever else the program has as a fast interrupt."""
        if not self.inbox or not self.communications.occupied:
            back = wait.pc if others else self._behind(wait)
            self._enter(wait, Vector.FAST, Mode.FAST | Mode.NO_FAST, back)
            return
        self._receiving = wait
        back = wait.pc if others else self._behind(wait)
        self._pc = self._bursts.enter(_entered(wait, Mode.FAST | Mode.NO_FAST), wait.status, back)

    def _next_packet(self) -> bool:
        self.counter[counting.DONE] -= EACH
        return self._receive(self._receiving)

    def _behind(self, wait: Wait) -> int:
        """Leave the wait: where its program goes on."""
        self._waits.pop()
        self._polls = ()
        return wait.pc if wait.polling else wait.pc + 4

    def _enter(self, wait: Wait, vector: int, mode: int, back: int) -> None:
        """Enter a handler that returns to `back`."""
        self._status.set(_entered(wait, mode), wait.status, back + 4)
        self._pc = vector

    def _polled(self) -> None:
        """Code looks at a timer: if nothing has changed since it last did, it is a wait."""
        now = self.instructions
        seen = (*self._all.get(), now - self._last_poll)
        self._last_poll = now
        if seen == self._polls and not self.timers.second.expired:
            self._polling = True
            self._engine.stop()
        self._polls = seen

    def _fail(self, status: int) -> None:
        """Let the core's own code handle a fault, which writes its state for the host."""
        self.controller.give_all()
        fault = FAULTS[status]
        pc, _, flags = self._at.get()
        masked = flags & ~(Mode.BITS | Mode.THUMB) | fault.mode | Mode.NO_INTERRUPT
        self._status.set(masked, flags, pc + fault.behind)
        self._pc = fault.vector
        self._waits.clear()
        self._faults += 1
        if self._faults > FAULTS_AT_MOST:
            system.set_state(
                self._memory,
                self.number,
                system.State.RUN_TIME_ERROR,
                system.app_id(self._memory, self.number),
            )
            self.dead = True


def _entered(wait: Wait, mode: int) -> int:
    """The status register in a handler.

    Programs wait with interrupts off and let them in right behind the wait; the handler must find
    them as they will be then.
    """
    status = wait.status & ~(Mode.BITS | Mode.THUMB | Mode.NO_FAST)
    return status | mode | Mode.NO_INTERRUPT
