"""What SpiNNaker's numbers will do to an experiment: its parameters, its currents, its spikes.

The parameters and levels are those that a core computes with, turned back into PyNN's units. The
spikes are predicted by simulating the experiment twice: by the exact solution on the time grid and
by the twin, which computes what a core computes. What differs is the arithmetic and nothing else.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib import util
from types import SimpleNamespace
from typing import Any

import numpy as np

from pynn_model import network, runner, stimulus
from pynn_model.conventions.sources import Drive, Injections, drives
from pynn_model.experiment import Condition, Experiment
from pynn_model.recording import PopulationRecording, Recording

from ..base import BackendUnavailable, UnsupportedExperiment
from .arithmetic import UNIT, decode, encode, encode_array
from .layout import StandIn, needs
from .parameters import Device, device
from .twin_backend import CELL_TYPE

EXACT = "backends.simulators.exact_grid"
TWIN = "backends.spinnaker.twin"
WITHIN = 1.0
"""ms. Spikes of the two arithmetics that are no farther apart than this are the same one."""
DEFAULTS = {"tau_syn_E": 5.0, "tau_syn_I": 5.0}


def _ppm(requested: float, effective: float) -> float | None:
    if requested == 0:
        return None if effective else 0.0
    return (effective / requested - 1) * 1e6


@dataclass(frozen=True)
class Parameter:
    """requested and effective: in `unit`. ppm: the relative change, None of a requested 0."""

    name: str
    unit: str
    requested: float
    effective: float

    @property
    def ppm(self) -> float | None:
        return _ppm(self.requested, self.effective)


@dataclass(frozen=True)
class Levels:
    """The current levels of a condition, nA: how many, and by how much rounding changes them.

    mean and stdev: of the requested current over time and trials. rounding: the root mean square
    and the largest change. ppm: the relative change of the mean.
    """

    condition: str
    levels: int
    mean: float
    stdev: float
    mean_effective: float
    rounding_rms: float
    rounding_largest: float

    @property
    def ppm(self) -> float | None:
        return _ppm(self.mean, self.mean_effective)


@dataclass(frozen=True)
class Change:
    """Spikes of a condition by the exact arithmetic and by SpiNNaker's.

    matched: the share of the exact spikes that have a partner within WITHIN in the same trial.
    first: ms, the earliest difference between the two, None if there is none. shift_mean and
    shift_largest: ms, SpiNNaker's time minus the exact one, of spikes with the same number in their
    trial; None without any.
    """

    condition: str
    exact: int
    spinnaker: int
    matched: float | None
    first: float | None
    shift_mean: float | None
    shift_largest: float | None
    note: str = ""


@dataclass(frozen=True)
class Preview:
    """All of it. warnings: what a core gets wrong in this experiment, wrapped numbers among it."""

    parameters: tuple[Parameter, ...]
    levels: tuple[Levels, ...]
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        found = asdict(self)
        for name in ("parameters", "levels"):
            for table, entry in zip(found[name], getattr(self, name), strict=True):
                table["ppm"] = entry.ppm
        return found


def preview(experiment: Experiment) -> Preview:
    """Predict; it simulates the experiment twice, in this process.

    Raises UnsupportedExperiment for cells that the twin does not compute and for a model of the
    user's own, BackendUnavailable without numba. The experiment must be one that SpiNNaker can run.
    """
    neuron = experiment.neuron
    if neuron is None:
        raise UnsupportedExperiment(
            "preview",
            ["model: what a user's own model will do is not predicted; run spinnaker-twin"],
        )
    if neuron.cell_type != CELL_TYPE:
        raise UnsupportedExperiment(
            "preview",
            [f"neuron.cell_type = {neuron.cell_type}: only {CELL_TYPE} is predicted"],
        )
    if util.find_spec("numba") is None:
        raise BackendUnavailable(
            "preview: numba not installed; install with: pip install -r requirements.txt"
        )
    silent = replace(experiment, record=replace(experiment.record, spikes=True, v=0))
    exact = runner.execute(silent, EXACT)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        twin = runner.execute(silent, TWIN)
    return Preview(
        tuple(parameters(experiment)),
        tuple(_levels(experiment)),
        tuple(_changes(experiment, exact, twin)),
        tuple(dict.fromkeys(str(w.message) for w in caught)),
    )


# --- parameters ----------------------------------------------------------------------------------


def parameters(experiment: Experiment) -> Iterator[Parameter]:
    """What a core makes of the cell's parameters."""
    assert experiment.neuron is not None
    given = {**DEFAULTS, **experiment.neuron.parameters}
    dt = experiment.timestep
    held = device({name: np.array([value]) for name, value in given.items()}, dt)
    yield Parameter("timestep", "ms", dt, encode("timestep", dt) * UNIT)
    yield Parameter("tau_m", "ms", given["tau_m"], _tau(held.decay[0] * UNIT, dt))
    yield Parameter("R = tau_m/cm", "MΩ", given["tau_m"] / given["cm"], held.resistance[0] * UNIT)
    for name in ("v_thresh", "v_rest", "v_reset"):
        yield Parameter(name, "mV", given[name], float(decode(getattr(held, name)[0])))
    yield Parameter("tau_refrac", "ms", given["tau_refrac"], round(held.refractory[0] * dt, 9))
    yield Parameter("i_offset", "nA", given["i_offset"], float(decode(held.i_offset[0])))
    start = experiment.neuron.initial_values.get("v")
    if start is not None:
        yield Parameter("initial v", "mV", start, encode("initial v", start) * UNIT)
    yield from _stall(held)


