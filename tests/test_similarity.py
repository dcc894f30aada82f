"""Schreiber's correlation against its definition, and at the edges."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.resampling import trial_weights, with_interval
from analysis.similarity import schreiber_correlation, schreiber_with_interval
from tests.synthetic_trials import jittered_trials, lif_trials, poisson_trials, spike_trains

by_hypothesis = settings(derandomize=True, deadline=None)
TIMES = st.one_of(st.floats(0.0, 100.0), st.sampled_from([0.0, 50.0, 100.0]))
TRIALS = st.lists(st.lists(TIMES, max_size=6), min_size=2, max_size=6)


def overlap(first: np.ndarray, second: np.ndarray, sigma: float) -> float:
    """Inner product of two smoothed trains: Gaussians of width sigma multiply to one of 2^.5."""
    return sum(math.exp(-((s - t) ** 2) / (4 * sigma**2)) for s in first for t in second)


def correlation(first: np.ndarray, second: np.ndarray, sigma: float) -> float:
    if len(first) == 0 or len(second) == 0:
        return 0.0
    norms = overlap(first, first, sigma) * overlap(second, second, sigma)
    return overlap(first, second, sigma) / math.sqrt(norms)


def mean_correlation(trains: list, sigma: float) -> float:
    pairs = itertools.combinations(trains, 2)
    return float(np.mean([correlation(first, second, sigma) for first, second in pairs]))


@pytest.mark.parametrize("sigma", [0.3, 2.0, 25.0])
@pytest.mark.parametrize("stdev", [0.0, 0.1])
def test_it_is_the_mean_over_pairs(stdev, sigma):
    spikes = lif_trials(stdev, seed=2, n_trials=8)
    trains = [spikes.times[spikes.trials == trial] for trial in range(8)] + [np.empty(0)]
    expected = mean_correlation(trains, sigma)
    found = schreiber_correlation(spike_trains(trains, t_stop=900.0), sigma)
    assert found == pytest.approx(expected, rel=1e-12)


@by_hypothesis
@given(TRIALS, st.floats(0.1, 20.0))
def test_any_trains_have_the_mean_over_pairs(times, sigma):
    found = schreiber_correlation(spike_trains(times), sigma)
    assert 0 <= found <= 1
    assert found == pytest.approx(mean_correlation(times, sigma), abs=1e-12)


@by_hypothesis
@given(TRIALS, st.permutations(range(6)), st.sampled_from(["s", "us"]))
def test_order_shift_and_units_do_not_matter(times, order, units):
    expected = schreiber_correlation(spike_trains(times))
    mixed = [times[k] for k in order if k < len(times)]
    later = [[t + 300 for t in one] for one in times]
    for trains in (
        spike_trains(mixed),
        spike_trains(later, t_start=300.0, t_stop=400.0),
        spike_trains(times, units=units),
    ):
        assert schreiber_correlation(trains) == pytest.approx(expected, abs=1e-9)


def test_identical_trains_correlate_fully_and_distant_ones_not_at_all():
    assert schreiber_correlation(spike_trains([[10.0, 40.0]] * 3)) == pytest.approx(1.0)
    assert schreiber_correlation(spike_trains([[10.0], [90.0]])) == pytest.approx(0.0, abs=1e-15)


def test_a_known_distance():
    found = schreiber_correlation(spike_trains([[10.0], [13.0]]), sigma=1.5)
    assert found == pytest.approx(math.exp(-1), rel=1e-12)


def test_silent_trials_count_as_zero():
    assert schreiber_correlation(spike_trains([[10.0], [10.0], []])) == pytest.approx(1 / 3)
    assert schreiber_correlation(spike_trains([[], []])) == 0.0


def test_one_trial_has_no_correlation():
    found = schreiber_with_interval(spike_trains([[10.0, 20.0]]))
    assert all(math.isnan(value) for value in (found.value, found.low, found.high))


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan")])
def test_an_impossible_width_is_refused(sigma):
    for measure in (schreiber_correlation, schreiber_with_interval):
        with pytest.raises(ValueError, match=f"sigma is {sigma}"):
            measure(spike_trains([[1.0], [2.0]]), sigma)


def test_interval_is_of_trials_drawn_again_without_pairs_of_one_trial():
    spikes = lif_trials(0.05, seed=4, n_trials=7)
    trains = [spikes.times[spikes.trials == trial] for trial in range(7)]
    values = []
    for weights in trial_weights(7, 30, seed=5):
        drawn = np.repeat(np.arange(7), weights.astype(int))
        pairs = [(i, j) for i, j in itertools.combinations(drawn, 2) if i != j]
        values.append(np.mean([correlation(trains[i], trains[j], 2.0) for i, j in pairs]))
    found = schreiber_with_interval(spikes, resamples=30, confidence=0.8, seed=5)
    assert found.value == pytest.approx(schreiber_correlation(spikes), rel=1e-12)
    expected = with_interval(found.value, np.array(values), 0.8)
    assert found.low == pytest.approx(expected.low, rel=1e-9)
    assert found.high == pytest.approx(expected.high, rel=1e-9)


def test_blocks_of_trials_do_not_show(monkeypatch):
    spikes = poisson_trials(30, 14.0, 900.0, seed=1)
    whole = schreiber_with_interval(spikes, resamples=10)
    monkeypatch.setattr("analysis.similarity._BLOCK", 7)
    parts = schreiber_with_interval(spikes, resamples=10)
    np.testing.assert_allclose(
        [parts.value, parts.low, parts.high], [whole.value, whole.low, whole.high], rtol=1e-12
    )


def test_a_thousand_trials_take_less_than_a_second():
    trials = jittered_trials(40.0 + 60.0 * np.arange(14), 1000, seed=1)
    start = time.process_time()
    schreiber_with_interval(trials, resamples=1000)
    assert time.process_time() - start < 1
