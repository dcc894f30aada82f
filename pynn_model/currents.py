"""The injected currents an experiment can be built from, and how each is read from a table.

A current is a small frozen record of plain numbers; `pynn_model.stimulus` turns it into samples.
Times are ms, amplitudes nA. Every current is a staircase on the simulation's time grid.
"""

from __future__ import annotations

import base64
import math
from dataclasses import asdict, dataclass
from typing import Any, Callable, Dict, Optional, Tuple, Union

import numpy as np

from .cells import CURRENT
from .schema import Quantity, Reader

STDEV = Quantity("nA", low=0, high=100, hint="a value in pA is 1000 times too large here")
SPECTRA = ("white", "ou", "alpha")


@dataclass(frozen=True)
class Grid:
    """The time grid of a run: what the reading of a current needs to know of the experiment."""

    timestep: float
    duration: float
    trials: int

    @property
    def n_steps(self) -> int:
        return int(round(self.duration / self.timestep))


@dataclass(frozen=True)
class Constant:
    """A constant current (nA) from `start` to `stop` (ms)."""

    amplitude: float
    start: float
    stop: float


@dataclass(frozen=True)
class Pulse:
    """A square pulse (nA) from `start` to `stop` (ms); with a `period` (ms) it is repeated."""

    amplitude: float
    start: float
    stop: float
    period: Optional[float]


@dataclass(frozen=True)
class Impulse:
    """A `charge` (pC = nA ms) delivered within one timestep at `time` (ms).

    Its effect on the potential, charge / cm, does not depend on the timestep.
    """

    charge: float
    time: float


@dataclass(frozen=True)
class Ramp:
    """A current that goes linearly from `amplitude_start` to `amplitude_stop` (nA)."""

    amplitude_start: float
    amplitude_stop: float
    start: float
    stop: float


@dataclass(frozen=True)
class Sinusoid:
    """offset + amplitude * sin(2 pi frequency (t - start) + phase); nA, Hz, degrees."""

    amplitude: float
    frequency: float
    phase: float
    offset: float
    start: float
    stop: float


@dataclass(frozen=True)
class Noise:
    """Gaussian noise, generated here from the seed; each sample is held for `dt` ms.

    mean, stdev: nA, of the delivered staircase. spectrum: "white" (independent samples), "ou"
    (autocorrelation exp(-|t|/tau)) or "alpha" (white noise through an alpha function,
    autocorrelation (1 + |t|/tau) exp(-|t|/tau)). shared: one frozen sequence for all trials, or
    an independent one for each. normalise: scale each sequence so that its own mean and SD over
    the run, and not only those of the ensemble, are the requested ones. seed: None, or a number
    that replaces the experiment's seed and the condition's name in the choice of the sequence:
    two conditions with the same noise seed receive the same noise.
    """

    mean: float
    stdev: float
    spectrum: str
    tau: Optional[float]
    dt: float
    shared: bool
    normalise: bool
    seed: Optional[int]
    start: float
    stop: float


@dataclass(frozen=True)
class NativeNoise:
    """PyNN's own NoisyCurrentSource, one per neuron: white noise drawn by the simulator."""

    mean: float
    stdev: float
    dt: float
    start: float
    stop: float


@dataclass(frozen=True)
class Waveform:
    """Samples (nA) from a file, each held for `dt` ms, from `start` on, zero afterwards.

    samples: (n,) shared by all trials, or (n, trials) with a column a trial; little-endian
    float64 as base64 text, with `shape`, so that the experiment is complete without the file.
    """

    file: str
    samples: str
    shape: Tuple[int, ...]
    dt: float
    scale: float
    start: float

    def array(self) -> np.ndarray:
        """The samples (nA), float64, of the stated shape, scaled."""
        flat = np.frombuffer(base64.b64decode(self.samples), dtype="<f8")
        return flat.reshape(self.shape) * self.scale


Current = Union[Constant, Pulse, Impulse, Ramp, Sinusoid, Noise, NativeNoise, Waveform]


