"""Warnings of what a SpiNNaker does wrong, or differently than asked, without a word.

The twin does the same, so its result is SpiNNaker's; a user should know. Each warning names what is
wrong in the script and a way out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from backends.simulators.common import Cells
from pynn_model.conventions import spinnaker_limits as limits

from ..arithmetic import Raw, encode_array
from .currents import Currents, cores
from .sources import ACSource, DCSource, NoisyCurrentSource, Source, StepCurrentSource

GARBAGE = 0x400000
"""The tick from which a core takes what lies behind a used-up step array for its next entry: that
word is an address of its data memory, read as a time."""


class SpiNNakerWarning(UserWarning):
    """Something that SpiNNaker accepts and does wrong."""


def warn(message: str) -> None:
    """Tell the user, once for each place in the script that runs the simulation."""
    warnings.warn(message, SpiNNakerWarning, stacklevel=_user_level())


def _user_level() -> int:
    """How far up the stack the user's script is: the first frame outside of simulators and PyNN."""
    import sys

    frame = sys._getframe(1)
    level = 1
    while frame.f_back is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(("backends.", "pyNN.", "pynn_model.")):
            break
        frame = frame.f_back
        level += 1
    return level


def tell(
    state: Any,
    cells: Cells,
    sources: dict[Source, Raw],
    currents: Currents,
    most: int,
    stretch: tuple[int, int],
) -> None:
    """Warn of everything that is known of a population before a run."""
    label = cells.label
    for message in _of_cells(cells):
        warn(f"{label}: {message}")
    for source, inside in sources.items():
        for message in _of_source(source, state.dt, inside, most, cells.size):
            warn(f"{label}: {source.name}: {message}")
    for source, cursor in currents.cursors:
        for message in _of_cursor(source, cursor, stretch):
            warn(f"{label}: {source.name}: {message}")
    if sources and stretch[0]:
        warn(
            f"{label}: a second run without reset(): on SpiNNaker step sources read their arrays "
            "from the beginning again and noise repeats; simulate in one run"
        )
    for message in _of_cores(state, cells.size, sources, most):
        warn(f"{label}: {message}")


def tell_wrapped(label: str, wrapped: Raw) -> None:
    """Warn of numbers that left the range and changed their sign."""
    cells = np.flatnonzero(wrapped)
    if len(cells):
        warn(
            f"{label}: numbers of {len(cells)} neurons (the first: {cells[0]}) left ±65536 in "
            f"{wrapped.max()} steps or fewer and wrapped, changing their sign; make the currents "
            "weaker, or cm larger"
        )


def _of_cells(cells: Cells) -> Iterator[str]:
    p = cells.parameters
    reset, threshold = (encode_array(n, p[n]) for n in ("v_reset", "v_thresh"))
    above = np.flatnonzero(reset >= threshold)
    if len(above):
        k = above[0]
        yield (
            f"v_reset = {p['v_reset'][k]:g} is not below v_thresh = {p['v_thresh'][k]:g} mV in "
            f"SpiNNaker's numbers: once such a neuron has fired, it fires at every tick"
        )


def _of_source(source: Source, timestep: float, inside: Raw, most: int, size: int) -> Iterator[str]:
    if source.replaced:
        yield (
            "injected more than once into a population: on SpiNNaker only the cells of the last "
            "time receive it; inject it once, into one view"
        )
    if isinstance(source, (DCSource, ACSource, NoisyCurrentSource)) and source.stop <= source.start:
        yield (
            f"stop (tick {source.stop}) is not after start (tick {source.start}): it is never on; "
            "on SpiNNaker a stop has to be given"
        )
    if isinstance(source, ACSource) and abs(timestep - 1) > 1e-9 and source.frequency:
        yield (
            f"at a timestep of {timestep:g} ms SpiNNaker plays {1 / timestep:g} times the "
            "frequency that was asked for; use a StepCurrentSource"
        )
    if isinstance(source, NoisyCurrentSource):
        if not source.seeded:
            yield (
                "no seed was given: SpiNNaker draws one that cannot be had again; here it follows "
                "from setup(rng_seed=…); use set_parameters(seed=(x, y, z, c))"
            )
        used = {cell // most for cell in inside.tolist()}
        if len(used) > 1:
            yield (
                f"it is on {len(used)} cores, all with the same seed: neurons with the same place "
                "on their core receive the same noise; give each core, or neuron, its own source"
            )
    if isinstance(source, StepCurrentSource) and source.moved:
        yield (
            f"{source.moved} of {len(source.ticks)} times lie just before a tick and act one tick "
            "early, since SpiNNaker cuts times off; compute them as k*timestep"
        )


def _of_cursor(source: StepCurrentSource, cursor: Any, stretch: tuple[int, int]) -> Iterator[str]:
    if cursor.late and not stretch[0]:
        yield (
            f"{cursor.late} of {len(source.ticks)} entries do not act at their time on all "
            "neurons, since a core reads one in each neuron's turn: times must increase by a tick "
            "or more" + ("; neurons receive different currents" if cursor.uneven else "")
        )
    if np.any(source.ticks >= 2**31):
        yield "a negative time is far in the future on SpiNNaker and blocks all that follow it"
    if cursor.exhausted is not None and len(source.ticks):
        last = stretch[1]
        yield (
            f"its entries are used up at tick {cursor.exhausted}, before the end of the run (tick "
            f"{last}): a core reads on behind them"
            + (
                f", and from tick {GARBAGE} on SpiNNaker injects garbage, which is not reproduced; "
                if last > GARBAGE
                else f" (without an effect before tick {GARBAGE}); "
            )
            + "add an entry after the end of the run"
        )


def _of_cores(state: Any, size: int, sources: dict[Source, Raw], most: int) -> Iterator[str]:
    load = _load(size, sources)
    fullest = 0.0
    for low, high in cores(size, most):
        needed = limits.slice_memory(load, low, high)
        fullest = max(fullest, needed / limits.source_memory(high - low))
    if fullest > 1:
        yield (
            f"the current sources need {fullest:.1f} times the data memory that a core of {most} "
            "neurons has for them: a real core would stop with an error; put fewer on a core "
            "(set_number_of_neurons_per_core), or use fewer entries"
        )
    budget = state.dt * 1000 * getattr(state, "time_scale_factor", 1)
    needed_time = limits.tick_time(most, load.most)
    if needed_time > budget:
        yield (
            f"a core of {most} neurons needs at least {needed_time:.0f} µs a tick and has "
            f"{budget:.0f}: a real one would lose spikes; put fewer on a core, or give setup() a "
            "time_scale_factor"
        )


def _load(size: int, sources: dict[Source, Raw]) -> limits.Load:
    entries: dict[Any, int] = {}
    lists: list[list[Any]] = [[] for _ in range(size)]
    noisy = np.zeros(size, np.int64)
    for source, inside in sources.items():
        if isinstance(source, NoisyCurrentSource):
            noisy[inside] += 1
            continue
        entries[id(source)] = len(source.ticks) if isinstance(source, StepCurrentSource) else 0
        for cell in inside.tolist():
            lists[cell].append(id(source))
    return limits.Load(entries, [tuple(keys) for keys in lists], int(noisy.max(initial=0)))
