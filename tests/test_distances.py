"""Distances of spike trains equal those of Elephant and PySpike where these are right."""

from __future__ import annotations

import math
import warnings
from itertools import combinations

import numpy as np
import pyspike
import pytest
import quantities as pq
from elephant.spike_train_dissimilarity import van_rossum_distance, victor_purpura_distance
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import distances
from analysis.similarity import schreiber_correlation
from tests.synthetic_trials import poisson_trials, spike_trains

by_hypothesis = settings(derandomize=True, deadline=None, max_examples=60)
ON_GRID = st.integers(0, 200).map(lambda k: k * 0.5)
# No closer than 1e-6 ms: PySpike's squared intervals may vanish, and it divides by them.
ANYWHERE = st.integers(0, 10**8).map(lambda k: k * 1e-6)
TRAIN = st.lists(st.one_of(ANYWHERE, ON_GRID), max_size=8, unique=True).map(sorted)


def is_exception_of_pyspike(train):
    """A lone spike at an edge: another rule at the first moment, NaN at the last."""
    return len(train) == 1 and train[0] in (0.0, 100.0)


def in_pyspike(train, t_stop=100.0):
    return pyspike.SpikeTrain(train, (0.0, t_stop))


OF_PYSPIKE = [
    (distances.isi_distance, distances.isi_distance_matrix, pyspike.isi_distance),
    (distances.spike_distance, distances.spike_distance_matrix, pyspike.spike_distance),
    (
        distances.spike_synchronization,
        distances.spike_synchronization_matrix,
        pyspike.spike_sync,
    ),
]


def victor_purpura(a, b, cost):
    return victor_purpura_distance(spike_trains([a, b]), cost / pq.ms)[0, 1]


def van_rossum(a, b, tau):
    with warnings.catch_warnings():  # It says when its sums cancel.
        warnings.simplefilter("ignore", RuntimeWarning)
        return van_rossum_distance(spike_trains([a, b]), tau * pq.ms)[0, 1]


@by_hypothesis
@given(TRAIN, TRAIN)
def test_any_trains_are_as_far_apart_as_in_pyspike(a, b):
    for pairwise, _, theirs in OF_PYSPIKE:
        if theirs is not pyspike.spike_sync and any(map(is_exception_of_pyspike, (a, b))):
            continue
        (found,) = pairwise(spike_trains([a]), spike_trains([b]))
        assert found == pytest.approx(theirs(in_pyspike(a), in_pyspike(b)), abs=1e-9), theirs


@by_hypothesis
@given(TRAIN, TRAIN, st.sampled_from([0.0, 0.01, 0.2, 1.0, 30.0]))
def test_any_trains_have_elephants_victor_purpura_distance(a, b, cost):
    (found,) = distances.victor_purpura(spike_trains([a]), spike_trains([b]), cost)
    assert found == pytest.approx(victor_purpura(a, b, cost), abs=1e-9)


@by_hypothesis
@given(TRAIN, TRAIN, st.sampled_from([0.1, 2.0, 10.0, 500.0]))
def test_any_trains_have_elephants_van_rossum_distance(a, b, tau):
    """Squared, as the root of what is left where Elephant's sums cancel has half the digits."""
    (found,) = distances.van_rossum(spike_trains([a]), spike_trains([b]), tau)
    expected = van_rossum(a, b, tau)
    assert found**2 == pytest.approx(expected**2, abs=1e-11)
    if expected > 1e-3:
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.fixture(scope="module", params=[15.0, 40.0])
def second(request):
    """Trains of a second at the rates of the main experiment, one of them silent."""
    spikes = poisson_trials(8, request.param, 1000.0, seed=5)
    trains = [spikes.times[spikes.trials == k] for k in range(8)]
    return [*trains, np.zeros(0)]


