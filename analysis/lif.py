"""The next spike of a leaky integrate-and-fire neuron whose current is known: compiled.

From each spike of a recorded train the membrane equation is integrated, with the experiment's own
current, to the next one; what is predicted is held against what was recorded. A model that is right
predicts every interval, whatever happened before, so that a difference is seen interval by interval
instead of as the sum of everything since the start (one-step-ahead prediction; Jolivet et al. 2008,
J. Neurosci. Methods 169:417, fit such models by their predicted spikes).

    tau_m dv/dt = v_rest - v + R (i_offset + gain I),  R = tau_m / cm

Within a step the current is constant and the solution a sum of exponentials, so a crossing is found
in closed form. Units: ms, mV, nA, nF, MOhm.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from analysis.spikearrays import FloatArray, IntArray
from analysis.theory import LIF


class Scheme(enum.StrEnum):
    """How a simulator advances the neuron and where it tests the threshold."""

    OFF_GRID = "off the grid"
    ON_GRID = "exact, threshold tested at the end of each step"
    BACKWARD_EULER = "backward Euler"
    FORWARD_EULER = "forward Euler"
    FIXED_POINT = "32-bit fixed point"


@dataclass(frozen=True)
class Model:
    """A neuron, how it is computed and how its spikes are stamped.

    v_init: mV, the potential at t = 0. gain: of the injected current. stamp: timesteps that a
    recorded spike time is later than the end of the step with the crossing (-1: start of step).
    refractory: timesteps that the refractory period is longer than tau_refrac. every: the threshold
    is tested at the end of every so many steps of the current (a longer timestep). lost: steps of
    the current missing at the start of the run.
    """

    neuron: LIF
    v_init: float
    scheme: Scheme = Scheme.ON_GRID
    gain: float = 1.0
    stamp: int = 0
    refractory: int = 0
    every: int = 1
    lost: int = 0


@dataclass(frozen=True)
class Intervals:
    """Intervals to predict, of one or several conditions with one timestep.

    currents: (n_rows, n_steps), nA. row: (n,), the row of each. begin: (n,), the spike it starts
    from, ms; nan: the start of the run. end: (n,), the spike it should end with, ms; nan where no
    spike was recorded up to `limit`. limit: (n,), ms, the end of the recording. condition: (n,),
    a number.
    """

    currents: FloatArray
    row: IntArray
    begin: FloatArray
    end: FloatArray
    limit: FloatArray
    condition: IntArray
    timestep: float

    @property
    def n(self) -> int:
        return int(self.row.size)

    def some(self, chosen: Any) -> Intervals:
        """Those of an index array or mask."""
        return Intervals(
            self.currents,
            self.row[chosen],
            self.begin[chosen],
            self.end[chosen],
            self.limit[chosen],
            self.condition[chosen],
            self.timestep,
        )


@dataclass(frozen=True)
class Prediction:
    """error: (n,), recorded - predicted, ms, within ± `cap`; 0 where rightly nothing came.

    skipped: (n,), spikes predicted before the recorded one that lead to it exactly (they are not
    in the recording), 0 for most. tolerance: ms, up to which an interval counts as predicted.
    """

    error: FloatArray
    skipped: IntArray
    tolerance: float
    hit: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hit", np.abs(self.error) <= self.tolerance)

    @property
    def loss(self) -> float:
        """Mean absolute error, ms."""
        return float(np.abs(self.error).mean()) if self.error.size else 0.0

    @property
    def fraction(self) -> float:
        """Fraction of the intervals predicted within the tolerance."""
        return float(self.hit.mean()) if self.hit.size else 1.0


def predict(
    model: Model,
    intervals: Intervals,
    cap: float = 3.0,
    skips: int = 0,
    tolerance: float = 0.0,
    smooth: bool = False,
) -> Prediction:
    """Predict each interval with `model`.

    cap: ms, the largest error that is told apart. skips: up to so many spikes may be missing in the
    recording within an interval. tolerance: ms; by default half a step on the grid, 1e-5 off it.
    smooth: errors on the grid in fractions of a step.
    """
    neuron, dt = model.neuron, intervals.timestep
    off_grid = model.scheme is Scheme.OFF_GRID
    if not tolerance:
        tolerance = 1e-5 if off_grid else 0.5 * dt * model.every
    stamp = model.stamp * dt * model.every
    arguments = (
        intervals.currents,
        intervals.row,
        intervals.begin - stamp,
        intervals.end - stamp,
        intervals.limit,
        dt,
        model.v_init,
        model.gain,
        model.lost,
        cap,
        skips,
        tolerance,
    )
    kernels = _kernels()
    if off_grid:
        numbers = _continuous_numbers(neuron)
        error, skipped = kernels["continuous"](*arguments, *numbers)
    elif model.scheme is Scheme.FIXED_POINT:
        error, skipped = kernels["fixed"](*arguments, *_fixed_numbers(model, dt))
    else:
        error, skipped = kernels["grid"](*arguments, *_grid_numbers(model, dt), model.every, smooth)
    return Prediction(error, skipped, tolerance)


def _continuous_numbers(neuron: LIF) -> tuple[float, ...]:
    return (
        neuron.tau_m,
        neuron.resistance,
        neuron.v_rest,
        neuron.v_thresh,
        neuron.v_reset,
        neuron.tau_refrac,
        neuron.i_offset,
    )


def _grid_numbers(model: Model, dt: float) -> tuple[float, ...]:
    neuron, step = model.neuron, dt * model.every
    h = dt / neuron.tau_m
    if model.scheme is Scheme.BACKWARD_EULER:
        decay = (1 / (1 + h * model.every)) ** (1 / model.every)
    elif model.scheme is Scheme.FORWARD_EULER:
        decay = max(1 - h * model.every, 0.0) ** (1 / model.every)
    else:
        decay = math.exp(-h)
    whole = math.ceil(neuron.tau_refrac / step - 1e-6) + model.refractory
    return (
        decay,
        neuron.resistance,
        neuron.v_rest,
        neuron.v_thresh,
        neuron.v_reset,
        float(max(whole, 0) * model.every),
        neuron.i_offset,
    )


ONE = 32768
"""1.0 in SpiNNaker's s16.15 numbers."""


