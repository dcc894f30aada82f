"""How much a SpiNNaker core holds and computes, and how neurons are spread over cores accordingly.

Pure arithmetic on the sizes of current sources: `on_spinnaker` uses it where the experiment runs,
a check beforehand uses the same functions. The facts were measured by executing the machine code
of sPyNNaker 7.4.1 (IF_curr_exp, spikes and v recorded): the largest step source before the 64 kB of
data memory of a core (DTCM) are used up, and the instructions a tick takes at 200 MHz.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Hashable, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from .sources import Drive, Injections

CELL_TYPES = ("IF_curr_exp", "IF_cond_exp", "IF_curr_alpha", "IF_curr_delta", "Izhikevich")
"""Cell types of sPyNNaker that are PyNN's and take a current."""
TIMESTEPS = (0.1, 1.0)
"""ms. Others are "not reliably supported" by the machine; its arithmetic knows those between."""

SHARED_ENTRIES = ((1, 6920), (25, 6530), (100, 5309), (256, 2838))
"""(neurons on a core, largest step source that all of them share)."""
PRIVATE_ENTRIES = ((25, 256), (100, 48), (256, 6))
"""(neurons on a core, largest step source if each has its own); :func:`fits` reproduces these."""
MAX_NEURONS = 256
ENTRY = 8
"""Bytes: a tick and an amplitude."""
SOURCE = 40
"""Bytes beside its entries; with it the two rows of the table agree to the entry."""
FURTHER = 8
"""Bytes for each source of a neuron after its first: a type and an index."""
NOISY = 64
"""Bytes that a source of the machine's own noise is allowed; not measured."""
OTHER_CELL = 64
"""Bytes a neuron that other cell types than the measured one are allowed on top; not measured."""

TICK_BASE, TICK_NEURON = 8.4, 0.776
"""µs a tick: through the measured 86 µs (100 neurons with a step source) and 207 µs (256)."""
TICK_SOURCE = 0.4
"""µs for each source of a neuron after its first: half of all that a neuron takes; not measured."""
TICK_MARGIN = 2.0
"""The measured times are lower bounds (no waiting for memory, no interrupts): count them twice."""
TICK = 1000.0
"""µs of a step on the machine. sPyNNaker 7.0 refuses shorter ones and 7.4 calls those under 0.1 ms
unreliable; a network's synapses take time, too, and nobody waits for a run of seconds."""

CHIP_MEMORY = 100e6
"""Bytes of a chip's SDRAM for the cores' data and recordings: 123 MB, less what the system uses."""
LARGEST = 65536.0
"""Numbers are s16.15: from −65536 up to this, exclusive, in steps of 1/32768."""
UNIT = 1 / 32768


class Load(NamedTuple):
    """The sources of a population. entries: of each step source, the sentinel included; received:
    for each neuron the keys of its step sources; noisy: sources of the machine's noise a neuron."""

    entries: Dict[Hashable, int]
    received: List[Tuple[Hashable, ...]]
    noisy: int = 0

    @property
    def most(self) -> int:
        """Sources of the neuron that has most; a noisy one takes as long as three others."""
        return max((len(keys) for keys in self.received), default=0) + 3 * self.noisy


