"""How both runs' spikes come about, where the experiment is known: models for either side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from analysis.diagnosis.bookkeeping import Books
from analysis.diagnosis.explanations import (
    Explanation,
    Fit,
    as_elsewhere,
    explain,
    follows,
    on_grid,
)
from analysis.diagnosis.intervals import current_rows, intervals_of, nominal_model, predictable
from analysis.lif import Intervals, Scheme, potential
from analysis.pairing import Pair, Side
from analysis.runfacts import RunFacts
from analysis.spikearrays import FloatArray, SpikeArrays
from pynn_model.experiment import Condition, Experiment
from pynn_model.schema import ExperimentError

ROWS = 60
"""Trials that are predicted in all, spread over the conditions."""
UNLIKELY = 4.6
"""- log of the probability (0.01) that spikes are on a coarser grid by chance."""
COARSER = (2, 4, 5, 8, 10, 20, 25, 40, 50, 100)
"""How many steps of the current a longer timestep may have."""


@dataclass(frozen=True)
class Account:
    """One side's spikes in one condition: its experiment, and how well which model predicts them.

    joint: whether the model was found for several conditions together. fraction: in this one.
    stated: the timestep (ms) that the experiment says, where the run's own is another.
    """

    plan: Experiment
    condition: Condition
    explanation: Explanation
    fraction: float
    joint: bool
    stated: float

    @property
    def good(self) -> bool:
        return self.explanation.good and self.fraction >= 0.9

    @property
    def step(self) -> float:
        """The run's timestep, ms."""
        return self.plan.timestep * self.explanation.model.every


def accounts(
    pairs: Mapping[int, Pair], books: Mapping[int, Books], facts: tuple[RunFacts, RunFacts]
) -> dict[int, tuple[Account, Account]]:
    """Both sides' accounts of each condition whose current is known."""
    plans = facts[0].plan or facts[1].plan, facts[1].plan or facts[0].plan
    if plans[0] is None or plans[1] is None:
        return {}
    known: dict[int, tuple[Condition, Condition]] = {}
    for k, pair in pairs.items():
        names = (
            pair.reference.name if facts[0].plan else pair.other.name,
            pair.other.name if facts[1].plan else pair.reference.name,
        )
        found = predictable(plans[0], names[0]), predictable(plans[1], names[1])
        if found[0] is not None and found[1] is not None:
            known[k] = found[0], found[1]
    sides = []
    for side in (0, 1):
        plan = plans[side]
        assert plan is not None
        spikes = {k: _first_run(pairs[k], books[k], side) for k in known}
        conditions = {k: both[side] for k, both in known.items()}
        cut = {k: bool(books[k].findings) for k in known}
        sides.append(_accounts(plan, conditions, spikes, cut, facts[side].backend))
    return {k: (sides[0][k], sides[1][k]) for k in known if k in sides[0] and k in sides[1]}


def _first_run(pair: Pair, books: Books, side: int) -> SpikeArrays:
    """The spikes of the first of several runs: its seed is the experiment's."""
    spikes = (books.reference, books.other)[side]
    of: Side = (pair.reference, pair.other)[side]
    n = int(np.count_nonzero(of.runs == 0))
    if n == spikes.n_trials:
        return spikes
    mine = spikes.trials < n
    return replace(spikes, times=spikes.times[mine], trials=spikes.trials[mine], n_trials=n)


