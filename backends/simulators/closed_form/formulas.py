"""The closed forms of one interval: compiled, and right for tau_syn equal to tau_m, too."""

from __future__ import annotations

import math

from .compiled import compiled

SERIES = 18
"""Terms of the series of `ramp`: its error is below 1e-17 for arguments up to 1/2."""


@compiled
def growth(z: float) -> float:
    """(exp(z) - 1) / z, 1 at z = 0."""
    return math.expm1(z) / z if z != 0.0 else 1.0


@compiled
def ramp(z: float) -> float:
    """(exp(z) (z - 1) + 1) / z**2, the integral of s exp(z s) over 0 .. 1; 1/2 at z = 0."""
    if abs(z) > 0.5:
        return (math.exp(z) * (z - 1.0) + 1.0) / (z * z)
    total, term = 0.0, 1.0
    for n in range(SERIES):
        total += term / (n + 2)
        term *= z / (n + 1)
    return total


@compiled
def response(t: float, tau_m: float, tau_syn: float, cm: float) -> tuple[float, float]:
    """v (mV) after t ms, from 0, for i = 1 nA alone and for d = 1 nA/ms alone.

    The synaptic current is (i + d t) exp(-t / tau_syn). Nothing is divided by the difference of
    the time constants.
    """
    z = t * (1.0 / tau_m - 1.0 / tau_syn)
    scale = math.exp(-t / tau_m) / cm
    return scale * t * growth(z), scale * t * t * ramp(z)
