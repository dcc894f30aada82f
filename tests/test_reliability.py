"""Events, reliability, precision: known answers, chance, the reference experiment, the edges."""

from __future__ import annotations

import math
import time
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar

from analysis.events import EventCriteria, Events, find_events, smoothed_psth
from analysis.reliability import event_reliability
from analysis.resampling import Estimate, trial_weights, with_interval
from analysis.similarity import schreiber_correlation
from analysis.spikearrays import SpikeArrays
from tests.synthetic_trials import (
    arrays,
    jittered_trials,
    lif_experiments,
    lif_trials,
    poisson_trials,
    spike_trains,
)

by_hypothesis = settings(derandomize=True, deadline=None)
DENSE = 20.0 + 20.0 * np.arange(14)
SPREAD = 40.0 + 60.0 * np.arange(14)


def irregular(seed: int) -> np.ndarray:
    """14 centres in 900 ms, at least 20 ms apart."""
    free = np.sort(np.random.default_rng(seed).uniform(0, 900 - 20 - 13 * 20, 14))
    return np.asarray(10 + free + 20 * np.arange(14))


# --- known answers ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("centres", [DENSE, SPREAD, "irregular"], ids=["dense", "spread", ""])
def test_jittered_events_are_found_with_their_jitter(centres, seed):
    centres = irregular(seed) if isinstance(centres, str) else centres
    found = event_reliability(jittered_trials(centres, 100, seed), resamples=1)
    assert len(found.events) == 14
    assert found.reliability.value >= 0.99
    assert 0.9 <= found.precision.value <= 1.05
    np.testing.assert_allclose(found.events.centre, centres, atol=0.5)
    # 0.9 of the trials have the spike: a binomial share with an SD of 0.03.
    np.testing.assert_allclose(found.events.reliability, 0.9, atol=0.13)
    np.testing.assert_allclose(found.events.sd, 1.0, atol=0.3)


@pytest.mark.parametrize("n_trials", [25, 1000])
def test_the_number_of_trials_does_not_bias_the_precision(n_trials):
    found = [
        event_reliability(jittered_trials(SPREAD, n_trials, seed), resamples=1)
        for seed in range(10)
    ]
    assert min(one.reliability.value for one in found) >= 0.99
    assert np.mean([one.precision.value for one in found]) == pytest.approx(1.0, abs=0.025)


@pytest.mark.parametrize("duration", [900.0, 1000.0, 2000.0])
@pytest.mark.parametrize("n_trials", [100, 200, 1000])
def test_poisson_trains_have_no_events(n_trials, duration):
    found = [len(find_events(poisson_trials(n_trials, 14.0, duration, s))) for s in range(50)]
    assert found == [0] * 50


def test_without_events_the_precision_is_undefined():
    found = event_reliability(poisson_trials(100, 14.0, 900.0, seed=1))
    assert found.reliability == Estimate(0.0, 0.0, 0.0)
    undefined = (found.precision.value, found.precision.low, found.precision.high)
    assert all(math.isnan(value) for value in undefined)


@pytest.mark.parametrize("n_trials", [5, 25])
def test_chance_events_are_as_rare_as_asked_for(n_trials):
    criteria = EventCriteria(false_events=0.2, rate_factor=0.0)
    found = [
        len(find_events(poisson_trials(n_trials, 14.0, 900.0, s), criteria)) for s in range(500)
    ]
    assert 0.2 / 10 < np.mean(found) < 0.2