def _stall(held: Device) -> Iterator[Parameter]:
    """How far above its target a decaying potential stops, since products are cut off."""
    lost = 32768 - int(held.decay[0])
    if lost > 0:
        yield Parameter("v stalls above its target by", "mV", 0.0, 1 / lost)


def _tau(decay: float, dt: float) -> float:
    """ms, the time constant of a decay in one step."""
    if decay <= 0:
        return 0.0
    return math.inf if decay >= 1 else -dt / math.log(decay)


# --- currents ------------------------------------------------------------------------------------


def _levels(experiment: Experiment) -> Iterator[Levels]:
    for need in needs(experiment):
        summed = need.layout is None or need.layout.summed
        yield _of_condition(experiment, need.condition, summed)


def _of_condition(experiment: Experiment, condition: Condition, summed: bool) -> Levels:
    dt, n_steps = experiment.timestep, experiment.n_steps
    injections = Injections(dt, experiment.seed)
    cells = StandIn(experiment.trials)
    network.inject(SimpleNamespace(**injections.classes()), cells, experiment, condition)
    found = drives(injections.exact(), dt, n_steps)
    levels: set[int] = set()
    total, square, changed, count, largest, effective = 0.0, 0.0, 0.0, 0, 0.0, 0.0
    about = float(found[0].first(1)[0]) if found else 0.0  # sums of squares lose digits far from it
    for drive in found:
        asked, held = _played(drive, summed, n_steps, levels)
        weight = len(drive.indices)
        error = held - asked
        total += weight * float((asked - about).sum())
        square += weight * float(((asked - about) ** 2).sum())
        effective += weight * float(held.sum())
        changed += weight * float((error**2).sum())
        largest = max(largest, float(np.abs(error).max(initial=0.0)))
        count += weight * n_steps
    count = count or 1
    mean = total / count
    return Levels(
        condition=condition.name,
        levels=len(levels),
        mean=about + mean,
        stdev=math.sqrt(max(square / count - mean**2, 0.0)),
        mean_effective=effective / count,
        rounding_rms=math.sqrt(changed / count),
        rounding_largest=largest,
    )


def _played(
    drive: Drive, summed: bool, n_steps: int, levels: set[int]
) -> tuple[np.ndarray, np.ndarray]:
    """The current of each step, as asked and as the core's sources deliver it, nA."""
    parts = (drive.steps(),) if summed else drive.parts
    held = np.zeros(n_steps)
    for part in parts:
        raw = encode_array("current", part.amplitude)
        levels.update(raw.tolist())
        place = np.searchsorted(part.start, np.arange(n_steps), side="right")
        held += np.append(0.0, decode(raw))[place]
    return drive.first(n_steps), held


# --- spikes --------------------------------------------------------------------------------------


def _changes(experiment: Experiment, exact: Recording, twin: Recording) -> Iterator[Change]:
    conditions = {condition.name: condition for condition in experiment.conditions}
    for a, b in zip(exact.populations, twin.populations, strict=True):
        native = bool(stimulus.native_noises(conditions[a.name]))
        yield _change(a, b, native)


def _change(a: PopulationRecording, b: PopulationRecording, native: bool) -> Change:
    counts = len(a.spike_times), len(b.spike_times)
    if native:
        note = "the simulator's own noise is other noise on each: times are not compared"
        return Change(a.name, *counts, None, None, None, None, note)
    found, firsts, shifts = 0, [], []
    for cell in range(a.size):
        ours, theirs = (p.spike_times[p.spike_indices == cell] for p in (a, b))
        found += _matches(ours, theirs)
        both = min(len(ours), len(theirs))
        shifts.append(theirs[:both] - ours[:both])
        different = np.flatnonzero(np.abs(shifts[-1]) > 1e-6)
        if len(different):
            firsts.append(min(ours[different[0]], theirs[different[0]]))
        elif len(ours) != len(theirs):
            firsts.append((ours if len(ours) > both else theirs)[both])
    shift = np.concatenate(shifts) if shifts else np.empty(0)
    return Change(
        a.name,
        *counts,
        found / counts[0] if counts[0] else None,
        float(min(firsts)) if firsts else None,
        float(shift.mean()) if len(shift) else None,
        float(shift[np.abs(shift).argmax()]) if len(shift) else None,
    )


def _matches(ours: np.ndarray, theirs: np.ndarray) -> int:
    """How many spikes of one train have a partner of their own in the other, taken in order."""
    found = i = j = 0
    while i < len(ours) and j < len(theirs):
        difference = theirs[j] - ours[i]
        if abs(difference) <= WITHIN + 1e-9:
            found, i, j = found + 1, i + 1, j + 1
        elif difference < 0:
            j += 1
        else:
            i += 1
    return found
