"""Tags: by their number in a message's envelope, the monitor processor knows where in the host's
network the message is to go. Eight are set by the host; others stand for one awaited answer.
"""

from __future__ import annotations

import enum
import socket
import struct
from dataclasses import dataclass

from .scp import Message, Request

FIXED = 8
"""Tags that a host can set: 0 to 7."""
TRANSIENT = range(FIXED, 248)
POOL = 16
"""Tags that the machine says it has: the eight, and those for answers."""
IN_USE, STRIPPED, REVERSE = 0x8000, 0x0100, 0x0200

Address = tuple[str, int]

_ENTRY = struct.Struct("<4s6s3HIH3B")
_INFO = struct.Struct("<4B")


class TagCommand(enum.IntEnum):
    SET = 1
    GET = 2
    CLEAR = 3
    TIMEOUT = 4


class BadTag(ValueError):
    """The tag, or what is asked of it, does not exist."""


@dataclass
class Tag:
    address: Address
    strip: bool
    count: int = 0


class Tags:
    """The tags of one board."""

    def __init__(self) -> None:
        self._fixed: dict[int, Tag] = {}
        self._awaited: dict[int, Address] = {}
        self._next = 0

    def __contains__(self, tag: int) -> bool:
        return tag in self._fixed or tag in self._awaited

    def await_answer(self, host: Address) -> int:
        """A tag for the answer to a message that came from `host`."""
        tag = TRANSIENT[self._next]
        self._next = (self._next + 1) % len(TRANSIENT)
        self._awaited[tag] = host
        return tag

    def route(self, message: Message) -> tuple[Address, bytes] | None:
        """Where a message goes, and as what; None where its tag leads nowhere."""
        host = self._awaited.pop(message.tag, None)
        if host is not None:
            return host, message.datagram()
        tag = self._fixed.get(message.tag)
        if tag is None:
            return None
        tag.count += 1
        return tag.address, message.data if tag.strip else message.datagram()

    def command(self, request: Request, host: Address) -> bytes:
        """Do what the host asks; what there is to answer. Raises BadTag."""
        tag = request.word1 & 0xFF
        try:
            what = TagCommand(request.word1 >> 16 & 0xFF)
        except ValueError as error:
            raise BadTag(str(error)) from None
        if what is TagCommand.TIMEOUT:
            return _INFO.pack(9, 0, POOL - FIXED, FIXED)
        if what is TagCommand.GET:
            return self._entry(tag)
        if tag >= FIXED:
            raise BadTag(f"tag {tag}: there are 0 to {FIXED - 1}")
        if what is TagCommand.CLEAR:
            self._fixed.pop(tag, None)
        else:
            self._set(tag, request, host)
        return b""

    def _set(self, tag: int, request: Request, host: Address) -> None:
        if request.word1 & 1 << 29:
            raise BadTag(
                f"tag {tag}: events that are sent to the machine while it runs "
                "(SpikeInjector, live input) are not emulated"
            )
        if request.word1 & 1 << 30:
            address = host
        else:
            address = (socket.inet_ntoa(struct.pack("<I", request.word3)), request.word2 & 0xFFFF)
        self._fixed[tag] = Tag(address, bool(request.word1 & 1 << 28))

    def _entry(self, number: int) -> bytes:
        tag = self._fixed.get(number)
        if tag is None:
            return bytes(_ENTRY.size)
        address = socket.inet_aton(tag.address[0])
        flags = IN_USE | (STRIPPED if tag.strip else 0)
        return _ENTRY.pack(address, bytes(6), tag.address[1], 0, flags, tag.count, 0, 0, 0, 0)