def test_threshold_is_chernoffs_bound_over_the_chances_of_the_window():
    trials = poisson_trials(25, 14.0, 900.0, seed=4)
    width, allowed = 1.5, 0.03
    criteria = EventCriteria(kernel_width=width, false_events=allowed, rate_factor=0.0)
    rate = (trials.times.size + 1) / 900.0
    target = math.log(900.0 / (2 * math.pi * math.sqrt(2) * width) / allowed)

    def kernel(t: float) -> float:
        return math.exp(-0.5 * (t / width) ** 2) / (width * math.sqrt(2 * math.pi))

    def exponent(level: float) -> float:
        def negative(q: float) -> float:
            mass = quad(lambda t: math.expm1(q * kernel(t)), -20, 20, limit=200)[0]
            return rate * mass - q * level

        return -float(minimize_scalar(negative, bounds=(0, 40), method="bounded").fun)

    level = brentq(lambda s: exponent(s) - target, rate, 20 * rate, rtol=1e-9)
    found = find_events(trials, criteria)
    assert len(found) == 0
    assert found.threshold == pytest.approx(level / 25 * 1000, rel=1e-5)


# --- the reference experiment ----------------------------------------------------------------


@pytest.fixture(scope="module")
def reference() -> dict[float, np.ndarray]:
    """sigma -> reliability, precision, Schreiber's correlation of 10 frozen stimuli, (10, 3)."""
    table = {}
    for sigma in (0.0, 0.025, 0.05, 0.1, 0.15):
        rows = []
        for trials in lif_experiments([(sigma, seed) for seed in range(10)]):
            found = event_reliability(trials, resamples=1)
            rows.append(
                (found.reliability.value, found.precision.value, schreiber_correlation(trials))
            )
        table[sigma] = np.array(rows)
    return table


# Means of many stimuli against one measured stimulus each; the SD over stimuli at .025 nA is .25.
@pytest.mark.parametrize(
    ("sigma", "reliability", "within"),
    [(0.025, 0.67, 0.15), (0.05, 0.86, 0.08), (0.1, 0.95, 0.04), (0.15, 1.0, 0.04)],
)
def test_reliability_grows_with_the_fluctuations_as_measured(reference, sigma, reliability, within):
    assert reference[sigma][:, 0].mean() == pytest.approx(reliability, abs=within)


def test_a_constant_current_is_clearly_less_reliable(reference):
    # Measured: .32, mostly by chance coincidences, which the threshold here leaves out.
    assert reference[0.0][:, 0].max() < 0.4
    assert reference[0.1][:, 0].min() > 0.9
    assert reference[0.15][:, 0].min() > 0.9


@pytest.mark.parametrize(("sigma", "precision"), [(0.1, 0.85), (0.15, 0.59)])
def test_precision_is_as_measured(reference, sigma, precision):
    assert reference[sigma][:, 1].mean() == pytest.approx(precision, abs=0.15)


def test_precision_worsens_as_fluctuations_weaken(reference):
    means = [np.nanmean(reference[sigma][:, 1]) for sigma in sorted(reference)]
    assert (np.diff(means) < 0).all()


@pytest.mark.parametrize(
    ("sigma", "correlation"), [(0.0, 0.21), (0.025, 0.42), (0.05, 0.57), (0.1, 0.8), (0.15, 0.92)]
)
def test_correlation_is_as_measured(reference, sigma, correlation):
    assert reference[sigma][:, 2].mean() == pytest.approx(correlation, abs=0.06)


def test_more_trials_do_not_make_a_constant_current_reliable():
    found = event_reliability(lif_trials(0.0, seed=0, n_trials=1000), resamples=1)
    assert found.reliability.value < 0.35
    # Only the first spikes count, with their true spread: SD of spike 1 is near 3.8 ms.
    assert found.precision.value > 3


# --- what an event is ------------------------------------------------------------------------


def test_smoothed_psth_has_the_area_and_place_of_its_spikes():
    times, rate = smoothed_psth(spike_trains([[30.0], [30.0, 70.03]]), kernel_width=2.0)
    step = times[1] - times[0]
    assert (times[0], times[-1]) == (0.0, 100.0)
    assert rate.sum() * step / 1000 == pytest.approx(1.5, rel=1e-6)
    spike = np.exp(-0.5 * ((times - 70.03) / 2) ** 2) / (2 * math.sqrt(2 * math.pi)) / 2 * 1000
    late = times > 50
    np.testing.assert_allclose(rate[late], spike[late], atol=0.003 * spike.max())


