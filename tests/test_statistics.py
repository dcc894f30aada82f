"""Rates, intervals and counts: against Elephant, by hand, and at the edges of their definitions."""

from __future__ import annotations

import math

import elephant.statistics
import neo
import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import variation

from analysis import statistics
from tests.synthetic_trials import lif_trials, poisson_trials, spike_trains

NAN = float("nan")
TRIALS = st.lists(st.lists(st.floats(0.0, 100.0), max_size=8), min_size=1, max_size=6)
# Times that stay exact when they are shifted by a power of two.
EXACT_TRIALS = st.lists(
    st.lists(st.integers(0, 100 * 1024).map(lambda n: n / 1024), max_size=8),
    min_size=1,
    max_size=6,
)
# Elephant passes an argument that today's quantities ignores.
by_elephant = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")
by_hypothesis = settings(derandomize=True, deadline=None)


@pytest.fixture(scope="module")
def trains() -> list[neo.SpikeTrain]:
    """Trains of a noisy neuron, on a grid of 0.1 ms, as simulators give them."""
    spikes = lif_trials(0.1, seed=1)
    times = [spikes.times[spikes.trials == trial] for trial in range(spikes.n_trials)]
    return spike_trains(times, t_stop=900.0)


def test_rates_are_elephants(trains):
    expected = [
        elephant.statistics.mean_firing_rate(train).rescale("Hz").item() for train in trains
    ]
    np.testing.assert_allclose(statistics.mean_firing_rates(trains), expected, rtol=1e-12)


@by_elephant
def test_intervals_are_elephants(trains):
    expected = [elephant.statistics.isi(train).rescale("ms").magnitude for train in trains]
    intervals = statistics.isi(trains)
    np.testing.assert_allclose(intervals.durations, np.concatenate(expected), rtol=1e-12)
    np.testing.assert_array_equal(
        np.bincount(intervals.trials, minlength=intervals.n_trials), [len(one) for one in expected]
    )


@by_elephant
@pytest.mark.parametrize(
    ("ours", "elephants"),
    [
        (statistics.cv, variation),
        (statistics.cv2, elephant.statistics.cv2),
        (statistics.lv, elephant.statistics.lv),
    ],
)
def test_irregularity_is_elephants(trains, ours, elephants):
    expected = [elephants(elephant.statistics.isi(train).magnitude) for train in trains]
    np.testing.assert_allclose(ours(trains), expected, rtol=1e-12)


def test_fano_factor_is_elephants(trains):
    expected = elephant.statistics.fanofactor(trains)
    assert expected > 0
    assert statistics.fano_factor(trains) == pytest.approx(expected, rel=1e-12)


@by_elephant
@pytest.mark.parametrize("bin_size", [0.1, 0.3, 5.0, 100.0])
def test_psth_is_elephants(trains, bin_size):
    histogram = elephant.statistics.time_histogram(trains, bin_size=bin_size * pq.ms, output="rate")
    ours = statistics.psth(trains, bin_size)
    expected = histogram.rescale("Hz").magnitude.ravel()
    np.testing.assert_allclose(ours.rate, expected, rtol=1e-12)
    assert (ours.edges[0], ours.edges[-1]) == (0.0, 900.0)
    np.testing.assert_allclose(np.diff(ours.edges), bin_size, rtol=1e-9)


def test_psth_of_bins_that_do_not_fit():
    histogram = statistics.psth(spike_trains([[3.0, 100.0], [95.0]]), bin_size=30.0)
    np.testing.assert_array_equal(histogram.edges, [0, 30, 60, 90, 100])
    np.testing.assert_allclose(histogram.rate, [1000 / 60, 0, 0, 100])


def test_psth_of_one_bin_larger_than_the_window():
    histogram = statistics.psth(spike_trains([[150.0]], t_start=100.0, t_stop=200.0), 500.0)
    np.testing.assert_array_equal(histogram.edges, [100.0, 200.0])
    np.testing.assert_allclose(histogram.rate, [10.0])


