"""All synapses of a network in one table, sorted by the cell before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..common.network import Floats, Integers, Network
from .compiled import compiled
from .membrane import Membrane


class Table(NamedTuple):
    """begin (cells + 1) into the rest: which synapses a cell feeds.

    Cells are numbered through all populations. kick: what a spike adds to i (nA), d (nA/ms) or v
    (mV) of `post`. receptor: 0 excitatory, 1 inhibitory. delay: steps.
    """

    begin: Integers
    post: Integers
    receptor: Integers
    kick: Floats
    delay: Integers


def table(network: Network, membranes: Sequence[Membrane | None], first_cells: Integers) -> Table:
    """The synapses of the network."""
    pre, post, receptor, kick, delay = [], [], [], [], []
    for s in network.synapses:
        target = membranes[s.post]
        assert target is not None
        inhibitory = int(s.receptor == "inhibitory")
        pre.append(s.pre_indices + first_cells[s.pre])
        post.append(s.post_indices + first_cells[s.post])
        receptor.append(np.full(len(s.weights), inhibitory, np.int64))
        kick.append(s.weights * target.kicks[inhibitory, s.post_indices])
        delay.append(s.delays)
    before = _joined(pre, np.int64)
    order = np.argsort(before, kind="stable")
    return Table(
        begin=np.searchsorted(before[order], np.arange(first_cells[-1] + 1)).astype(np.int64),
        post=_joined(post, np.int64)[order],
        receptor=_joined(receptor, np.int64)[order],
        kick=_joined(kick, np.float64)[order],
        delay=_joined(delay, np.int64)[order],
    )


def _joined(parts: list[Any], kind: type) -> Any:
    return np.concatenate([np.empty(0, kind), *parts]).astype(kind)


@compiled
def deliver_to_rings(steps: Any, cells: Any, synapses: Any, ring: Any) -> None:
    """Add what spikes bring to the step at whose end they arrive.

    steps: of the stamps; cells: their numbers; ring: (receptors, slots, cells).
    """
    slots = ring.shape[1]
    for k in range(len(steps)):
        for j in range(synapses.begin[cells[k]], synapses.begin[cells[k] + 1]):
            slot = (steps[k] + synapses.delay[j]) % slots
            ring[synapses.receptor[j], slot, synapses.post[j]] += synapses.kick[j]