@pytest.mark.parametrize("centres", [SPREAD, SPREAD[::5]], ids=["14", "3"])
def test_pairs_of_spikes_are_two_events_each(centres):
    # With 3 pairs in the window even the PSTH between the two is above the threshold.
    pairs = np.sort(np.concatenate([centres, centres + 5.5]))
    found = event_reliability(jittered_trials(pairs, 100, seed=2), resamples=1)
    assert len(found.events) == pairs.size
    assert found.reliability.value >= 0.99
    assert 0.9 <= found.precision.value <= 1.05


def test_a_shoulder_between_two_peaks_does_not_join_them():
    times = [[50.0, 56.0]] * 20 + [[53.0]] * 6
    assert len(find_events(spike_trains(times, t_stop=3000.0))) == 2


def test_an_event_among_other_spikes_keeps_its_place_and_width():
    locked, others = jittered_trials(SPREAD, 200, seed=5), poisson_trials(200, 5.0, 900.0, seed=6)
    trials = arrays(
        np.concatenate([locked.times, others.times]),
        np.concatenate([locked.trials, others.trials]),
        200,
        900.0,
    )
    found = event_reliability(trials)
    inside = locked.times.size / trials.times.size
    assert len(found.events) == 14
    assert found.reliability.low < found.reliability.value < found.reliability.high
    assert found.reliability.value == pytest.approx(inside, abs=0.05)
    assert found.precision.value == pytest.approx(1.0, abs=0.2)
    assert found.events.background == pytest.approx(5.0, rel=0.15)


def test_a_burst_of_one_trial_is_no_event():
    times = [[50.0, 50.5, 51.0, 51.5, 52.0], *([] for _ in range(24))]
    assert len(find_events(spike_trains(times))) == 0


def test_events_at_the_ends_of_the_window():
    trials = spike_trains([[0.0, 100.0]] * 20)
    events = find_events(trials)
    np.testing.assert_array_equal(events.centre, [0.0, 100.0])
    np.testing.assert_array_equal(events.spike_counts, [20, 20])
    np.testing.assert_array_equal(events.sd, [0.0, 0.0])
    np.testing.assert_array_equal(events.index_of(np.array([0.0, 50.0, 100.0])), [0, -1, 1])


def test_a_window_shorter_than_the_kernel():
    events = find_events(spike_trains([[0.5], [0.6]] * 10, t_stop=1.0))
    assert len(events) <= 1


def test_repeated_spikes_count_once():
    trials = jittered_trials(SPREAD, 25, seed=7)
    doubled = SpikeArrays(np.repeat(trials.times, 2), np.repeat(trials.trials, 2), 25, 0.0, 900.0)
    once, twice = event_reliability(trials), event_reliability(doubled)
    for events in (twice.events, find_events(doubled)):
        np.testing.assert_array_equal(events.spike_counts, once.events.spike_counts)
        np.testing.assert_array_equal(events.start, once.events.start)
    assert (once.reliability, once.precision) == (twice.reliability, twice.precision)


@pytest.mark.parametrize("times", [[[10.0, 20.0]], [[]], [[], [], []]])
def test_one_trial_or_no_spike_is_undefined(times):
    found = event_reliability(spike_trains(times))
    assert len(found.events) == 0
    assert math.isnan(found.reliability.value)
    assert math.isnan(found.precision.value)
    assert math.isnan(found.reliability.low)


def test_no_events_are_empty_arrays():
    events = Events()
    assert len(events) == 0
    np.testing.assert_array_equal(events.index_of(np.array([1.0])), [-1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kernel_width", 0.0),
        ("kernel_width", float("nan")),
        ("false_events", 0.0),
        ("rate_factor", -1.0),
        ("edge_fraction", 1.0),
        ("valley_fraction", -0.1),
    ],
)
def test_impossible_criteria_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        EventCriteria(**{name: value})


