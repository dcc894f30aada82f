"""When v first reaches the threshold within an interval, without missing any crossing.

In an interval with constant injected current and without events, v can rise above the threshold
and come back below it (Hanuschkin et al., 2010, Front. Neuroinform. 4:113; Krishnan et al., 2018,
Front. Neuroinform. 12:86). The test here is complete. With w(t) the slope that v would have at the
threshold,

    w(t) = (limit - v_thresh) / tau_m + I_syn(t) / cm,

exp(t / tau_m) (v - v_thresh) has the derivative exp(t / tau_m) w(t). So v - v_thresh has at most
one zero between two zeros of w. w in turn is a sum of a constant and of (linear) exp(-t / tau)
terms: multiplied by an exponential, which moves no zero, and differentiated, each of the following
levels has fewer terms, and the zeros of one part the pieces on which the one before is monotone.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .compiled import compiled
from .formulas import growth, ramp

LEVELS = 3
"""w is level 0; the zeros of level 3, which is linear in t, are found first."""
HALVINGS = 200
"""More than it takes to halve an interval until there is no number between its ends."""


class Interval(NamedTuple):
    """What v does from t = 0 on.

    height, gap: v(0) and its limit without synaptic current, less the threshold (mV); i_e, d_e,
    i_i, d_i: synaptic currents and slopes over cm (mV/ms, mV/ms²); rates: 1/tau (1/ms).
    """

    height: float
    gap: float
    i_e: float
    d_e: float
    i_i: float
    d_i: float
    rate_m: float
    rate_e: float
    rate_i: float


@compiled
def above(p: Any, t: float) -> Any:
    """v(t) - v_thresh, mV."""
    z_e, z_i = t * (p.rate_m - p.rate_e), t * (p.rate_m - p.rate_i)
    scale = math.exp(-t * p.rate_m)
    found = p.gap + (p.height - p.gap) * scale
    if p.i_e != 0.0 or p.d_e != 0.0:
        found += scale * t * (p.i_e * growth(z_e) + p.d_e * t * ramp(z_e))
    if p.i_i != 0.0 or p.d_i != 0.0:
        found += scale * t * (p.i_i * growth(z_i) + p.d_i * t * ramp(z_i))
    return found


@compiled
def level(number: int, p: Any, t: float) -> Any:
    """A function with the sign of the level: see above. x: the difference of the rates."""
    if number == 0:
        return (
            p.gap * p.rate_m
            + (p.i_e + p.d_e * t) * math.exp(-t * p.rate_e)
            + (p.i_i + p.d_i * t) * math.exp(-t * p.rate_i)
        )
    x = p.rate_e - p.rate_i
    q_i = p.d_i - p.rate_i * (p.i_i + p.d_i * t)
    if number == 3:
        return x * (x * q_i - 2.0 * p.rate_i * p.d_i)
    # Divided by the larger of 1 and exp(x t), which could overflow.
    small_e, small_i = math.exp(-max(x, 0.0) * t), math.exp(min(x, 0.0) * t)
    if number == 2:
        return -p.rate_e * p.d_e * small_e + (x * q_i - p.rate_i * p.d_i) * small_i
    return (p.d_e - p.rate_e * (p.i_e + p.d_e * t)) * small_e + q_i * small_i


@compiled
def zero(number: int, p: Any, low: float, high: float, rising: bool) -> Any:
    """The only zero of a level (of `above`, if number is -1) between two signs, by halving.

    Of the last two numbers, which have no other between them, the second.
    """
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        value = above(p, middle) if number < 0 else level(number, p, middle)
        if (value >= 0.0) == rising:
            high = middle
        else:
            low = middle
    return high


@compiled
def first_crossing(p: Any, duration: float) -> Any:
    """The first t in (0, duration] with v(t) >= v_thresh, ms, or -1; v(0) must be below it."""
    if p.i_e == 0.0 and p.d_e == 0.0 and p.i_i == 0.0 and p.d_i == 0.0:
        if p.gap <= 0.0:
            return -1.0  # v only tends to something not above the threshold
        t = math.log1p(-p.height / p.gap) / p.rate_m
        return t if t <= duration else -1.0
    steepest = (
        p.gap * p.rate_m
        + (max(p.i_e, 0.0) + max(p.d_e, 0.0) * duration)
        + (max(p.i_i, 0.0) + max(p.d_i, 0.0) * duration)
    )
    # w <= steepest all along, so exp(t / tau_m) (v - v_thresh) rises by at most this.
    if steepest * duration * math.exp(duration * p.rate_m) < -p.height:
        return -1.0
    edges, found = np.empty(LEVELS + 4), np.empty(LEVELS + 4)
    edges[0], edges[1] = 0.0, duration
    n = 2
    for number in range(LEVELS, -1, -1):
        found[0] = 0.0
        m = 1
        before = level(number, p, 0.0)
        for k in range(1, n):
            after = level(number, p, edges[k])
            if (before < 0.0) != (after < 0.0):
                found[m] = zero(number, p, edges[k - 1], edges[k], before < 0.0)
                m += 1
            before = after
        found[m] = duration
        n = m + 1
        edges[:n] = found[:n]
    for k in range(1, n):
        if above(p, edges[k]) >= 0.0:
            return zero(-1, p, edges[k - 1], edges[k], True)
    return -1.0
