"""APLX, the format of SpiNNaker's programs: a list of commands that put them into memory."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_COMMAND = struct.Struct("<4I")
_COPY, _COPY_FROM_HERE, _FILL, _START = 1, 2, 3, 4
_WORD = struct.Struct("<I")


class BadImageError(ValueError):
    """Bytes that are no APLX program."""


@dataclass(frozen=True)
class Program:
    """What a program puts where, and where it begins."""

    pieces: tuple[tuple[int, bytes], ...]
    start: int


def parse(image: bytes) -> Program:
    """Read the commands of a whole .aplx file. Raises BadImageError."""
    pieces: list[tuple[int, bytes]] = []
    at = 0
    while True:
        if at + _COMMAND.size > len(image):
            raise BadImageError(f"an APLX program has a start command; none in {len(image)} bytes")
        command, address, argument, length = _COMMAND.unpack_from(image, at)
        if command == _START:
            return Program(tuple(pieces), address)
        if command in (_COPY, _COPY_FROM_HERE):
            source = argument if command == _COPY else at + argument
            if source + length > len(image):
                raise BadImageError(f"an APLX command at byte {at} copies from beyond the end")
            pieces.append((address, image[source : source + length]))
        elif command == _FILL:
            pieces.append((address, _WORD.pack(length) * (argument // _WORD.size)))
        else:
            raise BadImageError(f"byte {at} of an APLX program: no command has number {command}")
        at += _COMMAND.size
