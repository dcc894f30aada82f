"""What the monitor processor's software would have set up on a chip before any program starts.

The names and places are SARK's (the runtime system of SpiNNaker's cores): system variables `sv`,
a block `vcpu` of each core with its state and mailboxes, heaps, buffers for SDP messages.
"""

from __future__ import annotations

import struct

from .counting import CYCLES_PER_US
from .memory import CORES, SDRAM_BASE, SYSRAM_BASE, ChipMemory
from .peripherals import Locks

SV = 0xE5007F00
VCPU, VCPU_SIZE = 0xE5007000, 128


class State:
    """Of a core, in its vcpu block."""

    BEGINNING = 4
    RUN_TIME_ERROR, WATCHDOG = 2, 3
    RUNNING = 7
    IDLE = 15


class Field:
    """Offsets in a core's vcpu block."""

    REGISTERS, PSR, SP, LR = 0, 32, 36, 40
    ERROR_CODE, PHYSICAL_CORE, STATE, APP_ID = 44, 45, 46, 47
    TO_CORE, FROM_CORE, TO_CORE_FLAG, FROM_CORE_FLAG = 48, 52, 56, 57
    NAME, USER = 72, 112


class Mail:
    """What a mailbox's flag says is in it."""

    IDLE, MESSAGE, NOTHING, SIGNAL = 0, 1, 2, 3


class Lock:
    """Of the test-and-set registers, the one for the list of free messages."""

    MESSAGES = 0


MESSAGES, MESSAGE_SIZE, N_MESSAGES = 0xE5000200, 292, 32
"""The buffers for messages, in system RAM."""
_SYSRAM_HEAP, _SYSRAM_TOP = 0xE5002700, 0xE5007000
_SDRAM_HEAP, _SDRAM_SYSTEM = SDRAM_BASE, 0x675C0000
_SYSTEM_HEAP_TOP = 0x67E00000
_SYSTEM_BUFFERS, _BUFFER_WORDS = 0x67E00000, 0x2000
_TAGS, _ROUTES, _APPS, _SCRATCH = 0x67F00000, 0x67F40000, 0x67F50000, 0xE5000100
_N_APPS, N_ROUTES = 256, 1024
_ROUTE = struct.Struct("<2H3I")

_VERSION = 0x00040100
_IOBUF_SIZE = 16384
_MEMORY_MHZ = 130
IN_USE = 0xFFFF0000
"""In the second word of a block of a heap, with the application's number and a tag."""
_LINKS = 0x3F
_NAME = b"scamp-emulated\0\0"


def vcpu(core: int) -> int:
    """The address of a core's block."""
    return VCPU + VCPU_SIZE * core


def _heap(memory: ChipMemory, base: int, top: int) -> None:
    """Root (first free block, first, last, free bytes), one free block, the end."""
    first, last = base + 16, top - 8
    memory.write(0, base, struct.pack("<6I", first, first, last, last - first - 8, last, 0))
    memory.write(0, last, bytes(8))


def _messages(memory: ChipMemory) -> None:
    """Chain the buffers: the first word of each points to the next."""
    ends = [MESSAGES + MESSAGE_SIZE * n for n in range(N_MESSAGES)]
    for address, following in zip(ends, [*ends[1:], 0], strict=True):
        memory.set_word(address, following)
    memory.write(0, SV + 0x68, struct.pack("<IHH", MESSAGES, 0, 0))


def _routes(memory: ChipMemory) -> None:
    """The copy of the router's table with its list of free entries; no entry of it matches."""
    memory.write(0, _ROUTES, _ROUTE.pack(0, 0, 0, 0xFFFFFFFF, 0) * N_ROUTES)
    memory.write(0, _ROUTES + _ROUTE.size, struct.pack("<2H", N_ROUTES, 0))
    memory.write(0, SV + 0xE0, struct.pack("<H", 1))


def set_up(memory: ChipMemory, x: int, y: int, size: tuple[int, int]) -> None:
    """Write everything that a chip's programs and the host expect to find."""

    def put(offset: int, form: str, *values: int) -> None:
        memory.write(0, SV + offset, struct.pack("<" + form, *values))

    put(0x00, "4B", y, x, size[1], size[0])
    put(0x06, "B", 1)
    put(0x08, "4B", 0, 0, 5, int((x, y) == (0, 0)))
    put(0x24, "2H", CYCLES_PER_US, _MEMORY_MHZ)
    put(0x40, "2B", int((x, y) == (0, 0)), N_MESSAGES)
    put(0x48, "2I", _SYSRAM_HEAP, _SDRAM_HEAP)
    put(0x50, "3I", _IOBUF_SIZE, _SYSTEM_BUFFERS, _BUFFER_WORDS)
    put(0x65, "B", _LINKS)
    put(0x80, "20B", *([0] * 20))
    put(0x94, "20B", *range(CORES), 0, 0)
    put(0xA8, "20B", *range(CORES), 0, 0)
    put(0xBC, "2B", CORES, CORES)
    put(0xC0, "4I", _SDRAM_HEAP, _SYSRAM_HEAP, _SDRAM_SYSTEM, VCPU)
    put(0xD0, "4I", _SDRAM_SYSTEM, _ROUTES, 0, _TAGS)
    put(0xE4, "2I", _APPS, MESSAGES)
    put(0xFC, "I", _VERSION)
    _heap(memory, _SYSRAM_HEAP, _SYSRAM_TOP)
    _heap(memory, _SDRAM_HEAP, _SDRAM_SYSTEM)
    _heap(memory, _SDRAM_SYSTEM, _SYSTEM_HEAP_TOP)
    _messages(memory)
    _routes(memory)
    for core in range(CORES):
        reset_block(memory, core)
    memory.write(0, vcpu(0) + Field.STATE, bytes([State.RUNNING]))
    memory.write(0, vcpu(0) + Field.NAME, _NAME)
    memory.control[0] = 0


