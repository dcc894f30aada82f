"""The matching of spikes is optimal, one-to-one, and says what is missing and what is extra."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from analysis.matching import match_spikes
from tests.synthetic_trials import arrays, poisson_trials, spike_trains

by_hypothesis = settings(derandomize=True, deadline=None)
TIMES = st.lists(
    st.one_of(st.floats(0.0, 30.0), st.integers(0, 60).map(lambda k: k * 0.5)), max_size=9
)
TRIALS = st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=4)


def assigned(reference, other, window):
    """Most pairs within the window and their least total distance, by the Hungarian method."""
    apart = np.abs(np.subtract.outer(np.sort(reference), np.sort(other)))
    allowed = apart <= window + 1e-9
    gain = np.where(allowed, 1e4 - apart, 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    taken = allowed[rows, columns]
    return int(taken.sum()), float(apart[rows, columns][taken].sum())


@by_hypothesis
@given(TRIALS, st.sampled_from([0.0, 0.5, 1.0, 3.0, 50.0]))
def test_no_other_matching_has_more_pairs_or_shorter_ones(trials, window):
    reference, other = zip(*trials, strict=True)
    found = match_spikes(spike_trains(reference), spike_trains(other), window)
    for trial, (mine, others) in enumerate(trials):
        pairs, distance = assigned(mine, others, window)
        here = found.trials == trial
        assert here.sum() == pairs
        assert np.abs(found.offsets[here]).sum() == pytest.approx(distance, abs=1e-8)


@by_hypothesis
@given(TRIALS, st.floats(0.0, 5.0))
def test_every_spike_is_in_one_pair_or_left_over(trials, window):
    reference, other = zip(*trials, strict=True)
    found = match_spikes(spike_trains(reference), spike_trains(other), window)
    for paired, alone, total in (
        (found.reference_index, found.missing, found.n_reference),
        (found.other_index, found.extra, found.n_other),
    ):
        assert sorted([*paired, *alone]) == list(range(total))
    flat = [np.concatenate([np.sort(one) for one in side]) for side in (reference, other)]
    np.testing.assert_array_equal(found.times, flat[0][found.reference_index])
    np.testing.assert_array_equal(found.offsets, flat[1][found.other_index] - found.times)
    assert np.all(np.abs(found.offsets) <= window + 1e-9)
    swapped = match_spikes(spike_trains(other), spike_trains(reference), window)
    assert swapped.n_pairs == found.n_pairs
    assert swapped.fraction_matched == found.fraction_matched


def test_the_nearest_first_would_lose_a_pair():
    """Of 0, 1.5 and 1, 2.6 the nearest are 1.5 and 1; taking them leaves the others alone."""
    found = match_spikes(spike_trains([[0.0, 1.5]]), spike_trains([[1.0, 2.6]]), 1.2)
    assert list(found.reference_index) == [0, 1] and list(found.other_index) == [0, 1]
    np.testing.assert_allclose(found.offsets, [1.0, 1.1])


def test_the_first_one_near_enough_would_be_the_wrong_one():
    found = match_spikes(spike_trains([[10.0, 12.0]]), spike_trains([[11.9]]), 2.0)
    assert list(found.reference_index) == [1] and list(found.missing) == [0]


def test_a_step_of_the_grid_is_within_a_window_of_a_step():
    """10.3 - 10.2 is more than 0.1 in doubles."""
    times = np.round(np.arange(5.0, 95.0, 0.7), 1)
    found = match_spikes(spike_trains([times]), spike_trains([np.round(times + 0.1, 1)]), 0.1)
    assert found.fraction_matched == 1.0
    late = match_spikes(spike_trains([times]), spike_trains([times + 0.1 + 2e-9]), 0.1)
    assert late.n_pairs == 0


def test_dropped_spikes_are_missing_and_added_ones_extra():
    reference = poisson_trials(20, 30.0, 1000.0, seed=3)
    rng = np.random.default_rng(4)
    dropped = np.sort(rng.choice(reference.times.size, 12, replace=False))
    kept = np.delete(np.arange(reference.times.size), dropped)
    other = arrays(reference.times[kept], reference.trials[kept], 20, 1000.0)
    found = match_spikes(reference, other, 0.0)
    np.testing.assert_array_equal(found.missing, dropped)
    assert found.extra.size == 0 and np.all(found.offsets == 0)
    np.testing.assert_array_equal(found.ordinals, reference.ordinals[kept])
    back = match_spikes(other, reference, 0.0)
    np.testing.assert_array_equal(back.extra, dropped)
    total = 2 * reference.times.size - 12
    assert found.fraction_matched == pytest.approx(2 * kept.size / total)


def test_spikes_of_different_trials_are_no_pair():
    found = match_spikes(spike_trains([[10.0], []]), spike_trains([[], [10.0]]), 5.0)
    assert found.n_pairs == 0 and list(found.missing) == [0] and list(found.extra) == [0]
    assert found.fraction_matched == 0.0


def test_of_a_repeated_spike_the_repetition_is_left_over():
    found = match_spikes(spike_trains([[10.0, 10.0, 20.0]]), spike_trains([[10.0, 20.0]]), 1.0)
    assert list(found.missing) == [1]
    found = match_spikes(spike_trains([[10.0, 20.0]]), spike_trains([[10.0, 10.0, 20.0]]), 1.0)
    assert list(found.extra) == [1]


def test_silent_runs_match_wholly():
    found = match_spikes(spike_trains([[], []]), spike_trains([[], []]), 1.0)
    assert found.fraction_matched == 1.0 and found.offsets.shape == (0,)
    assert all(values.shape == (0,) for values in found.offset_by_ordinal())


def test_offsets_follow_the_number_of_the_spike():
    """A drift of 0.2 ms a spike, and a spread of 0, 0.1 .. 1 ms over 11 trials."""
    reference = [np.arange(10.0, 90.0, 20.0)] * 11
    other = [one + 0.2 * np.arange(4) + 0.1 * k for k, one in enumerate(reference)]
    found = match_spikes(spike_trains(reference), spike_trains(other), 3.0)
    ordinals, median, low, high = found.offset_by_ordinal()
    assert list(ordinals) == [1, 2, 3, 4]
    np.testing.assert_allclose(median, 0.5 + 0.2 * np.arange(4), atol=1e-12)
    np.testing.assert_allclose(low, 0.05 + 0.2 * np.arange(4), atol=1e-12)
    np.testing.assert_allclose(high, 0.95 + 0.2 * np.arange(4), atol=1e-12)


def test_what_cannot_be_matched_is_refused():
    one, two = spike_trains([[1.0]]), spike_trains([[1.0], [2.0]])
    with pytest.raises(ValueError, match="reference has 1 trials and other has 2"):
        match_spikes(one, two, 1.0)
    for window in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"window is {window}"):
            match_spikes(one, one, window)


def test_runs_of_different_length_can_be_matched():
    found = match_spikes(
        spike_trains([[10.0, 90.0]]), spike_trains([[10.0]], t_stop=50.0), window=1.0
    )
    assert list(found.missing) == [1]


def test_a_long_train_in_a_wide_window_is_matched_at_once():
    spikes = poisson_trials(1, 50.0, 400_000.0, seed=1)
    other = poisson_trials(1, 50.0, 400_000.0, seed=2)
    match_spikes(spike_trains([[1.0]]), spike_trains([[1.0]]), 1.0)  # Compiles.
    start = time.process_time()
    found = match_spikes(spikes, other, 100.0)
    assert time.process_time() - start < 2
    assert found.fraction_matched > 0.9
