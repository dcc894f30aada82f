"""Statistical policies: the same distributions, at an error rate for the whole comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.pairing import CompareError, Pair, Side
from analysis.policies import Policy, Statistical
from analysis.populations import (
    Sample,
    SampleTest,
    compare_samples,
    holm_corrected,
    population_samples,
)
from analysis.runfacts import RunFacts
from analysis.spikearrays import FloatArray, SpikeArrays
from pynn_model.currents import Noise
from pynn_model.experiment import Experiment

if TYPE_CHECKING:
    from analysis.verdicts import Outcome

WINDOWS = 10
"""Parts of the run that are compared where all trials share one noise."""
SHORTEST = 50.0
"""ms, of such a part: longer than the membrane and the usual noise remember."""
FEWEST = 5
"""Runs a side from which each run gives one value."""
TOGETHER = 0.15
"""Mean correlation of trials above which they are taken to share their noise."""


def judge_statistically(
    pairs: Sequence[Pair], policies: Sequence[Policy], facts: tuple[RunFacts, RunFacts]
) -> list[Outcome]:
    """The outcome of each condition; the tests of all of them are corrected together."""
    from analysis.verdicts import Outcome

    try:
        found = [_tests(pair, facts) for pair in pairs]
    except ValueError as error:
        raise CompareError(f"no statistics can be compared: {error}") from None
    corrected = iter(holm_corrected(test for tests, _ in found for test in tests))
    number = sum(len(tests) for tests, _ in found)
    outcomes = []
    for pair, policy, (tests, unit) in zip(pairs, policies, found, strict=True):
        assert isinstance(policy, Statistical)
        mine = tuple(next(corrected) for _ in tests)
        outcomes.append(Outcome(*_verdict(pair, policy, mine, unit, number), tests=mine))
    return outcomes


def descriptive_tests(pair: Pair, facts: tuple[RunFacts, RunFacts]) -> tuple[SampleTest, ...]:
    """The distributions of a condition that another policy judges."""
    try:
        tests, _ = _tests(pair, facts)
    except ValueError:  # too short a recording for correlations
        return ()
    return holm_corrected(tests)


def _tests(pair: Pair, facts: tuple[RunFacts, RunFacts]) -> tuple[list[SampleTest], str]:
    """The tests of one condition, not yet corrected, and what one value belongs to."""
    runs = _runs(pair.reference), _runs(pair.other)
    together = _share_noise(pair, facts)
    if together and min(runs) >= FEWEST:
        unit, samples = "run", [_by_run(side) for side in (pair.reference, pair.other)]
    elif together:
        unit, samples = "part of the run", [_by_window(s) for s in (pair.reference, pair.other)]
    else:
        unit, samples = "trial", [_by_trial(side) for side in (pair.reference, pair.other)]
    tests = [
        compare_samples(a.values, b.values, a.name, a.unit)
        for a, b in zip(samples[0], samples[1], strict=True)
    ]
    return tests, unit


def _runs(side: Side) -> int:
    return int(np.unique(side.runs).size)


# --- what is independent ---------------------------------------------------------------------


def _share_noise(pair: Pair, facts: tuple[RunFacts, RunFacts]) -> bool:
    """Whether the trials of a run follow one noise that is not the same in the other run.

    Such trials are no independent samples: what differs between the runs is one draw each.
    """
    plans = facts[0].plan or facts[1].plan, facts[1].plan or facts[0].plan
    if plans[0] is not None and plans[1] is not None and plans[0].model is None:
        # One file of two says nothing of the other's seed.
        known = facts[0].plan is not None and facts[1].plan is not None
        if known and facts[0].seeds == facts[1].seeds and plans[0].digest == plans[1].digest:
            return False
        return _shared_noise(plans[0], pair) or _shared_noise(plans[1], pair)
    if plans[0] is not None:  # the neurons of a network are its sample
        return False
    return max(_correlation(pair.reference.spikes), _correlation(pair.other.spikes)) > TOGETHER


def _shared_noise(plan: Experiment, pair: Pair) -> bool:
    names = pair.reference.name, pair.other.name
    return any(
        isinstance(current, Noise) and current.shared and current.stdev > 0
        for condition in plan.conditions
        if condition.name in names
        for current in condition.currents
    )


def _correlation(spikes: SpikeArrays) -> float:
    values = population_samples(spikes)[-1].values
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else 0.0


# --- samples ---------------------------------------------------------------------------------


def _by_trial(side: Side) -> tuple[Sample, ...]:
    return population_samples(side.spikes)


def _by_run(side: Side) -> tuple[Sample, ...]:
    """The mean of each quantity over the trials of each run."""
    each = [population_samples(_of_run(side, run)) for run in np.unique(side.runs)]
    return tuple(
        Sample(same[0].name, same[0].unit, np.array([_mean(one.values) for one in same]))
        for same in zip(*each, strict=True)
    )


def _of_run(side: Side, run: int) -> SpikeArrays:
    numbers = np.flatnonzero(side.runs == run)
    spikes = side.spikes
    mine = np.isin(spikes.trials, numbers)
    trials = np.searchsorted(numbers, spikes.trials[mine])
    return SpikeArrays(spikes.times[mine], trials, numbers.size, spikes.t_start, spikes.t_stop)


def _by_window(side: Side) -> tuple[Sample, ...]:
    """Rate and LV in parts of the run, over all trials: the parts are nearly independent."""
    spikes = side.spikes
    width = max(spikes.duration / WINDOWS, SHORTEST)
    n = int(spikes.duration / width + 1e-9)
    place = np.minimum(((spikes.times - spikes.t_start) / width).astype(np.int64), n - 1)
    rate = np.bincount(place, minlength=n) * 1000 / (width * spikes.n_trials)
    return Sample("rate", "Hz", np.round(rate, 9)), Sample("LV", "", _window_lv(spikes, place, n))


def _window_lv(spikes: SpikeArrays, place: np.ndarray, n: int) -> FloatArray:
    """Local variation (Shinomoto 2003) of the pairs of intervals that meet in each part."""
    inside = (np.diff(spikes.trials)[1:] == 0) & (np.diff(spikes.trials)[:-1] == 0)
    first, second = np.diff(spikes.times)[:-1][inside], np.diff(spikes.times)[1:][inside]
    both = first + second
    terms = 3 * ((first - second) / np.where(both > 0, both, 1.0)) ** 2
    where = place[1:-1][inside]
    counts = np.bincount(where, minlength=n)
    sums = np.bincount(where, terms, minlength=n)
    return np.round(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), 9)


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


# --- the verdict -----------------------------------------------------------------------------


def _verdict(
    pair: Pair, policy: Statistical, tests: Sequence[SampleTest], unit: str, number: int
) -> tuple[bool, str]:
    runs = min(_runs(pair.reference), _runs(pair.other))
    if runs < policy.seeds:
        return False, (
            f"{policy} needs {policy.seeds} runs with different seeds on each side, and there "
            f"{'is' if runs == 1 else 'are'} {runs}"
        )
    defined = [test for test in tests if not math.isnan(test.p_least)]
    if not defined or all(min(t.n_reference, t.n_other) < 4 for t in defined):
        return False, (
            f"cannot be told: with so few values ({tests[0].n_reference} and {tests[0].n_other}, "
            f"one a {unit}) no difference would be found; give more trials or seeds"
        )
    differing = [test for test in defined if test.differs(policy.alpha)]
    if not differing:
        least = min(test.p_least for test in defined)
        return True, (
            f"no difference in {_listed([test.name for test in defined])}, one value a {unit} "
            f"(least p {least:.2g}, corrected for {3 * number} tests; error rate {policy.alpha:g})"
        )
    return False, "; ".join(_difference(test) for test in differing)


def _difference(test: SampleTest) -> str:
    name, result = min(
        ((n, r) for n, r in test.results.items() if not math.isnan(r.p_corrected)),
        key=lambda item: item[1].p_corrected,
    )
    unit = f" {test.unit}" if test.unit else ""
    return (
        f"{test.name} differs: {test.mean_reference:.4g} ± {test.sd_reference:.2g} in the "
        f"reference, {test.mean_other:.4g} ± {test.sd_other:.2g}{unit} in the other run "
        f"({name}, corrected p = {result.p_corrected:.2g})"
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