def _fixed_numbers(model: Model, dt: float) -> tuple[int, ...]:
    """Decay, resistance, potentials, refractory steps and offset as a SpiNNaker core has them.

    The decay is rounded down to 1 / 32768 of tau_m's own quantised value; what the machine's own
    exponential adds to that is below its last digit.
    """
    neuron = model.neuron
    ts, tau, cm = (round(x * ONE) for x in (dt, neuron.tau_m, neuron.cm))
    decay = math.floor(math.exp(-((ts << 15) // tau) / ONE) * ONE)
    return (
        decay,
        (tau << 15) // cm,
        round(neuron.v_rest * ONE),
        round(neuron.v_thresh * ONE),
        round(neuron.v_reset * ONE),
        math.ceil(round(neuron.tau_refrac * ONE) * ONE // ts / ONE) + model.refractory,
        round(neuron.i_offset * ONE),
    )


def effective_tau(neuron: LIF, dt: float) -> float:
    """The membrane time constant (ms) that SpiNNaker's rounded decay amounts to."""
    decay = _fixed_numbers(Model(neuron, neuron.v_rest), dt)[0]
    return -dt / math.log(decay / ONE)


@cache
def _kernels() -> dict[str, Callable[..., tuple[FloatArray, IntArray]]]:
    """The compiled loops; numba is loaded when the first is needed."""
    from analysis import lif_kernels

    return {
        "continuous": lif_kernels.continuous,
        "grid": lif_kernels.grid,
        "fixed": lif_kernels.fixed,
    }


def potential(model: Model, current: FloatArray, spikes: FloatArray, dt: float) -> FloatArray:
    """v (mV) at 0, dt, 2 dt, … of a neuron that fired at `spikes` (ms): (n_steps + 1,).

    current: nA, (n_steps,), a value each `dt` ms.
    """
    from analysis import lif_kernels

    neuron = model.neuron
    stamp = model.stamp * dt * model.every
    decay = math.exp(-dt / neuron.tau_m)
    if model.scheme is Scheme.FIXED_POINT:
        decay = _fixed_numbers(model, dt)[0] / ONE
    elif model.scheme is not Scheme.OFF_GRID:
        decay = _grid_numbers(model, dt)[0]
    refrac = neuron.tau_refrac + model.refractory * dt * model.every
    found = lif_kernels.trace(
        np.ascontiguousarray(current), np.ascontiguousarray(spikes - stamp), dt, model.v_init,
        model.gain, model.lost, neuron.tau_m, decay, neuron.resistance, neuron.v_rest,
        neuron.v_reset, refrac, neuron.i_offset,
    )  # fmt: skip
    return np.asarray(found)
