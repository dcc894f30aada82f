"""The processes that compute the cores of a board.

One of them is the board's own. The others are forked when the board is made, so that they share
the chips' memories with it, and are told in each round what has come for their cores.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import traceback
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection

from .crew import Crew, Orders, Outcome
from .memory import ChipMemory
from .peripherals import Locks, SystemController
from .router import Chip, Place

_fork = multiprocessing.get_context("fork")
_ENDING = 2.0
"""s that a process may take to end."""
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG, linux/prctl.h


class OwnLocks:
    """Where one process computes everything nobody waits for a lock."""

    def take(self, number: int) -> None: ...

    def give(self, number: int) -> None: ...


class SharedLocks:
    """Each of the test-and-set registers, of all chips at once."""

    def __init__(self) -> None:
        self._locks = [_fork.Lock() for _ in range(SystemController.LOCKS)]

    def take(self, number: int) -> None:
        self._locks[number].acquire()

    def give(self, number: int) -> None:
        self._locks[number].release()


class WorkerError(RuntimeError):
    """A process of the emulator has failed."""


class Crews:
    """All cores, spread over this process and others."""

    def __init__(self, memories: Mapping[Chip, ChipMemory], processes: int) -> None:
        if processes < 1:
            raise ValueError(f"processes = {processes}: at least 1")
        self.locks: Locks = SharedLocks() if processes > 1 else OwnLocks()
        self._workers: list[_Worker] = []
        for _ in range(processes - 1):
            self._workers.append(_Worker(memories, self.locks, self._workers))
        self._crew = Crew(memories, self.locks)
        self._members: dict[Place, int] = {}
        self._busy = [False] * processes
        self._owes = [False] * processes

    def assign(self, place: Place) -> None:
        """Choose who computes a core from now on: who has the fewest, this process first."""
        loads = [0] * len(self._busy)
        for member in self._members.values():
            loads[member] += 1
        self._members[place] = loads.index(min(loads))

    def release(self, place: Place) -> bool:
        """Nobody computes a core any more; whether someone did."""
        return self._members.pop(place, None) is not None

    @property
    def owes(self) -> bool:
        """Whether there is something to settle."""
        return any(self._owes)

    def round(self, orders: Orders) -> list[Outcome]:
        """What the cores of every process did with what has come for them."""
        mine, *shares = self._share(orders)
        asked = [n for n, share in enumerate(shares) if share or self._busy[n + 1]]
        for n in asked:
            self._workers[n].ask(shares[n])
        own = bool(mine) or self._busy[0]
        outcomes = [self._crew.round(mine)] if own else []
        outcomes += [self._workers[n].answer() for n in asked]
        members = [0] * own + [n + 1 for n in asked]
        for n, outcome in zip(members, outcomes, strict=True):
            self._busy[n], self._owes[n] = outcome.busy, outcome.owes
        return outcomes

    def _share(self, orders: Orders) -> list[Orders]:
        if not self._workers:
            return [orders]
        shares = [Orders() for _ in self._busy]
        for share, owes in zip(shares, self._owes, strict=True):
            share.stops, share.settle = orders.stops, orders.settle and owes
        for beginning in orders.beginnings:
            shares[self._members[beginning.place]].beginnings.append(beginning)
        for name in ("mail", "ends", "ticks"):
            for place in getattr(orders, name):
                if place in self._members:
                    getattr(shares[self._members[place]], name).append(place)
        for place, packets in orders.packets:
            if place in self._members:
                shares[self._members[place]].packets.append((place, packets))
        return shares

    def close(self) -> None:
        for worker in self._workers:
            worker.close()


class _Worker:
    """One process."""

    def __init__(
        self, memories: Mapping[Chip, ChipMemory], locks: Locks, others: Sequence[_Worker]
    ) -> None:
        self._pipe, theirs = _fork.Pipe()
        not_its_own = [self._pipe, *(other._pipe for other in others)]
        self._process = _fork.Process(
            target=_work,
            args=(theirs, not_its_own, memories, locks),
            daemon=True,
            name="spinnaker-cores",
        )
        self._process.start()
        theirs.close()

    def ask(self, orders: Orders) -> None:
        self._pipe.send(orders)

    def answer(self) -> Outcome:
        try:
            outcome = self._pipe.recv()
        except EOFError as error:
            self._process.join()
            raise WorkerError(
                f"a process of the emulator ended with code {self._process.exitcode}"
            ) from error
        if isinstance(outcome, Outcome):
            return outcome
        raise WorkerError(f"a process of the emulator failed:\n{outcome}")

    def close(self) -> None:
        self._pipe.close()
        self._process.join(_ENDING)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()


def _work(
    pipe: Connection,
    not_its_own: Sequence[Connection],
    memories: Mapping[Chip, ChipMemory],
    locks: Locks,
) -> None:
    """Compute until the other end is closed, which no other process may keep open."""
    ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for inherited in not_its_own:
        inherited.close()
    crew = Crew(memories, locks)
    while True:
        try:
            orders = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: Outcome | str = crew.round(orders)
        except Exception:
            answer = traceback.format_exc()
        pipe.send(answer)