# --- the bootstrap ---------------------------------------------------------------------------


def test_intervals_are_those_of_trials_drawn_again():
    trials, seed = lif_trials(0.05, seed=3), 11
    found = event_reliability(trials, resamples=40, confidence=0.9, seed=seed)
    trains = [trials.times[trials.trials == trial] for trial in range(25)]
    reliability, precision = [], []
    for weights in trial_weights(25, 40, seed):
        drawn = [trains[trial] for trial in np.repeat(np.arange(25), weights.astype(int))]
        times = np.concatenate(drawn)
        index = found.events.index_of(times)
        within = [times[index == event] for event in range(len(found.events))]
        reliability.append(np.mean(index >= 0))
        precision.append(np.mean([one.std(ddof=1) for one in within if one.size >= 2]))
    for estimate, values in ((found.reliability, reliability), (found.precision, precision)):
        expected = with_interval(estimate.value, np.array(values), 0.9)
        assert estimate.low == pytest.approx(expected.low, rel=1e-9)
        assert estimate.high == pytest.approx(expected.high, rel=1e-9)


def test_intervals_cover_the_true_jitter():
    covered = 0
    for seed in range(100):
        precision = event_reliability(jittered_trials(SPREAD, 100, seed), seed=seed).precision
        covered += precision.low <= 1.0 <= precision.high
    # 95 of 100 expected; the SD of such a count is 2.2.
    assert 89 <= covered <= 99


def test_the_seed_fixes_the_interval():
    trials = lif_trials(0.05, seed=3)
    first, again, other = (event_reliability(trials, seed=seed) for seed in (1, 1, 2))
    assert first.reliability == again.reliability
    assert first.reliability != other.reliability
    assert first.reliability.value == other.reliability.value


