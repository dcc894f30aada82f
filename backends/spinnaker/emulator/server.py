"""The process that is the machine: it answers the host over UDP, and computes in between.

It takes a loopback address of its own, so that several emulated boards stand side by side and
none is mistaken for the machine's network. It ends when its standard input is closed.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import time
from collections import OrderedDict
from collections.abc import Callable

from .monitor import Monitor
from .scp import PORT, Command, Malformed, Message, Request
from .seam import Chips
from .tags import Address

NET = 127
PATIENCE = 5.0
"""s that an answer to "how many cores are in this state" may wait for the chips to come to rest.

The host asks ten times a second, and gives cores that start a second or so, which is enough for
silicon. It repeats what is not answered for a second, ten times.
"""
BURST = 64
"""Packets that are answered before the chips go on."""
REMEMBERED = 1024
REPEATABLE = {Command.READ, Command.VERSION, Command.WRITE, Command.INFO, Command.LINK_READ}
"""What may be done again when the host repeats itself."""
BUFFER = 1 << 22


class NoAddress(RuntimeError):
    """No loopback address could be had."""


def private_address(tries: int = 50) -> tuple[socket.socket, str]:
    """A socket at the monitor's port of some loopback address that nobody uses.

    Raises NoAddress where the system has only 127.0.0.1.
    """
    error: OSError | None = None
    for _ in range(tries):
        address = ".".join(str(part) for part in (NET, *random.sample(range(1, 255), 3)))
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind((address, PORT))
        except OSError as failed:
            error = failed
            sock.close()
            continue
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        sock.setblocking(False)
        return sock, address
    raise NoAddress(f"no address 127.x.y.z with a free UDP port {PORT}: {error}")


class Server:
    """Socket, monitor and chips, in one thread."""

    def __init__(
        self,
        chips: Chips,
        sock: socket.socket,
        address: str,
        say: Callable[[str], None],
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self._chips, self._socket, self._moved = chips, sock, moved
        self._monitor = Monitor(chips, address, self._out, say)
        self._done: OrderedDict[tuple[Address, bytes], bytes | None] = OrderedDict()
        self._asked: dict[tuple[Address, bytes], float] = {}
        self._busy = False

    def serve(self, lifeline: int) -> None:
        """Until the pipe `lifeline` is closed."""
        while True:
            wait = 0.0 if self._busy or self._asked else None
            network = self._socket.fileno()
            ready, _, _ = select.select([network, lifeline], [], [], wait)
            if lifeline in ready and not os.read(lifeline, 1024):
                return
            if network in ready:
                self._hear()
            self._busy = self._chips.advance()
            if self._busy:
                self._moved()
            self._answer_counts()

    def _hear(self) -> None:
        for _ in range(BURST):
            try:
                datagram, host = self._socket.recvfrom(2048)
            except BlockingIOError:
                return
            except ConnectionError:  # the host has closed the port an answer went to
                continue
            with contextlib.suppress(Malformed):  # as on the machine: no answer
                self._take(datagram, host)

    def _take(self, datagram: bytes, host: Address) -> None:
        message = Message.from_datagram(datagram)
        request = Request.decode(message.data)
        key = (host, datagram)
        to_monitor = message.to.core == 0 or message.to.x == 255
        if to_monitor and request.command == Command.COUNT:
            self._asked.setdefault(key, time.monotonic() + PATIENCE)
            return
        if to_monitor and request.command in REPEATABLE:
            self._reply(host, self._monitor.from_host(message, host))
            return
        if key not in self._done:
            self._done[key] = self._monitor.from_host(message, host)
            if len(self._done) > REMEMBERED:
                self._done.popitem(last=False)
        self._reply(host, self._done[key])

    def _answer_counts(self) -> None:
        """Answer how many cores are in a state once they rest, or the host's patience ends."""
        now = time.monotonic()
        for key, due in list(self._asked.items()):
            if self._busy and now < due:
                continue
            del self._asked[key]
            host, datagram = key
            self._reply(host, self._monitor.from_host(Message.from_datagram(datagram), host))

    def _reply(self, host: Address, datagram: bytes | None) -> None:
        if datagram is not None:
            self._out(host, datagram)

    def _out(self, host: Address, datagram: bytes) -> None:
        # A host that has gone or is slow loses packets, as in any network.
        with contextlib.suppress(OSError):
            self._socket.sendto(datagram, host)
