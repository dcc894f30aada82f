"""Time and patience: the one place that sleeps, so that tests need not wait."""

from __future__ import annotations

import datetime
import random as chance
import time as times
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Clock:
    """The time of day, a time that only grows, a way to wait, and chance; all replaceable."""

    time: Callable[[], float] = times.time
    monotonic: Callable[[], float] = times.monotonic
    sleep: Callable[[float], None] = times.sleep
    random: Callable[[], float] = field(default=chance.SystemRandom().random)

    def stamp(self) -> str:
        """The time of day, ISO 8601, UTC."""
        now = datetime.datetime.fromtimestamp(self.time(), datetime.UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_since(stamp: str, clock: Clock) -> float:
    """Age of a time stamp in s; one that cannot be read is infinitely old."""
    try:
        then = datetime.datetime.fromisoformat(stamp)
    except ValueError:
        return float("inf")
    if then.tzinfo is None:
        then = then.replace(tzinfo=datetime.UTC)
    return clock.time() - then.timestamp()


GROWTH = 1.6
JITTER = 0.25
"""Share of a delay, up or down, that chance adds, so that many clients do not ask together."""


class Backoff:
    """Delays that grow from `first` to `last` s, with jitter, and never leave that range."""

    def __init__(self, first: float, last: float, clock: Clock) -> None:
        self._first, self._last, self._clock = first, last, clock
        self._next = first

    def reset(self) -> None:
        """Something happened: look closely again."""
        self._next = self._first

    def delay(self, at_least: float | None = None) -> float:
        """The next delay; what the service asked for (`at_least`) comes before the range."""
        delay = self._next * (1 + JITTER * (2 * self._clock.random() - 1))
        self._next = min(self._next * GROWTH, self._last)
        delay = min(max(delay, self._first), self._last)
        return delay if at_least is None else max(delay, at_least)
