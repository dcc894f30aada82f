"""A few ARM instructions, put together into programs for one core of SpiNNaker."""

import struct

WAIT = 0xEE070F90
RETURN = 0xE25EF004
"""From an interrupt's handler: subs pc, lr, #4."""

VIC, TIMERS, COMMUNICATIONS, DMA = 0x1F000000, 0x11000000, 0x10000000, 0x30000000
ALWAYS, EQUAL, NOT_EQUAL = 14, 0, 1


def load(rd, rn, offset=0):
    return 0xE5900000 | rn << 16 | rd << 12 | offset


def store(rd, rn, offset=0):
    return 0xE5800000 | rn << 16 | rd << 12 | offset


def add(rd, rn, rm):
    return 0xE0800000 | rn << 16 | rd << 12 | rm


def add_small(rd, rn, value):
    return 0xE2800000 | rn << 16 | rd << 12 | value


def subtract_small(rd, rn, value):
    """It sets the flags, too."""
    return 0xE2500000 | rn << 16 | rd << 12 | value


def multiply(rd, rm, rs):
    return 0xE0000090 | rd << 16 | rs << 8 | rm


def compare(rn, rm):
    return 0xE1500000 | rn << 16 | rm


def value(rd, number):
    """Load a register with any number."""
    return ("value", rd, number)


def branch(label, condition=ALWAYS):
    return ("branch", label, condition)


def assemble(*items):
    """The words of a program: instructions, names of places ("here:"), branches and values."""
    places, at = {}, 0
    for item in items:
        if isinstance(item, str):
            places[item.rstrip(":")] = at
        else:
            at += 4
    numbers = [item[2] for item in items if isinstance(item, tuple) and item[0] == "value"]
    pool = {number: at + 4 * n for n, number in enumerate(dict.fromkeys(numbers))}
    words = []
    for item in items:
        here = 4 * len(words)
        if isinstance(item, int):
            words.append(item)
        elif isinstance(item, tuple) and item[0] == "value":
            words.append(load(item[1], 15, pool[item[2]] - here - 8))
        elif isinstance(item, tuple):
            distance = places[item[1]] - here - 8 >> 2
            words.append(item[2] << 28 | 0x0A000000 | distance & 0xFFFFFF)
    return struct.pack(f"<{len(words) + len(pool)}I", *words, *pool)


def aplx(code):
    """A program for address 0, as SpiNNaker's loader takes it."""
    commands = struct.pack("<8I", 2, 0, 32, len(code), 4, 0, 0, 0)
    return commands + code


def vectors(fast="stop"):
    """The first words of a program; it begins at the place "start"."""
    return (
        branch("start"),
        *[branch("stop")] * 6,
        branch(fast),
        "stop:",
        branch("stop"),
    )


def timer(period, handler_place):
    """Set up interrupts of the first timer."""
    return (
        value(0, VIC),
        value(1, handler_place),
        store(1, 0, 0x100),
        value(1, 0x20 | 4),
        store(1, 0, 0x200),
        value(1, 1 << 4),
        store(1, 0, 0x10),
        value(0, TIMERS),
        value(1, period),
        store(1, 0, 0x00),
        value(1, 0xE2),
        store(1, 0, 0x08),
    )
