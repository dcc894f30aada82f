"""Several packets to a core in one go of the engine.

A packet is a fast interrupt, and an interrupt costs a start of the engine, which takes longer than
its handler. A few instructions of our own, in memory that programs do not use, therefore call the
handler for one packet after another; a device beside them tells whether there is one more. They
run in the mode of fast interrupts with its own registers, so that the program does not notice.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from unicorn import arm_const as arm

from .engine import Engine, Registers

DEVICE, CODE = 0x0FFFE000, 0x0FFFD000
_INSTRUCTIONS = (
    0xE5998000,  # again: ldr r8, [r9]      is there one more packet?
    0xE3580000,  #        cmp r8, #0
    0x0A000003,  #        beq done
    0xE10F8000,  # begin: mrs r8, cpsr      the handler returns in this mode
    0xE16FF008,  #        msr spsr_cxsf, r8
    0xE24FE018,  #        sub lr, pc, #24   to "again" (a handler returns to lr - 4)
    0xE3A0F01C,  #        mov pc, #0x1c     the vector of fast interrupts
    0xE16FF00A,  # done:  msr spsr_cxsf, r10
    0xE1B0F00B,  #        movs pc, r11      back to the program
)
BEGIN = CODE + 4 * 3
EACH = 7
"""Instructions of a round, which are not the program's."""


class Bursts:
    """The device, and the registers that the code needs."""

    def __init__(self, engine: Engine, following: Callable[[], bool]) -> None:
        """`following` lets the next packet be there, if there is one."""
        self._following = following
        engine.map_page(CODE)
        engine.write(CODE, struct.pack(f"<{len(_INSTRUCTIONS)}I", *_INSTRUCTIONS))
        engine.map_device(DEVICE, self)
        self._registers = Registers(
            engine,
            (arm.UC_ARM_REG_CPSR, arm.UC_ARM_REG_R9, arm.UC_ARM_REG_R10, arm.UC_ARM_REG_R11),
        )

    def enter(self, entered: int, status: int, back: int) -> int:
        """Prepare a burst in the mode `entered`; where to start the engine."""
        self._registers.set(entered, DEVICE, status, back)
        return BEGIN

    def read(self, offset: int) -> int:
        return int(self._following())

    def write(self, offset: int, value: int) -> None:
        """Nothing can be written."""
