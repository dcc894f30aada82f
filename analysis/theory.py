"""Closed forms of the leaky integrate-and-fire neuron under a constant current.

    tau_m dv/dt = v_rest - v + R I,  R = tau_m / cm,  I = i_offset + current;
    a spike when v reaches v_thresh, then v = v_reset for tau_refrac.

Lapicque (1907); Gerstner, Kistler, Naud & Paninski, Neuronal Dynamics (2014), chapter 1.3.
They hold for PyNN's current-based IF cells and, as long as no synapse is active, for the
conductance-based ones, whose equation is then the same. Units: ms, mV, nA, nF, MOhm, Hz.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from analysis.spikearrays import FloatArray
from pynn_model.cells import CELL_TYPES

LIF_CELL_TYPES = ("IF_curr_exp", "IF_curr_alpha", "IF_curr_delta", "IF_cond_exp", "IF_cond_alpha")
"""The PyNN cell types whose response to an injected current is that of `LIF`."""


@dataclass(frozen=True)
class LIF:
    """A leaky integrate-and-fire neuron by PyNN's parameter names (ms, nF, mV, nA).

    Raises ValueError for a value that is not finite, a time constant or capacitance that is not
    positive, a negative refractory period, or a v_reset that is not below v_thresh.
    """

    tau_m: float
    cm: float
    v_rest: float
    v_thresh: float
    v_reset: float
    tau_refrac: float
    i_offset: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value):
                raise ValueError(f"{field.name} is {value!r}; it must be a finite number")
        for name in ("tau_m", "cm"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be above 0")
        if self.tau_refrac < 0:
            raise ValueError(f"tau_refrac is {self.tau_refrac!r} ms; it must be 0 or more")
        if self.v_reset >= self.v_thresh:
            raise ValueError(
                f"v_reset is {self.v_reset!r} mV; it must be below v_thresh, {self.v_thresh!r} mV"
            )

    @property
    def resistance(self) -> float:
        """Membrane resistance tau_m / cm, MOhm."""
        return self.tau_m / self.cm


def lif_neuron(cell_type: str, parameters: Mapping[str, float]) -> LIF:
    """The neuron of a PyNN cell type; parameters left out have PyNN's defaults.

    Raises ValueError for a cell type that is no leaky integrate-and-fire neuron, and for parameters
    that such a neuron cannot have.
    """
    if cell_type not in LIF_CELL_TYPES:
        raise ValueError(
            f"cell_type is {cell_type!r}; the closed form holds for {', '.join(LIF_CELL_TYPES)}"
        )
    values = {**CELL_TYPES[cell_type].defaults, **parameters}
    return LIF(**{field.name: float(values[field.name]) for field in fields(LIF)})


def rheobase(neuron: LIF) -> float:
    """The current (nA) above which the neuron fires: (v_thresh - v_rest) / R - i_offset."""
    return (neuron.v_thresh - neuron.v_rest) / neuron.resistance - neuron.i_offset


def membrane_potential(
    neuron: LIF, current: float, times: ArrayLike, v_init: float | None = None
) -> FloatArray:
    """v(t) (mV) under a constant current (nA) switched on at t = 0, without any threshold.

    times: ms after the onset, any shape; the result has the same shape. v_init: v(0), v_rest if
    None. It is the neuron's potential up to its first spike.
    """
    v_init = neuron.v_rest if v_init is None else v_init
    v_inf = _steady_state(neuron, current)
    decay = np.exp(-np.asarray(times, dtype=np.float64) / neuron.tau_m)
    return np.asarray(v_inf + (v_init - v_inf) * decay, dtype=np.float64)


def first_spike_time(neuron: LIF, current: ArrayLike, v_init: float | None = None) -> FloatArray:
    """Time (ms) from the onset of a constant current (nA) to the first spike.

    current: any shape; the result has the same shape, inf where the neuron never fires. v_init: the
    potential at onset (mV), v_rest if None; 0 ms if it is at or above the threshold.
    """
    return _time_to_threshold(neuron, current, neuron.v_rest if v_init is None else v_init)


def period(neuron: LIF, current: ArrayLike) -> FloatArray:
    """Interval (ms) between the spikes under a constant current (nA), inf where it never fires.

    tau_refrac + tau_m ln((v_inf - v_reset) / (v_inf - v_thresh)), v_inf = v_rest + R I.
    """
    return np.asarray(
        neuron.tau_refrac + _time_to_threshold(neuron, current, neuron.v_reset), dtype=np.float64
    )


def firing_rate(neuron: LIF, current: ArrayLike) -> FloatArray:
    """Firing rate (Hz) under a constant current (nA): the f-I curve, 0 up to the rheobase."""
    return np.asarray(1000.0 / period(neuron, current), dtype=np.float64)


def spike_times(
    neuron: LIF, current: float, duration: float, v_init: float | None = None
) -> FloatArray:
    """All spike times (ms, 1-D) from the onset of a constant current (nA) to `duration` (ms).

    Raises ValueError for a negative duration or one that is not finite.
    """
    if not (math.isfinite(duration) and duration >= 0):
        raise ValueError(f"duration is {duration!r} ms; it must be a finite number, 0 or more")
    first = float(first_spike_time(neuron, current, v_init))
    if first > duration:
        return np.empty(0)
    interval = float(period(neuron, current))
    count = 1 if math.isinf(interval) else 1 + math.floor((duration - first) / interval)
    return np.asarray(first + interval * np.arange(count), dtype=np.float64)


def _steady_state(neuron: LIF, current: ArrayLike) -> FloatArray:
    total = np.asarray(current, dtype=np.float64) + neuron.i_offset
    return np.asarray(neuron.v_rest + neuron.resistance * total, dtype=np.float64)


def _time_to_threshold(neuron: LIF, current: ArrayLike, v_from: float) -> FloatArray:
    v_inf = _steady_state(neuron, current)
    if v_from >= neuron.v_thresh:
        return np.zeros_like(v_inf)
    fires = v_inf > neuron.v_thresh
    # log1p keeps its digits far above the rheobase, where the ratio is close to 1.
    ratio = (neuron.v_thresh - v_from) / np.where(fires, v_inf - neuron.v_thresh, 1.0)
    return np.asarray(np.where(fires, neuron.tau_m * np.log1p(ratio), np.inf), dtype=np.float64)