@pytest.mark.parametrize("bin_size", [0.0, -1.0, NAN, math.inf])
def test_an_impossible_bin_is_refused(bin_size):
    with pytest.raises(ValueError, match=f"bin_size is {bin_size}.*above 0"):
        statistics.psth(spike_trains([[1.0]]), bin_size)


def test_what_is_not_defined_is_nan():
    trains = spike_trains([[], [1.0], [1.0, 3.0], [1.0, 3.0, 7.0], [2.0, 2.0, 2.0]])
    np.testing.assert_allclose(statistics.cv(trains), [NAN, NAN, NAN, 1 / 3, NAN])
    np.testing.assert_allclose(statistics.cv2(trains), [NAN, NAN, NAN, 2 / 3, NAN])
    np.testing.assert_allclose(statistics.lv(trains), [NAN, NAN, NAN, 1 / 3, NAN])
    assert math.isnan(statistics.fano_factor(spike_trains([[1.0]])))
    assert math.isnan(statistics.fano_factor(spike_trains([[], []])))
    assert math.isnan(statistics.spike_time_sd(trains, 4))
    assert math.isnan(statistics.spike_time_sd(spike_trains([[], [5.0]]), 1))


def test_silent_trials_have_a_rate_of_zero():
    np.testing.assert_array_equal(statistics.mean_firing_rates(spike_trains([[], [1.0]])), [0, 10])


def test_a_spike_held_three_times_leaves_the_other_pairs():
    trains = spike_trains([[2.0, 2.0, 2.0, 6.0]])
    np.testing.assert_array_equal(statistics.isi(trains).durations, [0, 0, 4])
    np.testing.assert_allclose(statistics.cv2(trains), [2.0])


def test_latency_is_of_the_first_spike_after_the_onset():
    trains = spike_trains([[10.0, 30.0], [], [20.0]], t_start=5.0)
    np.testing.assert_allclose(statistics.first_spike_latency(trains), [5, NAN, 15])
    np.testing.assert_allclose(statistics.first_spike_latency(trains, 20.0), [10, NAN, 0])


def test_times_and_spread_of_a_numbered_spike():
    trains = spike_trains([[10.0, 30.0], [], [20.0, 20.0], [60.0]])
    np.testing.assert_allclose(statistics.spike_times_of_number(trains, 1), [10, NAN, 20, 60])
    np.testing.assert_allclose(statistics.spike_times_of_number(trains, 2), [30, NAN, 20, NAN])
    assert statistics.spike_time_sd(trains, 2) == pytest.approx(math.sqrt(50))
    with pytest.raises(ValueError, match="number is 0"):
        statistics.spike_times_of_number(trains, 0)


def test_poisson_trains_have_the_moments_of_a_poisson_process():
    trials = poisson_trials(1000, 40.0, 2000.0, seed=3)
    assert statistics.mean_firing_rates(trials).mean() == pytest.approx(40.0, rel=0.02)
    # A finite window prefers short intervals, by about one in the 80 it holds.
    assert statistics.cv(trials).mean() == pytest.approx(1.0, abs=0.03)
    assert statistics.cv2(trials).mean() == pytest.approx(1.0, abs=0.02)
    assert statistics.lv(trials).mean() == pytest.approx(1.0, abs=0.02)
    assert statistics.fano_factor(trials) == pytest.approx(1.0, abs=0.15)


def test_jitter_accumulates_under_a_constant_current():
    trials = lif_trials(0.0, seed=0, n_trials=200)
    spread = [statistics.spike_time_sd(trials, number) for number in (1, 5, 10)]
    np.testing.assert_allclose(spread, [3.8, 8.7, 13.5], rtol=0.2)


