"""Metric properties, and what holds for identical, silent, repeated and outermost spikes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import distances
from analysis.pairs import in_common_window
from tests.synthetic_trials import poisson_trials, spike_trains

by_hypothesis = settings(derandomize=True, deadline=None)
TIME = st.one_of(st.floats(0.0, 100.0), st.sampled_from([0.0, 1e-9, 40.0, 40.5, 99.5, 100.0]))
TRAIN = st.lists(TIME, max_size=7).map(sorted)

METRICS = {
    "victor_purpura": lambda a, b: distances.victor_purpura(a, b, 0.3),
    "van_rossum": lambda a, b: distances.van_rossum(a, b, 5.0),
}
IN_UNIT_RANGE = {
    "isi_distance": distances.isi_distance,
    "spike_distance": distances.spike_distance,
    "spike_synchronization": distances.spike_synchronization,
    "schreiber": lambda a, b: distances.schreiber(a, b, 2.0),
}
WINDOWED = {
    "isi_distance": distances.isi_distance,
    "spike_distance": distances.spike_distance,
    "spike_synchronization": distances.spike_synchronization,
    "coincidence_factor": distances.coincidence_factor,
}
ALL = {**METRICS, **IN_UNIT_RANGE, "coincidence_factor": distances.coincidence_factor}
EQUAL = {"spike_synchronization": 1.0, "schreiber": 1.0, "coincidence_factor": 1.0}


def between(name, a, b):
    (found,) = ALL[name](spike_trains([a]), spike_trains([b]))
    return float(found)


@by_hypothesis
@given(TRAIN, TRAIN, TRAIN)
@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_metrics(name, a, b, c):
    assert between(name, a, a) == 0.0
    assert between(name, a, b) == pytest.approx(between(name, b, a), abs=1e-12)
    assert between(name, a, c) <= between(name, a, b) + between(name, b, c) + 1e-9
    if a != b:
        assert between(name, a, b) > 0.0


@by_hypothesis
@given(TRAIN, TRAIN)
@pytest.mark.parametrize("name", IN_UNIT_RANGE)
def test_any_trains_have_a_value_from_0_to_1_whichever_is_first(name, a, b):
    found = between(name, a, b)
    if name == "schreiber" and not a and not b:
        assert math.isnan(found)
        return
    assert -1e-12 <= found <= 1.0 + 1e-12
    assert found == pytest.approx(between(name, b, a), abs=1e-9)


@by_hypothesis
@given(TRAIN.filter(bool))
@pytest.mark.parametrize("name", ALL)
def test_identical_trains_repeated_spikes_included(name, train):
    assert between(name, train, train) == pytest.approx(EQUAL.get(name, 0.0), abs=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_two_silent_trains(name):
    expected = {"spike_synchronization": 1.0, "schreiber": math.nan, "coincidence_factor": math.nan}
    assert between(name, [], []) == pytest.approx(expected.get(name, 0.0), nan_ok=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("victor_purpura", 3.0),
        ("spike_synchronization", 0.0),
        ("schreiber", 0.0),
        ("coincidence_factor", 0.0),
    ],
)
def test_one_silent_train(name, expected):
    assert between(name, [10.0, 20.0, 90.0], []) == expected
    assert between(name, [], [10.0, 20.0, 90.0]) == expected


def test_one_spike_against_none():
    """van Rossum 1 by its norm; ISI: intervals 25 and 75 against 100; SPIKE by hand below."""
    assert between("van_rossum", [25.0], []) == 1.0
    assert between("isi_distance", [25.0], []) == pytest.approx(0.25 * 0.75 + 0.75 * 0.25)
    # Both have auxiliary spikes at the edges: the silent train's are 0 apart, the lone one 25.
    expected = 0.25 * 2 * 25 * 100 / 125**2 + 0.75 * 2 * 25 * 100 / 175**2
    assert between("spike_distance", [25.0], []) == pytest.approx(expected, rel=1e-12)


@by_hypothesis
@given(TRAIN.filter(bool), TRAIN, st.integers(0, 6))
@pytest.mark.parametrize("name", ["isi_distance", "spike_distance", *METRICS])
def test_a_repeated_spike_is_two_that_are_infinitely_close(name, train, other, which):
    """PySpike divides by the interval of 0 and may return more than 1."""
    again = train[which % len(train)]
    apart = min(again + 1e-7, 100.0) if again < 100.0 else again - 1e-7
    repeated = between(name, sorted([*train, again]), other)
    nearly = between(name, sorted([*train, apart]), other)
    # van Rossum's grows with the root of a shift that is all of the difference.
    assert repeated == pytest.approx(nearly, abs=1e-5 if name != "van_rossum" else 1e-3)


def test_a_repeated_spike_has_one_partner():
    assert between("spike_synchronization", [10.0, 10.0], [10.0]) == pytest.approx(2 / 3)
    assert between("victor_purpura", [10.0, 10.0], [10.0]) == 1.0
    assert between("van_rossum", [10.0, 10.0], [10.0]) == 1.0


@pytest.mark.parametrize("name", ["isi_distance", "spike_distance"])
@pytest.mark.parametrize("edge", [0.0, 100.0])
def test_a_lone_spike_at_an_edge_is_one_just_inside(name, edge):
    inside = abs(edge - 1e-9)
    for other in ([], [30.0], [10.0, 60.0]):
        assert between(name, [edge], other) == pytest.approx(
            between(name, [inside], other), abs=1e-9
        )
    assert between(name, [edge], [edge]) == 0.0


def test_nearly_identical_trains_keep_their_digits():
    """One spike moved by d: D^2 = 2 (1 - exp(-d / tau)), of which sums over pairs leave noise."""
    for apart in (1e-12, 1e-6, 1e-3, 3.0):
        expected = math.sqrt(-2.0 * math.expm1(-apart / 5.0))
        assert between("van_rossum", [0.0], [apart]) == pytest.approx(expected, rel=1e-12)


def test_victor_purpura_moves_a_spike_up_to_two_over_the_cost():
    near, far = between("victor_purpura", [10.0], [16.0]), between("victor_purpura", [10.0], [17.0])
    assert near == pytest.approx(1.8) and far == 2.0


def test_spikes_half_an_interval_apart_do_not_coincide():
    """Half of 10 ms, to the double: the paper's "less than"; a spike between two has no partner."""
    assert between("spike_synchronization", [10.0, 20.0], [15.0]) == 0.0
    assert between("spike_synchronization", [10.0, 20.0], [14.9]) == pytest.approx(2 / 3)


