"""Programs for single cores of SpiNNaker, put together for the tests of the emulated chips."""

from __future__ import annotations

import arm

from backends.spinnaker.emulator.memory import DTCM_BASE, SDRAM_BASE

RESULT = SDRAM_BASE + 0x100000
PERIOD = 200_000
HANDLER = 4 * 30
SHARED = RESULT + 0x8000


def result(core: int) -> int:
    """Where a program of a core leaves what it finds."""
    return RESULT + 0x100 * core


def padded(items: list, place: int) -> list:
    """Items, filled up so that the next one is at a place."""
    n = sum(not isinstance(item, str) for item in items)
    return [*items, *[arm.branch("stop")] * (place // 4 - n)]


def sender(core: int, key: int, ticks: int, packets: int = 1, work: int = 0) -> bytes:
    """In each of its ticks it sends packets: its key, and the number of the packet so far."""
    begin = [*arm.vectors(), "start:", *arm.timer(PERIOD, HANDLER)]
    begin += ["wait:", arm.WAIT, arm.branch("wait")]
    spend = [arm.value(7, work), "spend:", arm.subtract_small(7, 7, 1)]
    spend += [arm.branch("spend", arm.NOT_EQUAL)]
    return arm.assemble(
        *padded(begin, HANDLER),
        arm.value(1, arm.TIMERS),
        arm.store(0, 1, 0x0C),
        *(spend if work else []),
        arm.value(2, result(core)),
        arm.load(3, 2),
        arm.value(6, key),
        arm.value(4, arm.COMMUNICATIONS),
        arm.value(8, packets),
        "send:",
        arm.add_small(3, 3, 1),
        arm.store(3, 4, 0x04),
        arm.store(6, 4, 0x08),
        arm.subtract_small(8, 8, 1),
        arm.branch("send", arm.NOT_EQUAL),
        arm.store(3, 2),
        arm.value(5, ticks * packets),
        arm.compare(3, 5),
        arm.branch("back", arm.NOT_EQUAL),
        arm.value(0, 0),
        arm.store(0, 1, 0x08),
        "back:",
        arm.RETURN,
    )


def receiver(core: int) -> bytes:
    """It folds what it receives into a number that depends on the order, and counts it."""
    return arm.assemble(
        *arm.vectors(fast="packet"),
        "packet:",
        arm.value(0, arm.COMMUNICATIONS),
        arm.load(1, 0, 0x10),
        arm.load(2, 0, 0x14),
        arm.add(1, 1, 2),
        arm.value(3, result(core)),
        arm.load(4, 3),
        arm.value(5, 1_000_003),
        arm.multiply(4, 4, 5),
        arm.add(4, 4, 1),
        arm.store(4, 3),
        arm.load(4, 3, 4),
        arm.add_small(4, 4, 1),
        arm.store(4, 3, 4),
        arm.RETURN,
        "start:",
        arm.value(0, arm.VIC),
        arm.value(1, 1 << 24),
        arm.store(1, 0, 0x0C),
        arm.store(1, 0, 0x10),
        "wait:",
        arm.WAIT,
        arm.branch("wait"),
    )


def spinning() -> bytes:
    return arm.assemble(*arm.vectors(), "start:", arm.branch("start"))


def copier(length: int, own: int) -> bytes:
    """Copies from SDRAM by DMA; leaves the status register."""
    return arm.assemble(
        *arm.vectors(),
        "start:",
        arm.value(0, arm.DMA),
        arm.value(1, RESULT),
        arm.store(1, 0, 0x04),
        arm.value(1, own),
        arm.store(1, 0, 0x08),
        arm.value(1, length),
        arm.store(1, 0, 0x0C),
        arm.load(2, 0, 0x14),
        arm.value(3, result(1)),
        arm.store(2, 3),
        "wait:",
        arm.WAIT,
        arm.branch("wait"),
    )


def watcher() -> bytes:
    """At each tick it sets its second timer, and looks at that until it has run out."""
    begin = [*arm.vectors(), "start:", *arm.timer(PERIOD, HANDLER)]
    begin += ["wait:", arm.WAIT, arm.branch("wait")]
    return arm.assemble(
        *padded(begin, HANDLER),
        arm.value(1, arm.TIMERS),
        arm.store(0, 1, 0x0C),
        arm.value(2, 150_000),
        arm.store(2, 1, 0x20),
        arm.value(2, 0xE3),
        arm.store(2, 1, 0x28),
        "look:",
        arm.load(2, 1, 0x24),
        arm.value(3, 0),
        arm.compare(2, 3),
        arm.branch("look", arm.NOT_EQUAL),
        arm.store(2, 1, 0x2C),
        arm.value(2, result(1)),
        arm.load(3, 2),
        arm.add_small(3, 3, 1),
        arm.store(3, 2),
        arm.value(5, 3),
        arm.compare(3, 5),
        arm.branch("back", arm.NOT_EQUAL),
        arm.value(0, 0),
        arm.store(0, 1, 0x08),
        "back:",
        arm.RETURN,
    )


def exchanger(core: int, ticks: int, to_shared: bool) -> bytes:
    """In each tick it writes the tick's number to the shared word by DMA, or folds what it reads
    there into its result."""
    begin = [*arm.vectors(), "start:", *arm.timer(PERIOD, HANDLER)]
    begin += ["wait:", arm.WAIT, arm.branch("wait")]
    count = [arm.value(2, DTCM_BASE), arm.load(3, 2), arm.add_small(3, 3, 1), arm.store(3, 2)]
    copy = [arm.value(4, arm.DMA), arm.value(5, SHARED), arm.store(5, 4, 0x04)]
    copy += [arm.value(5, DTCM_BASE if to_shared else DTCM_BASE + 4), arm.store(5, 4, 0x08)]
    copy += [arm.value(5, 4 | (to_shared << 19)), arm.store(5, 4, 0x0C)]
    fold = [arm.load(5, 2, 4), arm.value(6, result(core)), arm.load(7, 6)]
    fold += [arm.value(8, 100), arm.multiply(7, 7, 8), arm.add(7, 7, 5), arm.store(7, 6)]
    return arm.assemble(
        *padded(begin, HANDLER),
        arm.value(1, arm.TIMERS),
        arm.store(0, 1, 0x0C),
        *count,
        *copy,
        *([] if to_shared else fold),
        arm.value(5, ticks),
        arm.compare(3, 5),
        arm.branch("back", arm.NOT_EQUAL),
        arm.value(0, 0),
        arm.store(0, 1, 0x08),
        "back:",
        arm.RETURN,
    )