def _accounts(
    plan: Experiment,
    conditions: Mapping[int, Condition],
    spikes: Mapping[int, SpikeArrays],
    cut: Mapping[int, bool],
    backend: str,
) -> dict[int, Account]:
    nominal = nominal_model(plan)
    if nominal is None or not conditions:
        return {}
    trials = max(1, ROWS // len(conditions))
    every = _every(spikes, plan.timestep)
    stated = plan.timestep
    together = _complete(intervals_of(plan, spikes, conditions, trials), cut)
    doubtful = every > 1 and not follows(nominal, together)
    coarser = _at_timestep(plan, every, conditions) if doubtful else None
    joint = None
    if coarser is not None:
        # At a longer timestep the current's own staircase is coarser, too.
        again = _complete(intervals_of(coarser[0], spikes, coarser[1], trials), cut)
        tried = explain(nominal, again, 1, backend)
        if tried.good and not tried.fits and tried.both is None:
            (plan, conditions), together, joint, every = coarser, again, tried, 1
    if joint is None:
        joint = explain(nominal, together, every, backend)
    fractions = _fractions(joint, together.condition)
    found = {}
    for k, condition in conditions.items():
        explanation, fraction, shared = joint, fractions.get(k, 1.0), True
        if len(conditions) > 1 and (not joint.good or fraction < 0.9):
            own = together.some(together.condition == k)
            alone = explain(nominal, own, every, backend)
            if alone.fraction > fraction + 0.02:
                explanation, fraction, shared = alone, alone.fraction, False
        found[k] = Account(plan, condition, explanation, fraction, shared, stated)
    return {k: _by_another(account, k, found, together) for k, account in found.items()}


def _complete(intervals: Intervals, cut: Mapping[int, bool]) -> Intervals:
    """Without the open ends of recordings that were cut."""
    whole = ~np.array([cut[int(c)] for c in intervals.condition], dtype=bool)
    return intervals.some(np.isfinite(intervals.end) | whole)


def _at_timestep(
    plan: Experiment, every: int, conditions: Mapping[int, Condition]
) -> tuple[Experiment, Mapping[int, Condition]] | None:
    """The experiment at a timestep `every` times as long, if it is a valid one."""
    table = plan.to_dict()
    table["timestep"] = round(plan.timestep * every, 9)
    table["record"]["v"] = 0
    table["record"]["v_interval"] = table["timestep"]
    try:
        coarse = Experiment.from_dict(table)
    except ExperimentError:
        return None
    return coarse, {k: coarse.condition(c.name) for k, c in conditions.items()}


def _by_another(
    account: Account, k: int, found: Mapping[int, Account], together: Intervals
) -> Account:
    """The account, or the one by what explains another condition if that does it here as well."""
    if account.good:
        return account
    own = together.some(together.condition == k)
    for other in found.values():
        if other.good:
            explanation = as_elsewhere(other.explanation, own)
            if explanation.fraction >= max(0.9, account.fraction):
                return replace(
                    account, explanation=explanation, fraction=explanation.fraction, joint=False
                )
    return account


def _fractions(explanation: Explanation, condition: np.ndarray) -> dict[int, float]:
    prediction = explanation.prediction
    assert prediction is not None
    explained = prediction.hit | (prediction.skipped > 0)
    return {int(k): float(explained[condition == k].mean()) for k in np.unique(condition)}


def _every(spikes: Mapping[int, SpikeArrays], step: float) -> int:
    """Steps of `step` in the grid that all spikes are on, by more than chance."""
    times = np.concatenate([s.times for s in spikes.values()] or [np.empty(0)])
    different = np.unique(np.rint(times / step)).size
    if different < 3 or not on_grid(times, step):
        return 1
    sure = (n for n in COARSER if different * np.log(n) > UNLIKELY)
    return max((n for n in sure if on_grid(times, n * step)), default=1)


def told_apart(fits: tuple[Fit, ...], account: Account, pair: Pair) -> tuple[Fit, ...]:
    """The fits that the recorded potential of the other run leaves; all where it says nothing.

    A changed threshold and a changed capacitance can give the same spikes, but not the same v.
    """
    v = pair.other.potentials
    if v is None or len(fits) < 2:
        return fits
    columns = np.flatnonzero(v.trials < pair.other.n_trials)[:4]
    trials = [int(v.trials[c]) for c in columns]
    rows = current_rows(account.plan, account.condition, trials)
    ticks = np.rint(v.times / account.plan.timestep).astype(int)
    inside = (ticks >= 0) & (ticks <= account.plan.n_steps)
    misfit = []
    for fit in fits:
        errors: list[FloatArray] = []
        for place, column in enumerate(columns):
            spikes = train(pair.other.spikes, trials[place])
            row = rows[place if len(rows) > 1 else 0]
            model = replace(
                fit.model,
                scheme=Scheme.OFF_GRID if fit.model.scheme is Scheme.OFF_GRID else Scheme.ON_GRID,
            )
            trace = potential(model, row, spikes, account.plan.timestep)
            errors.append(np.abs(trace[ticks[inside]] - v.values[inside, column]))
        misfit.append(float(np.median(np.concatenate(errors))))
    best = min(misfit)
    kept = [fit for fit, error in zip(fits, misfit, strict=True) if error <= 2 * best + 1e-4]
    return tuple(kept)


def train(spikes: SpikeArrays, trial: int) -> FloatArray:
    """The spike times of one trial, ms."""
    stop = int(np.cumsum(spikes.counts)[trial])
    return spikes.times[stop - int(spikes.counts[trial]) : stop]
