"""What surrounds a core: interrupt controller, communications and system controller; and in
`timers` and `dma` the others.

Each class is one device with its registers by name; the numbers are those of the SpiNNaker
datasheet 2.02 (chapters 5 to 8 and 14). Only what machine code uses is there; other registers
read as 0. Nothing takes time: a DMA has ended and a packet is sent when the register is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from .memory import CORES, ChipMemory


class Line:
    """Interrupt sources, as bits."""

    SOFTWARE = 1 << 1
    TIMER1 = 1 << 4
    TIMER2 = 1 << 5
    PACKET = 1 << 6
    TX_EMPTY = 1 << 11
    DMA_DONE = 1 << 12
    DMA_ERROR = 1 << 13
    MONITOR = 1 << 18
    TX_NOT_FULL = 1 << 23
    MULTICAST = 1 << 24
    FIXED_ROUTE = 1 << 27


class Packet(NamedTuple):
    """A packet between cores. `control` has its type in bits 22 and 23, 0 for multicast."""

    key: int
    payload: int | None = None
    control: int = 0


class Device(Protocol):
    """Something behind a page of addresses."""

    def read(self, offset: int) -> int: ...

    def write(self, offset: int, value: int) -> None: ...


class InterruptController:
    """PL190: which of the interrupts that are raised reaches the core, and where its code is."""

    IRQ_STATUS, FIQ_STATUS, RAW, SELECT = 0x00, 0x04, 0x08, 0x0C
    ENABLE, DISABLE, SOFT_SET, SOFT_CLEAR = 0x10, 0x14, 0x18, 0x1C
    VECTOR, DEFAULT_VECTOR = 0x30, 0x34
    VECTORS, CONTROLS, SLOTS = 0x100, 0x200, 16
    SLOT_ENABLED, SLOT_SOURCE = 0x20, 0x1F

    def __init__(self) -> None:
        self.raised = Line.TX_EMPTY | Line.TX_NOT_FULL
        self.soft = self.enabled = self.selected = self.default = 0
        self.vectors = [0] * self.SLOTS
        self.controls = [0] * self.SLOTS

    @property
    def pending(self) -> int:
        return (self.raised | self.soft) & self.enabled

    @property
    def fast(self) -> int:
        """The pending interrupts that go to the fast input of the core."""
        return self.pending & self.selected

    def first(self) -> tuple[int, int]:
        """The first of the others, and the address of the code for it."""
        pending = self.pending & ~self.selected
        for control, vector in zip(self.controls, self.vectors, strict=True):
            source = 1 << (control & self.SLOT_SOURCE)
            if control & self.SLOT_ENABLED and pending & source:
                return source, vector
        return 0, self.default

    def read(self, offset: int) -> int:
        match offset:
            case self.IRQ_STATUS:
                return self.pending & ~self.selected
            case self.FIQ_STATUS:
                return self.fast
            case self.RAW:
                return self.raised | self.soft
            case self.SELECT:
                return self.selected
            case self.ENABLE:
                return self.enabled
            case self.SOFT_SET:
                return self.soft
            case self.VECTOR:
                return self.first()[1]
            case self.DEFAULT_VECTOR:
                return self.default
        slots = self.vectors if offset < self.CONTROLS else self.controls
        slot = (offset & 0xFF) // 4
        return slots[slot] if offset >= self.VECTORS and slot < self.SLOTS else 0

    def write(self, offset: int, value: int) -> None:
        match offset:
            case self.SELECT:
                self.selected = value
            case self.ENABLE:
                self.enabled |= value
            case self.DISABLE:
                self.enabled &= ~value
            case self.SOFT_SET:
                self.soft |= value
            case self.SOFT_CLEAR:
                self.soft &= ~value
            case self.DEFAULT_VECTOR:
                self.default = value
            case _ if self.VECTORS <= offset < self.VECTORS + 4 * self.SLOTS:
                self.vectors[(offset - self.VECTORS) // 4] = value
            case _ if self.CONTROLS <= offset < self.CONTROLS + 4 * self.SLOTS:
                self.controls[(offset - self.CONTROLS) // 4] = value


class Communications:
    """Sends and receives packets."""

    CONTROL, TX_DATA, TX_KEY, STATUS, RX_DATA, RX_KEY = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14
    SOURCE = 0x18
    EMPTY, NOT_FULL = 1 << 31, 1 << 28
    TYPE, FIXED_ROUTE = 0x00C00000, 0x00C00000
    HAS_PAYLOAD = 0x00020000
    RECEIVED = 1 << 31

    def __init__(self, vic: InterruptController, chip: tuple[int, int]) -> None:
        self._vic = vic
        self._source = chip[0] << 24 | chip[1] << 16
        self._control = 0
        self._payload: int | None = None
        self.sent: list[Packet] = []
        self._received: Packet | None = None

    def receive(self, packet: Packet) -> None:
        """Let a packet be there for the core to fetch."""
        self._received = packet
        kind = packet.control & self.TYPE
        line = Line.FIXED_ROUTE if kind == self.FIXED_ROUTE else Line.MULTICAST
        self._vic.raised |= Line.PACKET | line

    @property
    def occupied(self) -> bool:
        return self._received is not None

    def read(self, offset: int) -> int:
        packet = self._received
        match offset:
            case self.CONTROL:
                return self.EMPTY | self.NOT_FULL | self._control
            case self.STATUS if packet:
                has = 0 if packet.payload is None else self.HAS_PAYLOAD
                return self.RECEIVED | packet.control & self.TYPE | has
            case self.RX_DATA if packet:
                return packet.payload or 0
            case self.RX_KEY if packet:
                self._received = None
                self._vic.raised &= ~(Line.PACKET | Line.MULTICAST | Line.FIXED_ROUTE)
                return packet.key
            case self.SOURCE:
                return self._source
        return 0

    def write(self, offset: int, value: int) -> None:
        match offset:
            case self.TX_KEY:
                self.sent.append(Packet(value, self._payload, self._control & self.TYPE))
                self._payload = None
            case self.CONTROL:
                self._control = value & 0x00FF0000
            case self.TX_DATA:
                self._payload = value
            case self.SOURCE:
                self._source = value


class SystemController:
    """What the cores of a chip share: locks, flags, and interrupts to each other."""

    ENTRY_CODE = 0x5EC00000
    CHIP_ID, SET_IRQ, CLEAR_IRQ, MONITOR = 0x00, 0x08, 0x0C, 0x34
    SET_FLAGS, CLEAR_FLAGS = 0x58, 0x5C
    TEST_AND_SET, TEST_AND_CLEAR, LOCKS = 0x100, 0x180, 32
    IDENTITY = 0x59111012

    def __init__(
        self,
        vic: InterruptController,
        memory: ChipMemory,
        locks: Locks,
        to_monitor: Callable[[], None],
    ) -> None:
        self._vic, self._flags, self._locks = vic, memory.control, locks
        self._to_monitor = to_monitor
        self.held: set[int] = set()

    def read(self, offset: int) -> int:
        match offset:
            case self.CHIP_ID:
                return self.IDENTITY
            case self.SET_FLAGS | self.CLEAR_FLAGS:
                return int(self._flags[0])
            case _ if self.TEST_AND_SET <= offset < self.TEST_AND_SET + 4 * self.LOCKS:
                self._take((offset - self.TEST_AND_SET) // 4)
            case _ if self.TEST_AND_CLEAR <= offset < self.TEST_AND_CLEAR + 4 * self.LOCKS:
                self._give((offset - self.TEST_AND_CLEAR) // 4)
        return 0

    def write(self, offset: int, value: int) -> None:
        match offset:
            case self.SET_IRQ if value & 1:
                self._to_monitor()
            case self.CLEAR_IRQ:
                self._vic.raised &= ~Line.MONITOR
            case self.SET_FLAGS:
                self._flags[0] |= value & (1 << CORES) - 1
            case self.CLEAR_FLAGS:
                self._flags[0] &= ~value

    def _take(self, lock: int) -> None:
        """Wait for a lock: who holds it runs in another process and gives it back soon."""
        if lock not in self.held:
            self._locks.take(lock)
            self.held.add(lock)

    def _give(self, lock: int) -> None:
        if lock in self.held:
            self._locks.give(lock)
            self.held.discard(lock)

    def give_all(self) -> None:
        """What a core that stopped in the middle may have left."""
        for lock in tuple(self.held):
            self._give(lock)


class Locks(Protocol):
    """The test-and-set registers, whoever holds them."""

    def take(self, number: int) -> None: ...

    def give(self, number: int) -> None: ...
