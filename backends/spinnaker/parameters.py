"""What a core makes of IF_curr_exp's parameters before the first tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from . import arithmetic
from .arithmetic import ONE, Raw, divide, encode, encode_array, exp, exp_fraction

NAMES = (
    "tau_m",
    "cm",
    "v_rest",
    "v_reset",
    "v_thresh",
    "tau_refrac",
    "i_offset",
    "tau_syn_E",
    "tau_syn_I",
)


@dataclass(frozen=True)
class Device:
    """Numbers of a core, one a neuron, int64 (size,).

    resistance: R = tau_m/cm. decay: of the membrane in a tick. refractory: ticks. decay_exc and
    decay_inh: of the synaptic currents in a tick, in units of 2^−32, unsigned. Others as in PyNN.
    """

    resistance: Raw
    decay: Raw
    v_rest: Raw
    v_reset: Raw
    v_thresh: Raw
    i_offset: Raw
    refractory: Raw
    decay_exc: Raw
    decay_inh: Raw

    @property
    def size(self) -> int:
        return len(self.decay)

    def take(self, cells: Any) -> Device:
        """The same of some neurons."""
        return Device(*(getattr(self, field.name)[cells] for field in fields(self)))


def device(parameters: Mapping[str, Any], timestep: float) -> Device:
    """The device's numbers of PyNN's parameters, each (size,). timestep: ms.

    Raises ValueError for a number that sPyNNaker refuses, and for one that a core divides by and
    that becomes 0 in its numbers.
    """
    step = encode("timestep", arithmetic.microseconds(timestep) / 1000)
    size = max(np.size(parameters[name]) for name in NAMES)
    raw = {
        name: np.broadcast_to(encode_array(name, parameters[name]), size).copy() for name in NAMES
    }
    for name in ("cm", "tau_m", "tau_syn_E", "tau_syn_I"):
        zero = np.flatnonzero(raw[name] == 0)
        if len(zero):
            value = float(np.broadcast_to(parameters[name], size)[zero[0]])
            raise ValueError(
                f"{name} = {value:g}: becomes 0 in SpiNNaker's numbers, and the core stops with a "
                "fault; use at least 3.1e-05"
            )
    membrane = _each(_membrane, step, raw["tau_m"], raw["cm"])
    excitation = _each(_synapse, step, raw["tau_syn_E"])
    inhibition = _each(_synapse, step, raw["tau_syn_I"])
    refractory = _each(_refractory, step, raw["tau_refrac"])
    return Device(
        resistance=membrane[0],
        decay=membrane[1],
        v_rest=raw["v_rest"],
        v_reset=raw["v_reset"],
        v_thresh=raw["v_thresh"],
        i_offset=raw["i_offset"],
        refractory=refractory[0],
        decay_exc=excitation[0],
        decay_inh=inhibition[0],
    )


def _each(function: Any, step: int, first: Raw, second: Raw | None = None) -> Raw:
    """`function` of each neuron's one or two numbers, once for those alike: (results, size)."""
    both = (first << 32) + (0 if second is None else second + 2**31)
    _, place, back = np.unique(both, return_index=True, return_inverse=True)
    given = [first[place]] if second is None else [first[place], second[place]]
    found = [function(step, *numbers) for numbers in zip(*(g.tolist() for g in given), strict=True)]
    return np.asarray(np.array(found, dtype=np.int64).T[:, back])


def _membrane(step: int, tau: int, cm: int) -> tuple[int, int]:
    return divide(tau, cm), exp(arithmetic.wrap(-divide(step, tau)))


def _synapse(step: int, tau: int) -> tuple[int]:
    return (exp_fraction(arithmetic.wrap(-divide(step, tau))),)


def _refractory(step: int, tau: int) -> tuple[int]:
    return (-(-divide(tau, step) // ONE),)