def test_summary_gathers_the_measures(trains):
    segment = neo.Segment()
    segment.spiketrains.extend(trains)
    found = statistics.summary(segment)
    rates = statistics.mean_firing_rates(trains)
    assert (found.n_trials, found.n_spikes) == (25, sum(len(train) for train in trains))
    assert found.rate_mean == pytest.approx(rates.mean())
    assert found.rate_sd == pytest.approx(rates.std(ddof=1))
    assert found.cv == pytest.approx(statistics.cv(trains).mean())
    assert found.cv2 == pytest.approx(statistics.cv2(trains).mean())
    assert found.lv == pytest.approx(statistics.lv(trains).mean())
    assert found.fano == pytest.approx(statistics.fano_factor(trains))
    assert found.n_events > 10
    assert found.reliability.low < found.reliability.value < found.reliability.high
    assert found.precision.low < found.precision.value < found.precision.high
    assert found.schreiber.low < found.schreiber.value < found.schreiber.high
    assert found.spike_time_sd == {
        number: pytest.approx(statistics.spike_time_sd(trains, number)) for number in (1, 5, 10)
    }


def test_summary_of_silence_and_of_one_trial():
    silent = statistics.summary(spike_trains([[], []]))
    assert (silent.n_spikes, silent.rate_mean, silent.rate_sd, silent.n_events) == (0, 0, 0, 0)
    assert all(math.isnan(value) for value in (silent.cv, silent.lv, silent.fano))
    assert math.isnan(silent.reliability.value)
    assert math.isnan(silent.precision.value)
    assert silent.schreiber.value == 0
    one = statistics.summary(spike_trains([[1.0, 5.0, 8.0]]))
    assert one.cv == pytest.approx(1 / 7)
    undefined = (one.rate_sd, one.fano, one.reliability.value, one.schreiber.value)
    assert all(math.isnan(value) for value in undefined)


@by_hypothesis
@given(TRIALS)
def test_values_stay_in_their_range(times):
    trains = spike_trains(times)
    assert (statistics.mean_firing_rates(trains) >= 0).all()
    assert (statistics.isi(trains).durations >= 0).all()
    for measure, most in ((statistics.cv, math.inf), (statistics.cv2, 2.0), (statistics.lv, 3.0)):
        values = measure(trains)
        assert values.shape == (len(times),)
        assert (np.isnan(values) | ((values >= 0) & (values <= most))).all()
    histogram = statistics.psth(trains, 7.0)
    spikes = (histogram.rate * np.diff(histogram.edges)).sum() / 1000 * len(times)
    assert spikes == pytest.approx(sum(map(len, times)))


@by_hypothesis
@given(TRIALS, st.randoms(use_true_random=False))
def test_the_order_of_trials_does_not_matter(times, random):
    order = list(range(len(times)))
    random.shuffle(order)
    trains, mixed = spike_trains(times), spike_trains([times[k] for k in order])
    for measure in (statistics.mean_firing_rates, statistics.cv, statistics.first_spike_latency):
        np.testing.assert_allclose(measure(mixed), measure(trains)[order], rtol=1e-12)
    np.testing.assert_allclose(
        statistics.psth(mixed).rate, statistics.psth(trains).rate, rtol=1e-12
    )


@by_hypothesis
@given(EXACT_TRIALS)
def test_a_shift_in_time_does_not_matter(times):
    trains = spike_trains(times)
    later = spike_trains([[t + 512 for t in one] for one in times], t_start=512.0, t_stop=612.0)
    for measure in (statistics.mean_firing_rates, statistics.cv, statistics.lv):
        np.testing.assert_array_equal(measure(later), measure(trains))
    np.testing.assert_array_equal(
        statistics.first_spike_latency(later), statistics.first_spike_latency(trains)
    )
    np.testing.assert_array_equal(
        statistics.psth(later, 2.0).rate, statistics.psth(trains, 2.0).rate
    )


@by_hypothesis
@given(EXACT_TRIALS, st.sampled_from(["s", "us"]))
def test_units_do_not_matter(times, units):
    trains, other = spike_trains(times), spike_trains(times, units=units)
    for measure in (statistics.mean_firing_rates, statistics.cv2, statistics.first_spike_latency):
        np.testing.assert_allclose(measure(other), measure(trains), rtol=1e-9, atol=1e-12)
