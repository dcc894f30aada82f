"""The cores that one process computes, and what is asked of them and answered in a round.

In a round every core is given what has come for it (a program, mail, packets, the end of a tick)
and runs until it is quiet. Cores of a round do not wait for each other, so it does not matter in
which process they are, nor in which order they run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from . import system
from .aplx import parse
from .core import Core
from .memory import ChipMemory
from .peripherals import Line, Locks, Packet
from .router import Chip, Place

SLICE = 2_000_000
"""Instructions that a core runs at a time: others of its chip may wait for it, or it for them, and
the host for an answer."""
WATCHDOG = 20_000_000_000
"""Instructions without a wait (100 s of a real core) after which a core is given up."""
PATIENCE = 0.1
"""Seconds after which a process reports, finished or not."""


class Beginning(NamedTuple):
    """A program for a core."""

    place: Place
    image: bytes
    app_id: int
    wait: bool


@dataclass
class Orders:
    """What comes to the cores in a round."""

    stops: list[Place] = field(default_factory=list)
    beginnings: list[Beginning] = field(default_factory=list)
    mail: list[Place] = field(default_factory=list)
    ends: list[Place] = field(default_factory=list)
    """Cores whose second timer has run out."""
    ticks: list[Place] = field(default_factory=list)
    """Cores whose first timer has run out."""
    packets: list[tuple[Place, list[Packet]]] = field(default_factory=list)
    settle: bool = False
    """Whether what cores wrote as the tick began comes into the chips' memories now."""

    def __bool__(self) -> bool:
        return any(
            (
                self.stops,
                self.beginnings,
                self.mail,
                self.ends,
                self.ticks,
                self.packets,
                self.settle,
            )
        )


class Timing(NamedTuple):
    """What a core's timers are about to do."""

    period: int
    """Cycles of its ticks; 0: none."""
    ends: bool
    """Whether the second timer will run out in this tick."""


@dataclass
class Outcome:
    """What the cores did in a round."""

    sent: list[tuple[Place, list[Packet]]] = field(default_factory=list)
    messages: list[tuple[Place, bytes]] = field(default_factory=list)
    timings: list[tuple[Place, Timing, bool]] = field(default_factory=list)
    """Of cores where it changed; whether the first timer was started anew."""
    busy: bool = False
    """Whether some are not quiet yet."""
    owes: bool = False
    """Whether some have written what is to be settled."""
    instructions: list[tuple[Place, int]] = field(default_factory=list)
    """Of all cores that ran."""


class Crew:
    """Some of the cores of a board."""

    def __init__(self, memories: Mapping[Chip, ChipMemory], locks: Locks) -> None:
        self._memories, self._locks = memories, locks
        self._cores: dict[Place, Core] = {}
        self._timings: dict[Place, Timing] = {}
        self._active: dict[Place, Core] = {}
        self._messages: list[tuple[Place, bytes]] = []
        self._holding: list[Core] = []

    def round(self, orders: Orders) -> Outcome:
        """Give the cores what has come, and let them run."""
        self._take(orders)
        until = time.monotonic() + PATIENCE
        outcome = Outcome()
        for place in sorted(self._active):
            core = self._active[place]
            before = core.instructions
            core.run(SLICE)
            outcome.instructions.append((place, core.instructions - before))
            self._report(core, outcome)
            if core.quiet:
                del self._active[place]
            elif core.since_wait > WATCHDOG:
                self._give_up(core)
            if time.monotonic() > until:
                break
        outcome.busy = bool(self._active)
        outcome.owes = any(core.dma.holds for core in self._holding)
        outcome.messages, self._messages = self._messages, []
        return outcome

    def _take(self, orders: Orders) -> None:
        if orders.settle or orders.packets or orders.ends:  # the tick has begun everywhere
            for holding in self._holding:
                holding.dma.settle()
            self._holding = []
        for place in orders.stops:
            self._cores.pop(place, None)
            self._active.pop(place, None)
            self._timings.pop(place, None)
        for beginning in orders.beginnings:
            self._begin(beginning)
        for place in orders.mail:
            if core := self._wake(place):
                core.vic.raised |= Line.MONITOR
        for place in orders.ends:
            if core := self._wake(place):
                core.timers.second.expire()
        for place in orders.ticks:
            if core := self._wake(place):
                core.timers.first.expire()
                core.dma.hold()
                self._holding.append(core)
        for place, packets in orders.packets:
            if core := self._wake(place):
                core.inbox.extend(packets)

    def _wake(self, place: Place) -> Core | None:
        core = self._cores.get(place)
        if core is not None:
            self._active[place] = core
        return core

    def _begin(self, beginning: Beginning) -> None:
        place = beginning.place
        memory = self._memories[place[:2]]
        core = Core(memory, place, self._locks, lambda: self._collect(place))
        core.load(parse(beginning.image), beginning.app_id, beginning.wait)
        self._cores[place] = core
        self._active[place] = core

    def _collect(self, place: Place) -> None:
        """A core has a message for its monitor, and waits until it has been taken."""
        memory = self._memories[place[:2]]
        message = system.collect_message(memory, place[2], self._locks)
        if message is not None:
            self._messages.append((place, message))

    def _report(self, core: Core, outcome: Outcome) -> None:
        if core.communications.sent:
            outcome.sent.append((core.place, core.communications.sent))
            core.communications.sent = []
        first, second = core.timers.first, core.timers.second
        ticks = first.armed and core.vic.enabled & Line.TIMER1
        timing = Timing(first.period if ticks else 0, second.armed and not second.expired)
        if first.started or timing != self._timings.get(core.place):
            outcome.timings.append((core.place, timing, first.started))
            self._timings[core.place] = timing
            first.started = False

    def _give_up(self, core: Core) -> None:
        x, y, number = core.place
        memory = self._memories[x, y]
        system.set_state(memory, number, system.State.WATCHDOG, system.app_id(memory, number))
        core.dead = True
        del self._active[core.place]