def test_weights_are_the_counts_of_a_draw_with_replacement():
    weights = trial_weights(20, 4000, seed=0)
    assert weights.shape == (4000, 20)
    np.testing.assert_array_equal(weights.sum(axis=1), 20)
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.08)
    np.testing.assert_allclose(weights.var(axis=0), 1 - 1 / 20, atol=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resamples": 0}, "resamples is 0"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"confidence": float("nan")}, "confidence is nan"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_an_impossible_bootstrap_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        event_reliability(spike_trains([[1.0], [2.0]]), **options)


def test_an_interval_needs_two_defined_values():
    nan = float("nan")
    assert math.isnan(with_interval(3.0, np.array([nan, 2.0, nan]), 0.95).low)
    assert with_interval(3.0, np.array([nan, 2.0, 4.0]), 0.5) == Estimate(3.0, 2.5, 3.5)


def test_the_bias_of_the_resampled_values_is_taken_back():
    quantiles = NormalDist().inv_cdf
    resampled = np.array([9.0 + 2.0 * quantiles((k + 0.5) / 4000) for k in range(4000)])
    found = with_interval(10.0, resampled, 0.95)
    # Resampled values lie 1 too low around 10, so those of the data lie 1 too low around 11.
    assert found.low == pytest.approx(11.0 - 1.96 * 2.0, abs=0.01)
    assert found.high == pytest.approx(11.0 + 1.96 * 2.0, abs=0.15)


def test_resampled_values_equal_to_the_value_are_half_below_it():
    resampled = np.array([0.9] * 10 + [1.0] * 90)
    assert with_interval(1.0, resampled, 0.5) == Estimate(1.0, 1.0, 1.0)


def test_values_that_never_vary_have_an_interval_of_no_width():
    assert with_interval(1.0, np.ones(100), 0.95) == Estimate(1.0, 1.0, 1.0)


# --- properties ------------------------------------------------------------------------------

TIMES = st.one_of(st.floats(0.0, 100.0), st.sampled_from([20.0, 50.0, 50.5]))
TRIALS = st.lists(st.lists(TIMES, max_size=8), min_size=1, max_size=8)


def locked(seed: int) -> SpikeArrays:
    """Some trials with events, chance spikes and, maybe, silent trials."""
    rng = np.random.default_rng(seed)
    n_trials = int(rng.integers(2, 30))
    centres = np.sort(rng.uniform(0, 900, rng.integers(1, 20)))
    jittered = jittered_trials(centres, n_trials, seed, jitter=rng.uniform(0, 4), kept=0.6)
    inside = (jittered.times >= 0) & (jittered.times <= 900)
    others = poisson_trials(n_trials, rng.uniform(0, 10), 900.0, seed)
    return arrays(
        np.concatenate([jittered.times[inside], others.times]),
        np.concatenate([jittered.trials[inside], others.trials]),
        n_trials,
        900.0,
    )


def check_consistent(trials: SpikeArrays, n_distinct: int) -> None:
    found = event_reliability(trials, resamples=20)
    events = found.events
    assert math.isnan(found.precision.value) == (len(events) == 0)
    if trials.n_trials == 1 or n_distinct == 0:
        assert math.isnan(found.reliability.value)
    else:
        assert found.reliability.value == pytest.approx(events.spike_counts.sum() / n_distinct)
        assert 0 <= found.reliability.low <= found.reliability.high <= 1
    if len(events):
        assert found.precision.value == pytest.approx(events.sd.mean())
    assert (trials.t_start <= events.start).all() and (events.stop <= trials.t_stop).all()
    assert (events.start < events.stop).all() and (events.stop[:-1] <= events.start[1:]).all()
    assert (events.start <= events.centre).all() and (events.centre <= events.stop).all()
    assert (events.sd >= 0).all() and (events.sd <= events.stop - events.start).all()
    assert (events.spike_counts >= 2).all()
    assert (events.reliability > 0).all() and (events.reliability <= 1).all()


@by_hypothesis
@given(TRIALS)
def test_any_trains_have_consistent_events(times):
    trains = spike_trains(times)
    flat = np.concatenate([np.asarray(one, dtype=float) for one in times])
    which = np.repeat(np.arange(len(times)), [len(one) for one in times])
    spikes = arrays(flat, which, len(times), 100.0)
    assert len(find_events(trains)) == len(find_events(spikes))
    check_consistent(spikes, sum(len(set(one)) for one in times))


@by_hypothesis
@given(st.integers(0, 10_000))
def test_locked_trains_have_consistent_events(seed):
    trials = locked(seed)
    check_consistent(trials, trials.times.size)


@by_hypothesis
@given(st.integers(0, 10_000))
def test_order_shift_and_units_do_not_matter(seed):
    trials = locked(seed)
    expected = find_events(trials)
    order = np.random.default_rng(seed).permutation(trials.n_trials)
    mixed = arrays(trials.times, order[trials.trials], trials.n_trials, 900.0)
    later = SpikeArrays(trials.times + 300.0, trials.trials, trials.n_trials, 300.0, 1200.0)
    each = [trials.times[trials.trials == trial] for trial in range(trials.n_trials)]
    in_seconds = spike_trains(each, t_stop=900.0, units="s")
    for other, shift in ((mixed, 0.0), (later, 300.0), (in_seconds, 0.0)):
        found = find_events(other)
        np.testing.assert_array_equal(found.spike_counts, expected.spike_counts)
        np.testing.assert_allclose(found.centre - shift, expected.centre, rtol=0, atol=1e-6)
        np.testing.assert_allclose(found.sd, expected.sd, atol=1e-6)
        np.testing.assert_allclose(found.reliability, expected.reliability)


# --- speed -----------------------------------------------------------------------------------


def test_a_thousand_trials_take_less_than_a_second():
    trials = jittered_trials(SPREAD, 1000, seed=1)
    start = time.process_time()
    event_reliability(trials, resamples=1000)
    assert time.process_time() - start < 1
