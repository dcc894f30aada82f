"""Two parameters changed at once, where no single one explains the spikes.

Gauss and Newton's method on the errors of the predicted intervals: each parameter moves each
interval by an amount of its own, so that two can be told apart as long as the current varies.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from analysis.lif import Intervals, Model, Scheme, predict
from analysis.spikearrays import FloatArray

NAMES = ("tau_m", "v_thresh", "v_rest", "v_reset", "i_offset", "cm")
"""In the order in which equally good pairs are preferred."""
UNITS = ("ms", "mV", "mV", "mV", "nA", "nF")
CAP = 5.0
ROUNDS = 12


@dataclass(frozen=True)
class Change:
    """One of the two parameters."""

    parameter: str
    old: float
    new: float
    unit: str


@dataclass(frozen=True)
class PairFit:
    """changes: two. fraction: of the intervals predicted. model: with both changed."""

    changes: tuple[Change, Change]
    fraction: float
    loss: float
    model: Model


def fit_two(base: Model, intervals: Intervals, enough: float) -> PairFit | None:
    """The two changed parameters that explain the intervals best; None below `enough`."""
    slopes = {name: _slope(base, name, intervals) for name in NAMES}
    best: PairFit | None = None
    for pair in itertools.combinations(NAMES, 2):
        found = _fit(base, pair, slopes, intervals)
        if found is not None and (best is None or found.fraction > best.fraction + 0.01):
            best = found
    return best if best is not None and best.fraction >= enough else None


def _fit(
    base: Model, pair: tuple[str, str], slopes: dict[str, FloatArray], intervals: Intervals
) -> PairFit | None:
    matrix = np.stack([slopes[name] for name in pair], axis=1)
    values = np.array([_value(base, name) for name in pair])
    for _ in range(ROUNDS):
        try:
            error = _error(_changed(base, pair, values), intervals)
        except ValueError:  # v_reset above v_thresh and the like
            return None
        usable = (np.abs(error) < 0.9 * CAP) & np.all(np.isfinite(matrix), axis=1)
        # Where a threshold is only just reached, a slope is that of another spike.
        steep = np.abs(matrix) > 6 * np.median(np.abs(matrix[usable]), axis=0)
        usable &= ~steep.any(axis=1)
        if usable.sum() < 6 or np.linalg.cond(matrix[usable]) > 1e6:
            return None
        # A few intervals whose spike is another one altogether must not decide.
        size = np.abs(error[usable])
        near = size <= 3 * np.median(size) + 1e-6
        step, *_ = np.linalg.lstsq(matrix[usable][near], error[usable][near], rcond=None)
        values = values + step
    return _polished(base, pair, values, intervals)


def _polished(
    base: Model, pair: tuple[str, str], values: FloatArray, intervals: Intervals
) -> PairFit | None:
    """A last search around the solution: on the grid, errors are whole steps."""
    width = 2e-3 * np.array([_scale(base, name) for name in pair])
    for _ in range(4):
        around = [
            values + width * np.array(offset)
            for offset in itertools.product((-1.0, -0.5, 0.0, 0.5, 1.0), repeat=2)
        ]
        try:
            losses = [predict(_changed(base, pair, at), intervals, CAP).loss for at in around]
        except ValueError:
            return None
        values, width = around[int(np.argmin(losses))], 0.4 * width
    model = _changed(base, pair, values)
    found = predict(model, intervals, CAP, tolerance=_tolerance(model, intervals))
    changes = [
        Change(name, _value(base, name), float(value), UNITS[NAMES.index(name)])
        for name, value in zip(pair, values, strict=True)
    ]
    return PairFit((changes[0], changes[1]), found.fraction, found.loss, model)


def _tolerance(model: Model, intervals: Intervals) -> float:
    return (0.05 if model.scheme is Scheme.OFF_GRID else 0.5 * model.every) * intervals.timestep


def _error(model: Model, intervals: Intervals) -> FloatArray:
    return predict(model, intervals, CAP, smooth=True).error


def _slope(base: Model, name: str, intervals: Intervals) -> FloatArray:
    """How much later each predicted spike is for one unit more of the parameter, ms."""
    change = 4e-3 * _scale(base, name)
    value = _value(base, name)
    up, down = (
        _error(_changed(base, (name,), np.array([value + sign * change])), intervals)
        for sign in (1, -1)
    )
    slope = (down - up) / (2 * change)
    lost = (np.abs(up) >= CAP) | (np.abs(down) >= CAP)
    return np.where(lost, np.nan, slope)


def _scale(base: Model, name: str) -> float:
    neuron = base.neuron
    if name in ("tau_m", "cm"):
        return float(getattr(neuron, name))
    span = abs(neuron.v_thresh - neuron.v_rest) or 1.0
    return span / neuron.resistance if name == "i_offset" else span


def _value(base: Model, name: str) -> float:
    return float(getattr(base.neuron, name))


def _changed(base: Model, names: tuple[str, ...], values: FloatArray) -> Model:
    new = {name: float(value) for name, value in zip(names, values, strict=True)}
    model = replace(base, neuron=replace(base.neuron, **new))
    at_rest = abs(base.v_init - base.neuron.v_rest) < 1e-9
    return replace(model, v_init=new["v_rest"]) if "v_rest" in new and at_rest else model
