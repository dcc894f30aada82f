"""How a run's spikes come about: the experiment's neuron, and what has to differ from it.

Models are tried from the likely to the less likely: the experiment as it is, on the grid or off it;
the habits of the simulators (how each integrates, stamps a spike, counts the refractory period);
one changed parameter. A model counts by the fraction of intervals it predicts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.diagnosis.two_parameters import PairFit, fit_two
from analysis.lif import Intervals, Model, Prediction, Scheme, predict
from analysis.policy_defaults import FIXED

ENOUGH = 0.97
"""Fraction of the intervals that a model must predict to count as the explanation."""
CAP = 5.0
"""Errors (ms) beyond this count as this: no single interval may decide a fit."""
HOPELESS = 2.5
"""Mean error (ms) beyond which the current must be another one: two parameters are not tried."""
MOST_INTERVALS = 500
"""Intervals that a parameter is fitted to."""
PRICE = 0.015
"""What each departure from the experiment costs, as a fraction of the intervals."""

HABITS: dict[str, Callable[[Model], Model]] = {
    "pyNN.neuron": lambda model: replace(model, scheme=Scheme.BACKWARD_EULER),
    "pyNN.brian2": lambda model: replace(model, stamp=-1, refractory=-1),
    **dict.fromkeys(FIXED, lambda model: replace(model, scheme=Scheme.FIXED_POINT)),
}
"""What simulators do that nobody corrects (measured): PyNN's own backends, and SpiNNaker."""


@dataclass(frozen=True)
class Fit:
    """One parameter changed. relative: change / old value, where that means something.

    low, high: the range of new values that explain the spikes as well. loss: ms an interval.
    """

    parameter: str
    old: float
    new: float
    low: float
    high: float
    unit: str
    fraction: float
    loss: float
    model: Model

    @property
    def change(self) -> float:
        return self.new - self.old


@dataclass(frozen=True)
class Explanation:
    """model: the best one found. fraction: of the intervals it predicts, skipped spikes included.

    both: two parameters, where one alone does not do.
    skipped: spikes that must have happened but are not in the recording. fits: one changed
    parameter, the best first, each as good as the first; empty where none was needed.
    nominal: the fraction that the unchanged experiment predicts. n: intervals.
    """

    model: Model
    fraction: float
    nominal: float
    skipped: int
    n: int
    fits: tuple[Fit, ...] = ()
    prediction: Prediction | None = None
    both: PairFit | None = None

    @property
    def good(self) -> bool:
        if self.both is not None and self.fraction >= 0.9:
            return True
        return self.fraction >= ENOUGH or self.n - round(self.fraction * self.n) <= 1 < self.n / 6


def on_grid(times: np.ndarray, step: float) -> bool:
    """Whether all times (ms) are multiples of `step`."""
    return bool(np.all(np.abs(times - np.rint(times / step) * step) < 1e-3 * step + 1e-9))


def explain(nominal: Model, intervals: Intervals, every: int = 1, backend: str = "") -> Explanation:
    """The simplest model that predicts the intervals.

    every: steps of the current in the grid of the run's spikes, its timestep if that explains more.
    backend: the simulator's name; its habits are believed before others.
    """
    times = intervals.end[np.isfinite(intervals.end)]
    grid = times.size > 0 and on_grid(times, intervals.timestep)
    base = replace(nominal, scheme=Scheme.ON_GRID if grid else Scheme.OFF_GRID)
    sample = _sample(intervals)
    coarse = replace(base, every=every)
    if grid and every > 1 and _scored(coarse, sample)[0] > _scored(base, sample)[0] + 0.1:
        base = coarse
    first = _scored(base, sample)
    start = first[0]
    usual = HABITS[backend](base) if backend in HABITS and grid else base
    if start >= ENOUGH and _scored(usual, sample)[0] <= start + 1e-9:
        return _whole(base, intervals, start)
    candidates = [base, *_habits(base, grid, backend)]
    model = max(candidates, key=lambda m: _scored(m, sample)[0] - PRICE * _departures(m, base))
    if model is base or _scored(model, sample)[0] < ENOUGH:
        model = _started(model, sample)
    fraction = _scored(model, sample)[0]
    if fraction >= ENOUGH:
        return _whole(model, intervals, start)
    fits = _fits(base, sample)
    if model != base and (not fits or fits[0].fraction < ENOUGH):
        fits = sorted([*fits, *_fits(model, sample)], key=lambda f: (-f.fraction, f.loss))
    if fits and grid and fits[0].fraction < ENOUGH:
        fits = _stamped(base, sample, fits)
    if first[1] < HOPELESS and (not fits or fits[0].fraction < ENOUGH):
        both = fit_two(base, sample, 0.9)
        before = max([f.fraction for f in fits[:1]] + [fraction])
        if both is not None and 1 - both.fraction < (1 - before) / 3:
            return replace(_whole(both.model, intervals, start), both=both)
    if fits and _better(fits[0], first, fraction):
        best = fits[0]
        equal = [f for f in fits if f.fraction >= best.fraction - 0.02 and _as_small(f, best)]
        return replace(_whole(best.model, intervals, start), fits=tuple(_distinct(equal)))
    return _whole(model if fraction > start + 0.1 else base, intervals, start)