class Recorded(NamedTuple):
    """What is recorded of a population: spikes, v of `n_v` neurons `n_samples` times."""

    spikes: bool
    n_v: int
    n_steps: int
    n_samples: int

    def memory(self, neurons: int) -> int:
        """Bytes on a core of so many neurons: rows of a tick and a bit or a number a neuron."""
        words = 0
        if self.spikes:
            words += self.n_steps * (1 + -(-neurons // 32))
        if self.n_v:
            words += self.n_samples * (1 + min(neurons, self.n_v))
        return 4 * words


class Layout(NamedTuple):
    """How a population is spread. neurons: on a core, at most. summed: whether each neuron gets one
    source, the sum of all its currents, or each current stays a source. memory: bytes of sources on
    the fullest core, of `free` there are. shared: bytes of its chip's memory that a core needs for
    its recordings and sources. tick: µs the slowest core computes a tick, a lower bound.
    """

    neurons: int
    cores: int
    summed: bool
    memory: int
    free: int
    shared: int
    tick: float


def source_memory(neurons: int, cell_type: str = "IF_curr_exp") -> int:
    """Bytes for step sources on a core of that many neurons.

    Linear between the measured numbers of neurons, and there as much as for one neuron more.
    """
    known = [n for n, _ in SHARED_ENTRIES]
    at = neurons if neurons in known else neurons + 1
    entries = int(np.interp(at, known, [e for _, e in SHARED_ENTRIES]))
    other = 0 if cell_type == "IF_curr_exp" else OTHER_CELL * neurons
    return ENTRY * entries + SOURCE - other


def tick_time(neurons: int, sources: int = 1, cell_type: str = "IF_curr_exp") -> float:
    """µs a core takes for a tick of `neurons` with up to `sources` sources each; a lower bound.

    Other cell types than the measured one are counted twice.
    """
    each = TICK_NEURON + TICK_SOURCE * max(sources - 1, 0)
    return TICK_BASE + neurons * each * (1 if cell_type == "IF_curr_exp" else 2)


def reliable(timestep: float) -> bool:
    """Whether a machine keeps time at this timestep, ms."""
    return any(abs(timestep - known) < 1e-9 for known in TIMESTEPS)


def possible(timestep: float) -> bool:
    """Whether SpiNNaker's arithmetic was seen to work at this timestep, ms: whole microseconds."""
    whole = abs(1000 * timestep - round(1000 * timestep)) < 1e-6
    return whole and TIMESTEPS[0] - 1e-9 < timestep < TIMESTEPS[1] + 1e-9


def time_scale_factor(timestep: float) -> int:
    """How many times slower than real time the machine is told to run: 1 at 1 ms, 10 at 0.1 ms."""
    return max(1, int(round(TICK / (timestep * 1000))))


def slice_memory(load: Load, first: int, end: int) -> int:
    """Bytes that the sources of the neurons first .. end − 1 take on their core."""
    present: Set[Hashable] = set()
    further = 0
    for keys in load.received[first:end]:
        present.update(keys)
        further += max(len(keys) - 1, 0)
    entries = sum(load.entries[key] for key in present)
    noise = (NOISY + FURTHER) * load.noisy * len(load.received[first:end])
    return ENTRY * entries + SOURCE * len(present) + FURTHER * further + noise


def chip_memory(load: Load, neurons: int, recorded: Optional[Recorded]) -> int:
    """Bytes of SDRAM for one core: recordings and sources.

    sPyNNaker reserves for the worst case, every source of the population on every core.
    """
    n = len(load.entries)
    data = ENTRY * (sum(load.entries.values()) + n * neurons) + 16 * n
    return data + (recorded.memory(neurons) if recorded else 0)


def fits(
    load: Load,
    neurons: int,
    cell_type: str = "IF_curr_exp",
    recorded: Optional[Recorded] = None,
) -> bool:
    """Whether every core holds its sources and is done within its tick, with the margin, and
    its chip holds what one core records."""
    if chip_memory(load, neurons, recorded) > CHIP_MEMORY:
        return False
    if TICK_MARGIN * tick_time(neurons, load.most, cell_type) > TICK:
        return False
    size = len(load.received)
    return all(
        slice_memory(load, first, first + neurons)
        <= source_memory(min(neurons, size - first), cell_type)
        for first in range(0, size, neurons)
    )


def most_neurons(
    load: Load,
    cell_type: str = "IF_curr_exp",
    recorded: Optional[Recorded] = None,
) -> int:
    """The most neurons on a core for which :func:`fits`; 0 if not even one does."""
    low, high = 0, min(MAX_NEURONS, max(len(load.received), 1))
    while low < high:
        middle = (low + high + 1) // 2
        if fits(load, middle, cell_type, recorded):
            low = middle
        else:
            high = middle - 1
    return low


def arrange(
    size: int,
    currents: Sequence[Drive],
    cell_type: str = "IF_curr_exp",
    recorded: Optional[Recorded] = None,
    noisy: int = 0,
) -> Optional[Layout]:
    """The layout of a population of `size` neurons, None if a single neuron is too much for a core.

    currents: all that flows into it, but for `noisy` sources a neuron of the machine's own noise.
    Of the two ways to give a neuron the sum of its currents the one is taken that puts more neurons
    on a core; one source each, if they are equal.
    """
    found = []
    for summed, make in ((True, _summed), (False, _as_they_are)):
        load = make(size, currents)._replace(noisy=noisy)
        neurons = most_neurons(load, cell_type, recorded)
        if neurons:
            found.append((neurons, summed, load))
    if not found:
        return None
    neurons, summed, load = max(found, key=lambda entry: entry[:2])
    cores = -(-size // neurons)
    neurons = -(-size // cores)  # as many cores, evenly filled
    first = max(range(0, size, neurons), key=lambda k: slice_memory(load, k, k + neurons))
    return Layout(
        neurons,
        cores,
        summed,
        slice_memory(load, first, first + neurons),
        source_memory(neurons, cell_type),
        chip_memory(load, neurons, recorded),
        tick_time(neurons, load.most, cell_type),
    )


def entries_of_one(currents: Sequence[Drive]) -> int:
    """Entries that the neuron with the longest sources needs, in the shorter of the two ways."""
    lengths = [
        min(len(d.steps().start) + 1, sum(len(part.start) + 1 for part in d.parts))
        for d in currents
    ]
    return max(lengths, default=0)


def noisy_sources(injections: Injections, population: Any) -> int:
    """How many sources of the machine's own noise the neuron with most of them receives."""
    counts = np.zeros(population.size, dtype=np.int64)
    for _, receiver, indices in injections.noisy():
        if receiver is population:
            counts[indices] += 1
    return int(counts.max(initial=0))


def _summed(size: int, currents: Sequence[Drive]) -> Load:
    return _load(size, currents, lambda place, drive: [(place, len(drive.steps().start))])


def _as_they_are(size: int, currents: Sequence[Drive]) -> Load:
    return _load(size, currents, lambda _, drive: [(id(p), len(p.start)) for p in drive.parts])


def _load(
    size: int,
    currents: Sequence[Drive],
    sources: Callable[[int, Drive], List[Tuple[Hashable, int]]],
) -> Load:
    entries: Dict[Hashable, int] = {}
    received: List[Tuple[Hashable, ...]] = [()] * size
    for place, drive in enumerate(currents):
        found = sources(place, drive)
        entries.update((key, n + 1) for key, n in found)  # and the sentinel
        for index in drive.indices.tolist():
            received[index] = tuple(key for key, _ in found)
    return Load(entries, received)


def fixed(value: float) -> int:
    """A number as the machine holds it, in units of 1/32768, rounded as sPyNNaker does."""
    return int(round(value / UNIT))