def pack_samples(samples: np.ndarray) -> Dict[str, Any]:
    """The `samples` and `shape` entries of a waveform table, from an array in nA."""
    return {
        "samples": base64.b64encode(np.ascontiguousarray(samples, dtype="<f8").tobytes()).decode(),
        "shape": list(samples.shape),
    }


def _window(r: Reader, grid: Grid) -> Dict[str, float]:
    start = r.grid("start", grid.timestep, 0.0)
    stop = r.grid("stop", grid.timestep, grid.duration)
    if start >= stop:
        r.refuse("stop" if r.has("stop") else "start", "the current must start before it stops")
    elif start >= grid.duration:
        r.refuse("start", "must be before the end of the run, {:g} ms".format(grid.duration))
    return {"start": start, "stop": stop}


def _hold(r: Reader, grid: Grid) -> float:
    dt = r.grid("dt", grid.timestep, grid.timestep)
    if dt == 0:
        r.refuse("dt", "must be a whole multiple of the timestep, at least once")
        return math.nan
    return dt


def _constant(r: Reader, grid: Grid) -> Constant:
    return Constant(r.number("amplitude", CURRENT), **_window(r, grid))


def _pulse(r: Reader, grid: Grid) -> Pulse:
    amplitude, window = r.number("amplitude", CURRENT), _window(r, grid)
    if not (r.has("start") and r.has("stop")):
        r.problems.append("{}: a pulse needs both start and stop, in ms".format(r.path))
    period = r.grid("period", grid.timestep) if r.has("period") else None
    if period is not None and period <= window["stop"] - window["start"]:
        r.refuse("period", "must be longer than the pulse itself")
    return Pulse(amplitude, period=period, **window)


def _impulse(r: Reader, grid: Grid) -> Impulse:
    charge = r.number("charge", Quantity("pC (nA ms)", low=-1e4, high=1e4))
    time = r.grid("time", grid.timestep)
    if time >= grid.duration:
        r.refuse("time", "must be before the end of the run, {:g} ms".format(grid.duration))
    return Impulse(charge, time)


def _ramp(r: Reader, grid: Grid) -> Ramp:
    amplitudes = r.number("amplitude_start", CURRENT), r.number("amplitude_stop", CURRENT)
    return Ramp(*amplitudes, **_window(r, grid))


def _sinusoid(r: Reader, grid: Grid) -> Sinusoid:
    highest = 500.0 / grid.timestep
    return Sinusoid(
        amplitude=r.number("amplitude", CURRENT),
        frequency=r.number(
            "frequency",
            Quantity("Hz", above=0, high=highest, hint="the timestep cannot follow it"),
        ),
        phase=r.number("phase", Quantity("degrees", low=-360, high=360), 0.0),
        offset=r.number("offset", CURRENT, 0.0),
        **_window(r, grid),
    )


def _noise(r: Reader, grid: Grid) -> Noise:
    spectrum = r.choice("spectrum", SPECTRA)
    tau = None
    if spectrum in ("ou", "alpha"):
        tau = r.number("tau", Quantity("ms", above=0, high=1e6))
    elif r.has("tau") and spectrum == "white":
        r.refuse("tau", 'has no meaning for spectrum = "white"; remove it, or use "ou" or "alpha"')
    shared = r.boolean("shared")
    noise = Noise(
        mean=r.number("mean", CURRENT, 0.0),
        stdev=r.number("stdev", STDEV),
        spectrum=spectrum,
        tau=tau,
        dt=_hold(r, grid),
        shared=shared,
        # A frozen stimulus is the one thing every trial gets: its own SD must be the asked one.
        # Private noise is left alone: forcing each trial's mean would take away just the slow
        # wander of the sum that makes spike times drift apart.
        normalise=r.boolean("normalise", shared),
        seed=r.integer("seed", 0, 2**32 - 1) if r.has("seed") else None,
        **_window(r, grid),
    )
    held = (min(noise.stop, grid.duration) - noise.start) / noise.dt
    if noise.normalise and noise.stdev > 0 and held < 1.5:
        r.problems.append(
            "{}: one sample alone has no SD; make it longer than dt, or set "
            "normalise = false".format(r.path)
        )
    return noise