@pytest.mark.parametrize(("pairwise", "matrix", "theirs"), OF_PYSPIKE)
def test_matrices_are_pyspikes(second, pairwise, matrix, theirs):
    trains = spike_trains(second, t_stop=1000.0)
    found = matrix(trains)
    for i, j in combinations(range(len(second)), 2):
        expected = theirs(in_pyspike(second[i], 1000.0), in_pyspike(second[j], 1000.0))
        assert found[i, j] == pytest.approx(expected, abs=1e-9)
        assert found[j, i] == found[i, j]
    np.testing.assert_array_equal(pairwise(trains, trains[::-1]), np.diag(found[:, ::-1]))


@pytest.mark.parametrize("cost", [0.05, 0.5])
def test_victor_purpuras_matrix_is_elephants(second, cost):
    trains = spike_trains(second, t_stop=1000.0)
    found = distances.victor_purpura_matrix(trains, cost)
    np.testing.assert_allclose(found, victor_purpura_distance(trains, cost / pq.ms), atol=1e-9)


@pytest.mark.parametrize("tau", [2.0, 20.0])
def test_van_rossums_matrix_is_elephants(second, tau):
    trains = spike_trains(second, t_stop=1000.0)
    found = distances.van_rossum_matrix(trains, tau)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = van_rossum_distance(trains, tau * pq.ms)
    off_diagonal = ~np.eye(len(second), dtype=bool)
    np.testing.assert_allclose(found[off_diagonal], expected[off_diagonal], atol=1e-9)


def test_schreibers_matrix_has_the_mean_over_pairs(second):
    trains = spike_trains(second, t_stop=1000.0)
    found = distances.schreiber_matrix(trains, 2.0)
    mean = found[np.triu_indices(len(second), 1)].mean()
    assert mean == pytest.approx(schreiber_correlation(trains, 2.0), abs=1e-12)


def test_schreiber_of_one_spike_each():
    """Two Gaussians 3 ms apart with sigma 1.5 ms: exp(-3^2 / (4 x 1.5^2))."""
    (found,) = distances.schreiber(spike_trains([[10.0]]), spike_trains([[13.0]]), 1.5)
    assert found == pytest.approx(math.exp(-1), rel=1e-12)


# --- the coincidence factor, which neither of them has -------------------------------------------


def test_coincidence_factor_by_hand():
    """1000 ms, 4 spikes against 5 (5 Hz), 3 coincidences; 2 r w = 0.02, so 0.08 by chance."""
    reference = spike_trains([[100.0, 300.0, 500.0, 700.0]], t_stop=1000.0)
    other = spike_trains([[101.0, 298.5, 502.0, 800.0, 900.0]], t_stop=1000.0)
    (found,) = distances.coincidence_factor(reference, other, 2.0)
    assert found == pytest.approx((3 - 0.08) / (0.5 * 9 * 0.98), rel=1e-12)


def test_a_spike_coincides_once():
    """Two spikes near one of the reference are one coincidence."""
    reference = spike_trains([[100.0, 500.0]], t_stop=1000.0)
    other = spike_trains([[99.0, 101.0]], t_stop=1000.0)
    (found,) = distances.coincidence_factor(reference, other, 2.0)
    assert found == pytest.approx((1 - 2 * 0.004 * 2) / (2 * (1 - 0.008)), rel=1e-12)


def test_coincidence_factor_of_equal_and_of_independent_trains():
    first, other = (poisson_trials(2000, 20.0, 1000.0, seed=seed) for seed in (1, 2))
    equal = distances.coincidence_factor(first, first)
    np.testing.assert_allclose(equal[first.counts > 0], 1.0, rtol=1e-12)
    by_chance = distances.coincidence_factor(first, other)
    error = by_chance.std() / math.sqrt(by_chance.size)
    # One-to-one matching leaves out the second of two coincidences: a little below 0.
    assert -0.01 < by_chance.mean() < 3 * error


def test_coincidence_factor_can_be_below_chance():
    reference = spike_trains([np.arange(10.0, 990.0, 20.0)], t_stop=1000.0)
    other = spike_trains([np.arange(20.0, 990.0, 20.0)], t_stop=1000.0)
    assert distances.coincidence_factor(reference, other)[0] < -0.2
