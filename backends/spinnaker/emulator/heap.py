"""The heap in a chip's SDRAM, in the very structures that the cores' own allocator uses.

A heap is four words: first free block, first block, last block, free bytes. A block starts with
two: the next block, and the next free one, or, where it is in use, 0xFFFF0000 + 256 times the
application's number + tag. The last block only closes the list. (SARK, the operating system of
SpiNNaker's cores.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .seam import SYSTEM_VARIABLES, Chips, put_word, word

SDRAM_HEAP = SYSTEM_VARIABLES + 0x4C
TAGS = SYSTEM_VARIABLES + 0xDC
"""Where the table of tagged blocks is: a word for each application number and tag."""
IN_USE = 0xFFFF0000
HEADER = 8
"""Bytes of a block that are not its user's."""
SMALLEST = 8
"""Bytes that are worth a block of their own."""
FREE_BYTES = 12

_TWO = struct.Struct("<2I")


@dataclass(frozen=True)
class Block:
    address: int
    next: int
    free: int

    @property
    def size(self) -> int:
        """Bytes, header included."""
        return self.next - self.address

    @property
    def in_use(self) -> bool:
        return self.free & IN_USE == IN_USE

    @property
    def app_id(self) -> int:
        return self.free >> 8 & 0xFF

    @property
    def tag(self) -> int:
        return self.free & 0xFF


class Heap:
    """The user's heap in the SDRAM of one chip."""

    def __init__(self, chips: Chips, x: int, y: int) -> None:
        self._chips, self._x, self._y = chips, x, y
        self.address = word(chips, x, y, SDRAM_HEAP)

    def blocks(self) -> Iterator[Block]:
        """Every block, in the order of addresses."""
        address = self._word(self.address + 4)
        while True:
            block = self._block(address)
            if block.next == 0:
                return
            yield block
            address = block.next

    def largest(self) -> int:
        """Bytes of the largest block that can be had."""
        return max((b.size - HEADER for b in self.blocks() if not b.in_use), default=0)

    def allocate(self, size: int, app_id: int, tag: int) -> int:
        """The address of `size` bytes; 0 if there are not so many in one piece."""
        wanted = (size + 3 & ~3) + HEADER
        link = self.address  # the word that points to the free block that is looked at
        while (address := self._word(link)) != 0:
            block = self._block(address)
            if block.size >= wanted:
                return self._take(link, block, wanted, app_id, tag)
            link = address + 4
        return 0

    def _take(self, link: int, block: Block, wanted: int, app_id: int, tag: int) -> int:
        end = block.next
        after = block.free
        if block.size - wanted >= SMALLEST:
            end = block.address + wanted
            self._put(end, block.next, block.free)
            after = end
        put_word(self._chips, self._x, self._y, link, after)
        self._put(block.address, end, IN_USE | app_id << 8 | tag)
        self._add_free(block.address - end)
        address = block.address + HEADER
        if tag:
            self.set_tagged(app_id, tag, address)
        return address

    def free(self, address: int) -> bool:
        """Give a block back; whether there was one at that address."""
        found = [b for b in self.blocks() if b.address + HEADER == address and b.in_use]
        if not found:
            return False
        if found[0].tag:
            self.set_tagged(found[0].app_id, found[0].tag, 0)
        self._rebuild({found[0].address})
        return True

    def free_app(self, app_id: int) -> int:
        """Give all blocks of an application back; how many they were."""
        given = [b for b in self.blocks() if b.in_use and b.app_id == app_id]
        for block in given:
            if block.tag:
                self.set_tagged(app_id, block.tag, 0)
        if given:
            self._rebuild({block.address for block in given})
        return len(given)

    def _rebuild(self, given: set[int]) -> None:
        """Write the list anew: free neighbours become one block."""
        merged: list[Block] = []
        for block in self.blocks():
            free = not block.in_use or block.address in given
            if free and merged and not merged[-1].in_use:
                merged[-1] = Block(merged[-1].address, block.next, 0)
            else:
                merged.append(Block(block.address, block.next, 0 if free else block.free))
        following = 0
        for block in reversed(merged):
            if block.in_use:
                self._put(block.address, block.next, block.free)
            else:
                self._put(block.address, block.next, following)
                following = block.address
        put_word(self._chips, self._x, self._y, self.address, following)
        free_bytes = sum(block.size for block in merged if not block.in_use)
        put_word(self._chips, self._x, self._y, self.address + FREE_BYTES, free_bytes)

    def tagged(self, app_id: int, tag: int) -> int:
        """The address of the block that an application knows by a tag; 0 if there is none."""
        return self._word(self._tag_entry(app_id, tag))

    def set_tagged(self, app_id: int, tag: int, address: int) -> None:
        put_word(self._chips, self._x, self._y, self._tag_entry(app_id, tag), address)

    def _tag_entry(self, app_id: int, tag: int) -> int:
        return self._word(TAGS) + 4 * (app_id << 8 | tag)

    def _add_free(self, change: int) -> None:
        address = self.address + FREE_BYTES
        put_word(self._chips, self._x, self._y, address, self._word(address) + change)

    def _word(self, address: int) -> int:
        return word(self._chips, self._x, self._y, address)

    def _block(self, address: int) -> Block:
        content = self._chips.read(self._x, self._y, 0, address, HEADER)
        return Block(address, *_TWO.unpack(content))

    def _put(self, address: int, following: int, free: int) -> None:
        self._chips.write(self._x, self._y, 0, address, _TWO.pack(following, free))