def _native(r: Reader, grid: Grid) -> NativeNoise:
    return NativeNoise(
        mean=r.number("mean", CURRENT, 0.0),
        stdev=r.number("stdev", STDEV),
        dt=_hold(r, grid),
        **_window(r, grid),
    )


def _waveform(r: Reader, grid: Grid) -> Waveform:
    samples, shape = _packed_samples(r)
    if len(shape) == 2 and shape[1] != grid.trials:
        r.refuse(
            "file",
            "has {} columns, one for each trial, but there are {} trials".format(
                shape[1], grid.trials
            ),
        )
    start = r.grid("start", grid.timestep, 0.0)
    if start >= grid.duration:
        r.refuse("start", "must be before the end of the run, {:g} ms".format(grid.duration))
    scale = Quantity("", low=-1e6, high=1e6)
    waveform = Waveform(
        file=r.text("file"),
        samples=samples,
        shape=shape,
        dt=_hold(r, grid),
        scale=r.number("scale", scale, 1.0),
        start=start,
    )
    _check_samples(r, waveform)
    return waveform


def _packed_samples(r: Reader) -> Tuple[str, Tuple[int, ...]]:
    """`samples` and `shape`, which come from the file or stand in a complete experiment."""
    text, shape = r.text("samples", ""), r.raw("shape", [])
    if not r.has("samples"):
        if not any(r.name("file") in problem for problem in r.problems):
            r.refuse("file", "its samples are missing")
        return "", ()
    counts = shape if isinstance(shape, list) and len(shape) in (1, 2) else [-1]
    if not all(type(n) is int and n >= 0 for n in counts):
        r.refuse("shape", "must be [samples] or [samples, trials], each a whole number")
        return "", ()
    try:
        size = len(base64.b64decode(text, validate=True))
    except ValueError:
        size = -1
    if size != 8 * math.prod(counts):
        r.refuse("samples", "must be the base64 text of as many float64 as shape says")
        return "", ()
    return text, tuple(counts)


def _check_samples(r: Reader, waveform: Waveform) -> None:
    if not waveform.shape or math.isnan(waveform.scale):
        return  # the file could not be read, which is already noted
    samples = waveform.array()
    if samples.size == 0:
        r.refuse("file", "holds no samples")
    elif not np.all(np.isfinite(samples)):
        where = int(np.argmax(~np.isfinite(samples).reshape(len(samples), -1).all(axis=1)))
        r.refuse("file", "sample {} is not a finite number".format(where))
    elif np.max(np.abs(samples)) > CURRENT.high:
        worst = float(samples.flat[int(np.argmax(np.abs(samples)))])
        r.refuse(
            "file",
            "holds {:g}; each sample times scale must be {}; {}".format(
                worst, CURRENT.allowed(), CURRENT.hint
            ),
        )


_READERS: Dict[str, Callable[[Reader, Grid], Current]] = {
    "constant": _constant,
    "pulse": _pulse,
    "impulse": _impulse,
    "ramp": _ramp,
    "sinusoid": _sinusoid,
    "noise": _noise,
    "native": _native,
    "waveform": _waveform,
}
_KINDS = {
    Constant: "constant",
    Pulse: "pulse",
    Impulse: "impulse",
    Ramp: "ramp",
    Sinusoid: "sinusoid",
    Noise: "noise",
    NativeNoise: "native",
    Waveform: "waveform",
}
KINDS = tuple(_READERS)


def read_current(r: Reader, grid: Grid) -> Optional[Current]:
    """The current described by a table, or None where its kind is unknown (a noted problem)."""
    kind = r.choice("kind", KINDS)
    if not kind:
        return None
    current = _READERS[kind](r, grid)
    r.finish()
    return current


def current_table(current: Current) -> Dict[str, Any]:
    """The table that :func:`read_current` reads back as an equal current."""
    table: Dict[str, Any] = {"kind": _KINDS[type(current)]}
    for key, value in asdict(current).items():
        if value is not None:
            table[key] = list(value) if isinstance(value, tuple) else value
    return table
