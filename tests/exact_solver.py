"""A second solution of current-based leaky cells: slow, and without any closed form of its own.

The equations are one linear system x' = A x, advanced by scipy's matrix exponential; crossings are
looked for on a fine grid, between whose points the potential's highest value is looked for, too.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm
from scipy.optimize import brentq, minimize_scalar

POINTS = 64
"""Points of an interval at which the potential is computed."""


def system(p, current):
    """A of x' = A x for x = (v, i_exc, d_exc, i_inh, d_inh, 1): i' = d e^0 − i/tau and so on."""
    a = np.zeros((6, 6))
    a[0, 0] = -1 / p["tau_m"]
    a[0, [1, 3]] = 1 / p["cm"]
    a[0, 5] = p["v_rest"] / p["tau_m"] + (current + p.get("i_offset", 0.0)) / p["cm"]
    for first, tau in ((1, p.get("tau_syn_E", 1.0)), (3, p.get("tau_syn_I", 1.0))):
        a[first, first] = a[first + 1, first + 1] = -1 / tau
        a[first, first + 1] = 1.0
    return a


def first_crossing(a, x, duration, thresh):
    """The first t in (0, duration] with v >= thresh, or None; x: the state at t = 0."""

    def above(t):
        return (expm(a * t) @ x)[0] - thresh

    step = expm(a * duration / POINTS)
    edges = np.linspace(0, duration, POINTS + 1)
    states = [x]
    for _ in range(POINTS):
        states.append(step @ states[-1])
    v = np.array(states)[:, 0] - thresh
    for k in range(POINTS):
        low, high = edges[k], edges[k + 1]
        if v[k + 1] >= 0:
            return brentq(above, low, high, xtol=1e-13) if v[k] < 0 else low
        around = v[max(k - 1, 0) : k + 3]
        if max(around) in (v[k], v[k + 1]) and max(around) > -1e-2 * np.ptp(v) - 1e-9:
            found = minimize_scalar(
                lambda t: -above(t), bounds=(low, high), method="bounded", options={"xatol": 1e-12}
            )
            if -found.fun >= 0:
                return brentq(above, low, found.x, xtol=1e-13)
    return None


def spikes(cell_type, p, v, currents, events, duration):
    """Spike times (ms) of one cell from t = 0 on.

    currents: (time, nA) from that time on, the first at 0. events: (time, "excitatory" or
    "inhibitory", weight).
    """
    x = np.array([v, 0.0, 0.0, 0.0, 0.0, 1.0])
    changes = sorted({t for t, _ in currents} | {t for t, _, _ in events} | {duration})
    t, free, found, current = 0.0, -1.0, [], dict(currents)[0.0]
    while t < duration - 1e-12:
        current = dict(currents).get(t, current)
        a = system(p, current)
        end = min(c for c in changes if c > t)
        held = t < free - 1e-12
        if held:
            end = min(end, free)
            x[0] = p["v_reset"]
            kept = a.copy()
            kept[0] = 0.0
            x = expm(kept * (end - t)) @ x
        else:
            crossing = 0.0 if x[0] >= p["v_thresh"] else None
            if crossing is None:
                crossing = first_crossing(a, x, end - t, p["v_thresh"])
            if crossing is not None:
                end = t + crossing
                x = expm(a * crossing) @ x
                x[0] = p["v_reset"]
                free = end + p["tau_refrac"]
                found.append(end)
            else:
                x = expm(a * (end - t)) @ x
        t = end
        for time, receptor, weight in events:
            if time == t:
                place = 1 if receptor == "excitatory" else 3
                if cell_type == "IF_curr_exp":
                    x[place] += weight
                elif cell_type == "IF_curr_alpha":
                    tau = p["tau_syn_E" if place == 1 else "tau_syn_I"]
                    x[place + 1] += weight * np.e / tau
                elif t >= free - 1e-10:
                    x[0] += weight
    return np.array(found)