def reset_block(memory: ChipMemory, core: int) -> None:
    """A core that does nothing; the words that are the user's stay."""
    memory.write(0, vcpu(core), bytes(Field.USER))
    set_state(memory, core, State.IDLE, 0)


def set_state(memory: ChipMemory, core: int, state: int, app_id: int) -> None:
    memory.write(0, vcpu(core) + Field.PHYSICAL_CORE, bytes([core, state, app_id]))


def state(memory: ChipMemory, core: int) -> int:
    return memory.view(0, vcpu(core) + Field.STATE, 1)[0]


def app_id(memory: ChipMemory, core: int) -> int:
    return memory.view(0, vcpu(core) + Field.APP_ID, 1)[0]


def mailbox_free(memory: ChipMemory, core: int) -> bool:
    """Whether the core has taken what was last put into its mailbox."""
    return memory.view(0, vcpu(core) + Field.TO_CORE_FLAG, 1)[0] == Mail.IDLE


def _post(memory: ChipMemory, core: int, kind: int, value: int) -> None:
    memory.set_word(vcpu(core) + Field.TO_CORE, value)
    memory.write(0, vcpu(core) + Field.TO_CORE_FLAG, bytes([kind]))


def post_signal(memory: ChipMemory, core: int, signal: int) -> None:
    """Put a signal into a core's mailbox, which must be free."""
    _post(memory, core, Mail.SIGNAL, signal)


def post_message(memory: ChipMemory, core: int, message: bytes, locks: Locks) -> bool:
    """Put an SDP message into a core's mailbox; False if there is no buffer for it now."""
    locks.take(Lock.MESSAGES)
    buffer = memory.word(SV + 0x68)
    if buffer:
        memory.set_word(SV + 0x68, memory.word(buffer))
    locks.give(Lock.MESSAGES)
    if not buffer:
        return False
    memory.write(0, buffer + 4, struct.pack("<2H", len(message), 0) + message)
    _post(memory, core, Mail.MESSAGE, buffer)
    return True


def collect_message(memory: ChipMemory, core: int, locks: Locks) -> bytes | None:
    """Take the message that a core has handed to its monitor, if there is one."""
    memory.set_word(SV + 0xEC, 0)  # the core holds the lock for these flags
    block = vcpu(core)
    if memory.view(0, block + Field.FROM_CORE_FLAG, 1)[0] != Mail.MESSAGE:
        return None
    buffer = memory.word(block + Field.FROM_CORE)
    length = struct.unpack("<H", memory.read(0, buffer + 4, 2))[0]
    message = memory.read(0, buffer + 8, length)
    locks.take(Lock.MESSAGES)
    memory.set_word(buffer, memory.word(SV + 0x68))
    memory.set_word(SV + 0x68, buffer)
    locks.give(Lock.MESSAGES)
    memory.write(0, block + Field.FROM_CORE_FLAG, bytes([Mail.IDLE]))
    return message


assert MESSAGES + N_MESSAGES * MESSAGE_SIZE <= _SYSRAM_HEAP
assert SYSRAM_BASE <= _SCRATCH < MESSAGES


def free_buffers(memory: ChipMemory, app_id: int) -> None:
    """Give back what an application's cores have allocated for their logs."""
    heap = memory.word(SV + 0xD0)
    blocks, address = [], memory.word(heap + 4)
    while following := memory.word(address):
        blocks.append((address, following, memory.word(address + 4)))
        address = following
    if not any(_owned(free, app_id) for _, _, free in blocks):
        return
    kept: list[tuple[int, int, int | None]] = []
    for address, following, free in blocks:
        used = free if free & IN_USE == IN_USE and not _owned(free, app_id) else None
        if used is None and kept and kept[-1][2] is None:
            kept[-1] = (kept[-1][0], following, None)
        else:
            kept.append((address, following, used))
    next_free = 0
    for address, following, used in reversed(kept):
        memory.write(0, address, struct.pack("<2I", following, used or next_free))
        next_free = next_free if used else address
    memory.set_word(heap, next_free)
    memory.set_word(heap + 12, sum(b - a for a, b, used in kept if used is None))


def _owned(free: int, app_id: int) -> bool:
    return free & IN_USE == IN_USE and free >> 8 & 0xFF == app_id