def _stamped(base: Model, sample: Intervals, fits: list[Fit]) -> list[Fit]:
    """The most promising parameters again, with spikes stamped a step earlier or later."""
    names = [fit.parameter for fit in sorted(fits, key=lambda f: f.loss)[:3]]
    more = [
        fit
        for stamp in (-1, 1)
        for fit in _fits(replace(base, stamp=stamp), sample, names)
        if fit.fraction >= ENOUGH
    ]
    return sorted([*more, *fits], key=lambda f: (-round(f.fraction, 2), f.loss))


def _better(fit: Fit, nominal: tuple[float, float], fraction: float) -> bool:
    if fit.fraction >= ENOUGH:
        return True
    return fit.loss < 0.35 * nominal[1] and fit.fraction > fraction


def _as_small(fit: Fit, best: Fit) -> bool:
    return fit.loss <= 1.5 * best.loss + 2e-3


def _distinct(fits: Sequence[Fit]) -> list[Fit]:
    seen: dict[str, Fit] = {}
    for fit in fits:
        seen.setdefault(fit.parameter, fit)
    return list(seen.values())


def _sample(intervals: Intervals) -> Intervals:
    if intervals.n <= MOST_INTERVALS:
        return intervals
    return intervals.some(np.unique(np.linspace(0, intervals.n - 1, MOST_INTERVALS).astype(int)))


def _scored(model: Model, intervals: Intervals, skips: int = 0) -> tuple[float, float]:
    """(fraction predicted, loss in ms)."""
    if not intervals.n:
        return 1.0, 0.0
    found = predict(model, intervals, CAP, skips, _tolerance(model, intervals))
    return float((found.hit | (found.skipped > 0)).mean()), found.loss


def _tolerance(model: Model, intervals: Intervals) -> float:
    """Off the grid a fitted parameter is never exact: 1 % of a step is near enough."""
    return 0.01 * intervals.timestep if model.scheme is Scheme.OFF_GRID else 0.0


def _whole(model: Model, intervals: Intervals, nominal: float) -> Explanation:
    """Also with spikes missing from the recording."""
    found = predict(model, intervals, CAP, 3, _tolerance(model, intervals))
    explained = found.hit | (found.skipped > 0)
    return Explanation(
        model=model,
        fraction=float(explained.mean()),
        nominal=nominal,
        skipped=int(found.skipped[~found.hit].sum()),
        n=intervals.n,
        prediction=found,
    )


def follows(nominal: Model, intervals: Intervals) -> bool:
    """Whether the experiment's own model on the grid predicts the intervals."""
    return _scored(replace(nominal, scheme=Scheme.ON_GRID), _sample(intervals))[0] >= ENOUGH


def as_elsewhere(explanation: Explanation, intervals: Intervals) -> Explanation:
    """The same explanation tried on other intervals."""
    here = _whole(explanation.model, intervals, explanation.nominal)
    return replace(here, fits=explanation.fits, both=explanation.both)


# --- habits ----------------------------------------------------------------------------------


def _habits(base: Model, grid: bool, backend: str) -> list[Model]:
    """What simulators are known to do; that of `backend` first, so that it wins a tie."""
    known = [HABITS[backend](base)] if backend in HABITS else []
    if not grid:
        return known
    schemes = [Scheme.ON_GRID, Scheme.BACKWARD_EULER, Scheme.FORWARD_EULER]
    if base.every == 1:
        schemes.append(Scheme.FIXED_POINT)
    return known + [
        replace(base, scheme=scheme, stamp=stamp, refractory=refractory)
        for scheme, stamp, refractory in itertools.product(schemes, (0, -1, 1), (0, -1, 1))
    ]


def _departures(model: Model, base: Model) -> int:
    return sum(
        getattr(model, name) != getattr(base, name)
        for name in ("scheme", "stamp", "refractory", "lost", "v_init")
    )


