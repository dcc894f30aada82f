"""Synaptic events on their way, with their exact times: a list for each cell and step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..common.network import Floats, Integers
from .compiled import compiled

NONE = -1


class Inbox(NamedTuple):
    """head: (slots, cells), the first event of the step that ends at k in slot k % slots, or NONE.

    Of each event offset (ms after the beginning of its step, sorted along a list; equal ones are
    one event), kick (excitatory, inhibitory) and the `following` one. unused: (1,), the first of
    the list of free places.
    """

    head: Integers
    offset: Floats
    kick: Floats
    following: Integers
    unused: Integers


def empty(slots: int, cells: int, room: int = 1024) -> Inbox:
    """No events, and places for `room` of them."""
    following = np.arange(1, room + 1)
    following[-1] = NONE
    head = np.full((slots, cells), NONE)
    return Inbox(head, np.zeros(room), np.zeros((room, 2)), following, np.zeros(1, np.int64))


def with_room(inbox: Inbox, events: int) -> Inbox:
    """The same, with free places for so many more events."""
    if free_places(inbox.following, inbox.unused[0], events):
        return inbox
    old = len(inbox.offset)
    room = old + max(events, old)
    following = np.concatenate([inbox.following, np.arange(old + 1, room + 1)])
    following[-1] = inbox.unused[0]
    return Inbox(
        inbox.head,
        np.concatenate([inbox.offset, np.zeros(room - old)]),
        np.concatenate([inbox.kick, np.zeros((room - old, 2))]),
        following,
        np.array([old]),
    )


@compiled
def free_places(following: Any, place: int, wanted: int) -> bool:
    """Whether the list of free places has at least `wanted`."""
    while wanted > 0 and place >= 0:
        place = following[place]
        wanted -= 1
    return wanted <= 0


@compiled
def put(inbox: Any, slot: int, cell: int, offset: float, receptor: int, kick: float) -> None:
    """Add an event in its place by time."""
    before, event = NONE, inbox.head[slot, cell]
    while event >= 0 and inbox.offset[event] < offset:
        before, event = event, inbox.following[event]
    if event >= 0 and inbox.offset[event] == offset:
        inbox.kick[event, receptor] += kick
        return
    new = inbox.unused[0]
    inbox.unused[0] = inbox.following[new]
    inbox.offset[new] = offset
    inbox.kick[new, 0], inbox.kick[new, 1] = 0.0, 0.0
    inbox.kick[new, receptor] = kick
    inbox.following[new] = event
    if before >= 0:
        inbox.following[before] = new
    else:
        inbox.head[slot, cell] = new


@compiled
def take(inbox: Any, slot: int, cell: int) -> None:
    """Remove the first event."""
    event = inbox.head[slot, cell]
    inbox.head[slot, cell] = inbox.following[event]
    inbox.following[event] = inbox.unused[0]
    inbox.unused[0] = event


@compiled
def deliver(steps: Any, offsets: Any, cells: Any, synapses: Any, inbox: Any) -> None:
    """Put what spikes bring to the times at which it arrives; there must be room for all.

    steps, offsets: of the spikes; cells: their numbers; synapses: Table.
    """
    slots = len(inbox.head)
    for k in range(len(steps)):
        for j in range(synapses.begin[cells[k]], synapses.begin[cells[k] + 1]):
            slot = (steps[k] + synapses.delay[j]) % slots
            kick = synapses.kick[j]
            put(inbox, slot, synapses.post[j], offsets[k], synapses.receptor[j], kick)
