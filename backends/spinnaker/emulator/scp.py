"""Packets that a host and the monitor processor of a SpiNNaker chip exchange over UDP.

SDP is the envelope (who sends to whom), SCP the letter inside: a command with three words and
some bytes, answered by a result code with the same sequence number. Layouts: SpiNNaker
application notes 4 (SDP) and 5 (SCP), and the encoders of sPyNNaker's own host code.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, replace

PORT = 17893
"""The UDP port of the monitor processor."""
LARGEST = 256
"""Bytes of memory that one packet carries at most."""
ROOT = 255
"""As x and y of a destination: the chip that the packet arrives at."""
REPLY_EXPECTED = 0x80
NO_REPLY = 0x07
"""Flags of a packet that expects no answer; with REPLY_EXPECTED, of one that does."""

_PADDING = b"\0\0"
_ENVELOPE = struct.Struct("<8B")
_HEADER = struct.Struct("<HH")
_WORDS = struct.Struct("<3I")
_DATA = _HEADER.size + _WORDS.size


class Command(enum.IntEnum):
    """What a host may ask of the monitor processor."""

    VERSION = 0
    READ = 2
    WRITE = 3
    FILL = 5
    COUNT = 15
    LINK_READ = 17
    LINK_WRITE = 18
    RUN = 19
    NEIGHBOURS = 20
    COPY_RUN = 21
    SIGNAL = 22
    FLOOD_DATA = 23
    LED = 25
    IPTAG = 26
    ALLOCATE = 28
    ROUTER = 29
    INFO = 31
    SYNC = 32


class Result(enum.IntEnum):
    """The answer's result code."""

    OK = 0x80
    LENGTH = 0x81
    CHECKSUM = 0x82
    COMMAND = 0x83
    ARGUMENT = 0x84
    CORE = 0x88
    NO_CHIP = 0x87


class Malformed(ValueError):
    """Bytes that are no packet."""


@dataclass(frozen=True)
class Place:
    """An end of a message: chip, core (0 is the monitor) and port (0 is the monitor's own)."""

    x: int
    y: int
    core: int = 0
    port: int = 0

    @property
    def packed(self) -> int:
        return (self.port & 7) << 5 | self.core & 31


@dataclass(frozen=True)
class Message:
    """An SDP message: the envelope and what is in it."""

    flags: int
    tag: int
    to: Place
    sender: Place
    data: bytes

    @property
    def wants_reply(self) -> bool:
        return bool(self.flags & REPLY_EXPECTED)

    def encode(self) -> bytes:
        """As it goes from chip to chip: 8 bytes of envelope, then the data."""
        to, sender = self.to, self.sender
        envelope = _ENVELOPE.pack(
            *(self.flags, self.tag, to.packed, sender.packed, to.y, to.x, sender.y, sender.x)
        )
        return envelope + self.data

    def datagram(self) -> bytes:
        """As it goes over UDP."""
        return _PADDING + self.encode()

    @classmethod
    def decode(cls, data: bytes) -> Message:
        if len(data) < _ENVELOPE.size:
            raise Malformed(f"an SDP message has at least {_ENVELOPE.size} bytes, not {len(data)}")
        flags, tag, to, sender, to_y, to_x, sender_y, sender_x = _ENVELOPE.unpack_from(data)
        return cls(
            flags,
            tag,
            Place(to_x, to_y, to & 31, to >> 5),
            Place(sender_x, sender_y, sender & 31, sender >> 5),
            bytes(data[_ENVELOPE.size :]),
        )

    @classmethod
    def from_datagram(cls, data: bytes) -> Message:
        return cls.decode(data[len(_PADDING) :])

    def answer(self, data: bytes, sender: Place) -> Message:
        """A message back to who sent this one."""
        return Message(NO_REPLY, self.tag, self.sender, sender, data)

    def tagged(self, tag: int) -> Message:
        return replace(self, tag=tag)


@dataclass(frozen=True)
class Request:
    """An SCP command: three words, whatever they mean, and bytes."""

    command: int
    sequence: int
    word1: int
    word2: int
    word3: int
    data: bytes

    @classmethod
    def decode(cls, data: bytes) -> Request:
        """Raises Malformed. Words that were left out are 0, as the monitor reads them."""
        if len(data) < _HEADER.size:
            raise Malformed(f"an SCP command has at least {_HEADER.size} bytes, not {len(data)}")
        command, sequence = _HEADER.unpack_from(data)
        words = data[_HEADER.size : _DATA].ljust(_WORDS.size, b"\0")
        word1, word2, word3 = _WORDS.unpack(words)
        return cls(command, sequence, word1, word2, word3, bytes(data[_DATA:]))


def response(result: int, sequence: int, data: bytes = b"") -> bytes:
    """What an answer carries; `data` follows the sequence number at once."""
    return _HEADER.pack(result, sequence) + data