def _started(model: Model, intervals: Intervals) -> Model:
    """If only the first intervals fail: with some of the current's start lost, if that does it."""
    first = intervals.some(np.isnan(intervals.begin) & np.isfinite(intervals.end))
    rest = intervals.some(np.isfinite(intervals.begin))
    if not first.n or _scored(model, first)[0] >= 0.9 or _scored(model, rest)[0] < 0.9:
        return model
    lengths = [*range(1, 31), 50, 100]
    lost = max(lengths, key=lambda k: (_scored(replace(model, lost=k), first)[0], -k))
    better = replace(model, lost=lost)
    return better if _scored(better, first)[0] >= 0.9 else model


# --- parameters ------------------------------------------------------------------------------

_STEPS = np.array([5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 0.016, 0.03, 0.05, 0.08, 0.12, 0.2])


def _fits(base: Model, intervals: Intervals, names: Sequence[str] = ()) -> list[Fit]:
    """Each parameter (or those named) fitted alone, the best first."""
    neuron = base.neuron
    span = neuron.v_thresh - neuron.v_rest or 1.0
    rheobase = span / neuron.resistance
    wide = np.append(_STEPS, [0.35, 0.6, 1.0])

    def cell(name: str) -> Callable[[float], Model]:
        return lambda value: replace(base, neuron=replace(neuron, **{name: value}))

    def rest(value: float) -> Model:
        moved = replace(base, neuron=replace(neuron, v_rest=value))
        follows = abs(base.v_init - neuron.v_rest) < 1e-9  # the potential starts at rest
        return replace(moved, v_init=value) if follows else moved

    tasks: list[tuple[str, str, float, float, np.ndarray, Callable[[float], Model]]] = [
        ("tau_m", "ms", neuron.tau_m, neuron.tau_m, _STEPS, cell("tau_m")),
        ("cm", "nF", neuron.cm, neuron.cm, _STEPS, cell("cm")),
        ("v_thresh", "mV", neuron.v_thresh, span, _STEPS, cell("v_thresh")),
        ("v_reset", "mV", neuron.v_reset, span, wide, cell("v_reset")),
        ("v_rest", "mV", neuron.v_rest, span, wide, rest),
        ("i_offset", "nA", neuron.i_offset, rheobase, wide, cell("i_offset")),
        ("tau_refrac", "ms", neuron.tau_refrac, 10.0, wide, cell("tau_refrac")),
        ("v_init", "mV", base.v_init, span, wide, lambda value: replace(base, v_init=value)),
    ]
    if neuron.i_offset:
        gain = lambda value: replace(base, gain=value)  # noqa: E731
        tasks.append(("current gain", "", base.gain, 1.0, _STEPS, gain))
    fits = [
        fit
        for task in tasks
        if (not names or task[0] in names) and (fit := _fit(*task, intervals)) is not None
    ]
    return sorted(fits, key=lambda fit: (-round(fit.fraction, 2), fit.loss))


def _fit(
    name: str,
    unit: str,
    old: float,
    scale: float,
    steps: np.ndarray,
    model: Callable[[float], Model],
    intervals: Intervals,
) -> Fit | None:
    """The value of one parameter with the smallest loss: a coarse scan, then ever finer ones."""

    def loss(value: float) -> float:
        try:
            return _scored(model(value), intervals)[1]
        except ValueError:  # v_reset above v_thresh and the like
            return np.inf

    changes = np.concatenate([-steps[::-1], [0.0], steps]) * scale
    losses = np.array([loss(old + change) for change in changes])
    best = int(np.argmin(losses))
    if not np.isfinite(losses[best]) or changes[best] == 0.0:
        return None
    low, high = changes[max(best - 1, 0)], changes[min(best + 1, len(changes) - 1)]
    for _ in range(9):
        changes = np.linspace(low, high, 9)
        losses = np.array([loss(old + change) for change in changes])
        best = int(np.argmin(losses))
        plateau = np.flatnonzero(losses <= losses[best] + 1e-9)
        low = changes[max(plateau[0] - 1, 0)]
        high = changes[min(plateau[-1] + 1, len(changes) - 1)]
        if plateau.size >= 3:
            break
    # The ends are just outside of what fits equally well.
    inside = changes[plateau[0]], changes[plateau[-1]]
    value = old + 0.5 * (inside[0] + inside[1])
    if name == "tau_refrac" and model(old).scheme is not Scheme.OFF_GRID:
        step = intervals.timestep * model(old).every  # it lasts a whole number of steps
        value = round(np.ceil(value / step - 1e-6) * step, 9)
    fraction, final = _scored(model(value), intervals)
    return Fit(
        name, old, float(value), float(old + inside[0]), float(old + inside[1]), unit, fraction,
        final, model(float(value)),
    )  # fmt: skip
