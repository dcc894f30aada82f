"""From currents to samples: what every neuron receives, in nA, on the simulation's time grid.

Sample k acts over [k * timestep, (k + 1) * timestep), from the first step on, on every backend.

**Noise.** Sequences are drawn here, from the seed alone, so that all backends get the same
samples. Each sequence has a stream of its own, keyed by seed, condition, place in the condition
and trial: adding a trial or a condition changes no other noise. The spectrum is exact at any
`dt`: the Ornstein-Uhlenbeck process is the AR(1) recursion of Gillespie (1996, Phys. Rev. E
54:2084); alpha-filtered noise is a critically damped second-order process, whose transition over
one `dt` (matrix exponential and covariance) is known in closed form, so that both start in their
stationary state and have the requested SD and autocorrelation whatever the ratio dt / tau.

**The same bits everywhere.** The Gaussian numbers come from numpy's frozen legacy generator and
are rounded to 2**-20; coefficients are rounded to 12 digits; everything after that is additions
and multiplications in a fixed order, which IEEE 754 defines to the last bit.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, List, Tuple

import numpy as np

from .currents import (
    Constant,
    Current,
    Impulse,
    NativeNoise,
    Noise,
    Pulse,
    Ramp,
    Sinusoid,
    Waveform,
)

if TYPE_CHECKING:
    from .experiment import Condition, Experiment

GENERATOR = 1
"""Version of the noise generator; part of every digest. Raise it when any sample changes."""


def steps(samples: np.ndarray, timestep: float) -> Tuple[np.ndarray, np.ndarray]:
    """The staircase as (times in ms, amplitudes in nA), one entry for each change of level.

    The first entry is at 0. Times are k * timestep by multiplication: summing up the timestep
    would put a quarter of them into the neighbouring step.
    """
    samples = np.asarray(samples, dtype=float)
    changed = np.concatenate(([True], samples[1:] != samples[:-1]))
    at = np.flatnonzero(changed)
    return np.round(at * timestep, 9), samples[at]


def shared_current(experiment: Experiment, condition: Condition) -> np.ndarray:
    """The sum of the currents that all trials of a condition share, nA, float64 (n_steps,)."""
    total = np.zeros(experiment.n_steps)
    for place, current in enumerate(condition.currents):
        if isinstance(current, Noise) and current.shared:
            _noise_into(total, experiment, condition, place, current, "shared")
        elif isinstance(current, Waveform) and len(current.shape) == 1:
            _hold_into(total, experiment, current.start, current.dt, current.array())
        elif isinstance(current, (Constant, Pulse, Impulse, Ramp, Sinusoid)):
            _deterministic_into(total, experiment, current)
    return total


def is_private(current: Current) -> bool:
    """Whether each trial gets samples of its own (generated here, not by the simulator)."""
    if isinstance(current, Noise):
        return not current.shared
    return isinstance(current, Waveform) and len(current.shape) == 2


def has_private(condition: Condition) -> bool:
    """Whether the trials of the condition differ in a current generated here."""
    return any(is_private(current) for current in condition.currents)


def native_noises(condition: Condition) -> List[NativeNoise]:
    """The currents of the condition that the simulator itself draws."""
    return [current for current in condition.currents if isinstance(current, NativeNoise)]


def private_current(experiment: Experiment, condition: Condition, trial: int) -> np.ndarray:
    """What trial number `trial` receives beyond the shared current, nA, float64 (n_steps,)."""
    return np.asarray(private_currents(experiment, condition, [trial])[0])


def private_currents(experiment: Experiment, condition: Condition, trials: List[int]) -> np.ndarray:
    """As :func:`private_current` for several trials: float64 (len(trials), n_steps)."""
    total = np.zeros((len(trials), experiment.n_steps))
    for place, current in enumerate(condition.currents):
        if isinstance(current, Noise) and not current.shared:
            last = _index(experiment, current.stop)
            sequences = _sequences(experiment, condition, place, current, [str(t) for t in trials])
            for row, sequence in zip(total, sequences.T):
                _hold_into(row[:last], experiment, current.start, current.dt, sequence)
        elif isinstance(current, Waveform) and len(current.shape) == 2:
            array = current.array()
            for row, trial in zip(total, trials):
                _hold_into(row, experiment, current.start, current.dt, array[:, trial])
    return total


# --- currents that are functions of time ----------------------------------------------------


def _index(experiment: Experiment, time: float) -> int:
    return int(min(round(time / experiment.timestep), experiment.n_steps))


def _deterministic_into(total: np.ndarray, experiment: Experiment, current: Current) -> None:
    dt = experiment.timestep
    if isinstance(current, Impulse):
        total[_index(experiment, current.time)] += current.charge / dt
        return
    assert isinstance(current, (Constant, Pulse, Ramp, Sinusoid))
    first, last = _index(experiment, current.start), _index(experiment, current.stop)
    elapsed = np.arange(last - first) * dt
    if isinstance(current, Pulse) and current.period is not None:
        width = int(round((current.stop - current.start) / dt))
        period = int(round(current.period / dt))
        on = (np.arange(experiment.n_steps - first) % period) < width
        total[first:] += np.where(on, current.amplitude, 0.0)
    elif isinstance(current, Ramp):
        slope = (current.amplitude_stop - current.amplitude_start) / (current.stop - current.start)
        total[first:last] += current.amplitude_start + slope * elapsed
    elif isinstance(current, Sinusoid):
        turns = 1e-3 * current.frequency * elapsed + current.phase / 360
        total[first:last] += current.offset + current.amplitude * _sine(turns)
    else:
        total[first:last] += current.amplitude


def _sine(turns: np.ndarray) -> np.ndarray:
    """sin(2 pi turns), to 1e-15, by additions and multiplications alone.

    numpy's own differs in the last bit from one version and processor to another, and with it the
    experiment's digest would.
    """
    turns = turns - np.rint(turns)
    quarter = np.rint(4 * turns)
    x = 2 * math.pi * (turns - quarter / 4)
    square = x * x
    sine, cosine = np.ones(x.shape), np.ones(x.shape)
    for k in range(18, 0, -2):  # Taylor's series, from the smallest term; |x| <= pi / 4
        sine = 1 - square / (k * (k + 1)) * sine
        cosine = 1 - square / (k * (k - 1)) * cosine
    odd = quarter % 2 == 1
    negative = np.isin(quarter % 4, (2, 3))
    return np.asarray(np.where(negative, -1.0, 1.0) * np.where(odd, cosine, x * sine))


def _hold_into(
    total: np.ndarray, experiment: Experiment, start: float, dt: float, samples: np.ndarray
) -> None:
    """Add `samples`, each held for `dt`, from `start` on, to `total` in place."""
    first = _index(experiment, start)
    held = np.repeat(samples, int(round(dt / experiment.timestep)))[: len(total) - first]
    total[first : first + len(held)] += held


# --- noise -----------------------------------------------------------------------------------


def _noise_into(
    total: np.ndarray,
    experiment: Experiment,
    condition: Condition,
    place: int,
    noise: Noise,
    stream: str,
) -> None:
    sequence = _sequences(experiment, condition, place, noise, [stream])[:, 0]
    last = _index(experiment, noise.stop)
    _hold_into(total[:last], experiment, noise.start, noise.dt, sequence)


def _sequences(
    experiment: Experiment, condition: Condition, place: int, noise: Noise, streams: List[str]
) -> np.ndarray:
    """One noise sequence a stream, nA, float64 (n_held, len(streams))."""
    width = _index(experiment, noise.stop) - _index(experiment, noise.start)
    n = -(-width // int(round(noise.dt / experiment.timestep)))
    if noise.seed is None:
        key = "{}/{}/{}".format(experiment.seed, condition.name, place)
    else:
        key = "noise {}".format(noise.seed)
    draws = np.empty((2, n, len(streams)) if noise.spectrum == "alpha" else (1, n, len(streams)))
    source = np.random.RandomState(0)  # making one takes longer than drawing 1000 numbers
    for column, stream in enumerate(streams):
        source.seed(_stream("{}/{}".format(key, stream)))
        for row in draws:
            row[:, column] = np.rint(source.standard_normal(n) * 2.0**20) / 2.0**20
    unit = _filtered(noise, draws)
    if noise.normalise and noise.stdev > 0:
        for column in range(unit.shape[1]):
            unit[:, column] = _standardised(unit[:, column])
    return np.asarray(noise.mean + noise.stdev * unit)


def _stream(key: str) -> np.ndarray:
    """The seed of the stream with this key, uint32 (8,)."""
    digest = hashlib.sha256(key.encode("utf-8")).digest()
    return np.frombuffer(digest, dtype="<u4").astype(np.uint32)


def _filtered(noise: Noise, draws: np.ndarray) -> np.ndarray:
    """Unit-variance stationary noise of the wanted spectrum from independent Gaussian draws."""
    if noise.spectrum == "white":
        return np.asarray(draws[0])
    assert noise.tau is not None
    h = noise.dt / noise.tau
    out = np.empty(draws[0].shape)
    if noise.spectrum == "ou":
        a, b = _rounded(math.exp(-h)), _rounded(math.sqrt(-math.expm1(-2 * h)))
        x = draws[0][0].copy()
        for k in range(len(out)):
            out[k] = x
            if k + 1 < len(out):
                x = a * x + b * draws[0][k + 1]
        return out
    (xx, xz, zx, zz), (l_xx, l_zx, l_zz) = _alpha_coefficients(h)
    x, z = draws[0][0].copy(), draws[1][0].copy()
    for k in range(len(out)):
        out[k] = x
        if k + 1 < len(out):
            g, e = draws[0][k + 1], draws[1][k + 1]
            x, z = xx * x + xz * z + l_xx * g, zx * x + zz * z + (l_zx * g + l_zz * e)
    return out


def _alpha_coefficients(
    h: float,
) -> Tuple[Tuple[float, float, float, float], Tuple[float, float, float]]:
    """Transition of (x, z = tau dx/dt) over h = dt / tau, and the Cholesky factor of its noise.

    x is white noise through t exp(-t / tau): x'' + 2 x' + x = 2 w in units of tau, with
    Var x = Var z = 1 and autocorrelation (1 + |t|) exp(-|t|) (a Matern process of order 3/2).
    The covariance is integrated, not taken as a difference: for small h it is of order h**3.
    """
    decay = math.exp(-h)
    transition = decay * (1 + h), decay * h, -decay * h, decay * (1 - h)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    top = min(h, 40.0)
    s = 0.5 * top * (nodes + 1)
    density = 4 * np.exp(-2 * s) * weights * 0.5 * top
    q_xx = math.fsum(density * s * s)
    q_xz = math.fsum(density * s * (1 - s))
    q_zz = math.fsum(density * (1 - s) ** 2)
    l_xx = math.sqrt(q_xx)
    l_zx = q_xz / l_xx
    l_zz = math.sqrt(max(q_zz - l_zx * l_zx, 0.0))
    rounded = tuple(_rounded(value) for value in transition)
    assert len(rounded) == 4
    return rounded, (_rounded(l_xx), _rounded(l_zx), _rounded(l_zz))


def _rounded(value: float) -> float:
    """Twelve digits: more than the noise needs, and the same on every mathematical library."""
    return float("{:.11e}".format(value))


def _standardised(sequence: np.ndarray) -> np.ndarray:
    """The sequence with mean 0 and SD 1, with sums that do not depend on their order."""
    values = sequence - math.fsum(sequence) / len(sequence)
    return values / math.sqrt(math.fsum(values * values) / len(values))
