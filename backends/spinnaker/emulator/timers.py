"""The two timers of a core (SpiNNaker datasheet 2.02, chapter 6; they are ARM's SP804)."""

from __future__ import annotations

from collections.abc import Callable

from .peripherals import InterruptController, Line


class Timer:
    """One of the two timers of a core.

    It counts the core's instructions down from the last tick, but never to the end by itself:
    the tick ends when all cores are done with it (`expire`), however long they took.
    """

    LOAD, COUNT, CONTROL, CLEAR, RAW, MASKED, BACKGROUND = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18
    ENABLED, INTERRUPTS, ONE_SHOT = 0x80, 0x20, 0x01

    def __init__(self, vic: InterruptController, line: int, clock: Callable[[], int]) -> None:
        self._vic, self._line, self._clock = vic, line, clock
        self.load = self.background = self.control = 0
        self._since = 0
        self.expired = False
        self.started = False
        """Whether it has been started since the last time that was asked and set back."""

    @property
    def armed(self) -> bool:
        """Whether it will raise an interrupt."""
        return self.control & (self.ENABLED | self.INTERRUPTS) == (self.ENABLED | self.INTERRUPTS)

    @property
    def period(self) -> int:
        return self.background or self.load

    def expire(self) -> None:
        """It has counted to the end."""
        self._since = self._clock()
        self.expired = bool(self.control & self.ONE_SHOT)
        self._vic.raised |= self._line

    @property
    def count(self) -> int:
        if self.expired:
            return 0
        if not self.control & self.ENABLED:
            return self.load
        if self.control & self.ONE_SHOT:
            return max(1, self.load)  # code that looks at it only waits for the end
        return max(1, self.load - (self._clock() - self._since))

    def read(self, offset: int) -> int:
        match offset:
            case self.LOAD:
                return self.load
            case self.COUNT:
                return self.count
            case self.CONTROL:
                return self.control
            case self.RAW:
                return int(self._vic.raised & self._line != 0)
            case self.MASKED:
                raised = self._vic.raised & self._line and self.control & self.INTERRUPTS
                return int(raised != 0)
            case self.BACKGROUND:
                return self.background
        return 0

    def write(self, offset: int, value: int) -> None:
        match offset:
            case self.LOAD:
                self.load, self.background = value, 0
                self._restart()
            case self.CONTROL:
                self.started |= bool(value & self.ENABLED and not self.control & self.ENABLED)
                self.control = value
                self._restart()
            case self.CLEAR:
                self._vic.raised &= ~self._line
            case self.BACKGROUND:
                self.background = value

    def _restart(self) -> None:
        self._since = self._clock()
        self.expired = False


class Timers:
    """The page with both."""

    SECOND = 0x20

    def __init__(self, vic: InterruptController, clock: Callable[[], int]) -> None:
        self.first = Timer(vic, Line.TIMER1, clock)
        self.second = Timer(vic, Line.TIMER2, clock)
        self.polled: Callable[[], None] = lambda: None
        """Called when code looks at the second timer's count."""

    def read(self, offset: int) -> int:
        if offset < self.SECOND:
            return self.first.read(offset)
        if offset == self.SECOND + Timer.COUNT:
            self.polled()
        return self.second.read(offset - self.SECOND)

    def write(self, offset: int, value: int) -> None:
        timer = self.first if offset < self.SECOND else self.second
        timer.write(offset % self.SECOND, value)