def test_trial_k_is_compared_with_trial_k():
    a, b = spike_trains([[10.0], [20.0, 30.0]]), spike_trains([[10.0], [20.0]])
    np.testing.assert_array_equal(distances.victor_purpura(a, b, 1.0), [0.0, 1.0])


@pytest.mark.parametrize("name", ALL)
def test_another_number_of_trials_is_refused(name):
    with pytest.raises(ValueError, match="reference has 1 trials and other has 2"):
        ALL[name](spike_trains([[1.0]]), spike_trains([[1.0], [2.0]]))


@pytest.mark.parametrize("name", WINDOWED)
def test_another_window_is_refused_and_can_be_cut(name):
    a, b = spike_trains([[1.0, 9.0, 60.0]]), spike_trains([[1.0, 9.0]], t_stop=50.0)
    with pytest.raises(ValueError, match=r"0\.\.100 ms and other over 0\.\.50 ms"):
        WINDOWED[name](a, b)
    assert WINDOWED[name](*in_common_window(a, b))[0] == pytest.approx(EQUAL.get(name, 0.0))


def test_windows_without_common_time_cannot_be_cut():
    later = spike_trains([[150.0]], t_start=100.0, t_stop=200.0)
    with pytest.raises(ValueError, match="no time in common"):
        in_common_window(spike_trains([[1.0]]), later)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_impossible_parameters_are_refused(value):
    one = spike_trains([[1.0]])
    for measure, name in (
        (distances.victor_purpura, "cost"),
        (distances.van_rossum, "tau"),
        (distances.schreiber, "sigma"),
        (distances.coincidence_factor, "window"),
    ):
        with pytest.raises(ValueError, match=f"{name} is {value}"):
            measure(one, one, value)
    for matrix, name in (
        (distances.victor_purpura_matrix, "cost"),
        (distances.van_rossum_matrix, "tau"),
        (distances.schreiber_matrix, "sigma"),
    ):
        with pytest.raises(ValueError, match=f"{name} is {value}"):
            matrix(one, value)


def test_windows_too_wide_for_the_rate_have_no_coincidence_factor():
    train = spike_trains([np.arange(1.0, 100.0, 2.0)])
    assert math.isnan(distances.coincidence_factor(train, train, 1.0)[0])
    assert distances.coincidence_factor(train, train, 0.9)[0] == pytest.approx(1.0)


def test_arrays_that_cannot_be_written_to_are_measured():
    spikes = poisson_trials(3, 15.0, 1000.0, seed=1)
    expected = distances.van_rossum_matrix(spikes, 5.0)
    spikes.times.flags.writeable = False
    np.testing.assert_array_equal(distances.van_rossum_matrix(spikes, 5.0), expected)
