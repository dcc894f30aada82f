"""The DMA controller of a core (SpiNNaker datasheet 2.02, chapter 7)."""

from __future__ import annotations

from .memory import ChipMemory, NoMemoryError
from .peripherals import InterruptController, Line


class DmaController:
    """Copies between a core's own memory and the chip's.

    What cores write while a tick begins is not in the chip's memory before all of them have begun
    it (`hold`, `settle`): on the machine, too, cores read there what others wrote in the last tick
    long before those have computed what they write in this one.
    """

    SYSTEM, OWN, DESCRIPTION, CONTROL, STATUS = 0x04, 0x08, 0x0C, 0x10, 0x14
    LENGTH, TO_SYSTEM = 0x1FFFF, 1 << 19
    CLEAR_DONE, ABORT = 0x08, 0x02
    DONE = 0x400

    def __init__(self, vic: InterruptController, memory: ChipMemory, core: int) -> None:
        self._vic, self._memory, self._core = vic, memory, core
        self._system = self._own = 0
        self._done = 0
        self._holding = False
        self._held: list[tuple[int, bytes]] = []

    def hold(self) -> None:
        """Keep what is written to the chip's memory, until `settle`."""
        self._holding = True

    @property
    def holds(self) -> bool:
        return bool(self._held)

    def settle(self) -> None:
        """Write what was kept, and keep no more."""
        self._write_held()
        self._holding = False

    def _write_held(self) -> None:
        for address, content in self._held:
            self._memory.write(self._core, address, content)
        self._held.clear()

    def read(self, offset: int) -> int:
        match offset:
            case self.STATUS:
                return self._core << 24 | self._done
            case self.SYSTEM:
                return self._system
            case self.OWN:
                return self._own
        return 0

    def write(self, offset: int, value: int) -> None:
        match offset:
            case self.SYSTEM:
                self._system = value
            case self.OWN:
                self._own = value
            case self.DESCRIPTION:
                self._copy(value & self.LENGTH, bool(value & self.TO_SYSTEM))
            case self.CONTROL if value & (self.CLEAR_DONE | self.ABORT):
                self._done = 0
                self._vic.raised &= ~(Line.DMA_DONE | Line.DMA_ERROR)

    def _copy(self, length: int, to_system: bool) -> None:
        try:
            system = self._memory.view(self._core, self._system, length)
            own = self._memory.view(self._core, self._own, length)
        except NoMemoryError:
            self._vic.raised |= Line.DMA_ERROR
            return
        if not to_system:
            self._write_held()  # it may read what it wrote itself
            own[:] = system
        elif self._holding:
            self._held.append((self._system, bytes(own)))
        else:
            system[:] = own
        self._done = self.DONE
        self._vic.raised |= Line.DMA_DONE
