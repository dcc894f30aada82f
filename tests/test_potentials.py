"""Differences of membrane potentials: which samples are compared, and which are between spikes."""

from __future__ import annotations

import math

import neo
import numpy as np
import pytest
import quantities as pq

from analysis.potentials import potential_difference
from tests.synthetic_trials import spike_trains


def potentials(values, interval=1.0, t_start=0.0, trials=None, units="mV"):
    """A signal of values (n_times, n_neurons)."""
    values = np.asarray(values, dtype=float)
    annotations = {} if trials is None else {"array_annotations": {"trial": np.asarray(trials)}}
    return neo.AnalogSignal(
        values if values.ndim == 2 else values[:, None],
        units=units,
        sampling_period=interval * pq.ms,
        t_start=t_start * pq.ms,
        **annotations,
    )


SILENT = spike_trains([[]] * 12)


def test_largest_and_rms_difference_and_where():
    reference = np.full((50, 3), -70.0)
    other = reference.copy()
    other[17, 1] += 3.0
    other[30, 2] -= 4.0
    found = potential_difference(
        potentials(reference, 0.1, trials=[0, 4, 9]),
        potentials(other, 0.1, trials=[0, 4, 9]),
        SILENT,
        SILENT,
    )
    assert found.max_abs == 4.0 and found.rms == pytest.approx(math.sqrt(25 / 150))
    assert found.worst == (9, pytest.approx(3.0)) and found.n_samples == 150
    assert found.rms_between_spikes == found.rms and found.n_between_spikes == 150


def test_equal_potentials_do_not_differ():
    one = potentials(np.random.default_rng(1).normal(-65, 3, (40, 2)), trials=[0, 1])
    found = potential_difference(one, one, SILENT, SILENT)
    assert (found.max_abs, found.rms, found.rms_between_spikes) == (0.0, 0.0, 0.0)


def test_columns_are_matched_by_trial():
    """Only trials 3 and 7 are common; the columns are in another order."""
    base = np.arange(10.0)[:, None]
    reference = potentials(base + np.array([10.0, 30.0, 70.0]), trials=[1, 3, 7])
    other = potentials(base + np.array([70.5, 20.0, 30.25]), trials=[7, 2, 3])
    found = potential_difference(reference, other, SILENT, SILENT)
    assert found.max_abs == 0.5 and found.worst[0] == 7 and found.n_samples == 20
    assert found.rms == pytest.approx(math.sqrt((0.5**2 + 0.25**2) / 2))


def test_without_annotation_columns_go_by_their_place():
    base = np.zeros((5, 2))
    found = potential_difference(
        potentials(base), potentials(base + np.array([1.0, 2.0]), trials=[4, 6]), SILENT, SILENT
    )
    assert found.max_abs == 2.0 and found.worst[0] == 6


def test_another_sampling_interval_is_compared_at_the_common_times():
    """0.1 ms against 0.25 ms from 0.5 on: common every 0.5 ms."""
    slope = 2.0
    fine = potentials(slope * 0.1 * np.arange(101), 0.1)
    coarse = potentials(slope * (0.5 + 0.25 * np.arange(30)) + 1.0, 0.25, t_start=0.5)
    for first, other in ((fine, coarse), (coarse, fine)):
        found = potential_difference(first, other, SILENT, SILENT)
        assert found.n_samples == 15  # 0.5, 1.0 .. 7.5
        assert found.rms == pytest.approx(1.0) and found.max_abs == pytest.approx(1.0)


def test_units_of_voltage_and_time_do_not_matter():
    """Nor how the sampling times are rounded: 3 x 0.1 ms and 3 / 10 kHz are not one double."""
    values = -70.0 + np.arange(600.0)
    in_volts = potentials(values * 1e-3, 0.1, units="V")
    in_seconds = neo.AnalogSignal(
        values[:, None], units="mV", sampling_rate=10 * pq.kHz, t_start=0 * pq.s
    )
    assert np.any(in_volts.times.magnitude != in_seconds.times.rescale("ms").magnitude)
    found = potential_difference(in_volts, in_seconds, SILENT, SILENT)
    assert found.max_abs < 1e-9 and found.n_samples == 600


def test_samples_near_a_spike_of_either_run_are_left_out():
    """Spikes at 10 and 30 ms of the two runs differ a lot; between them it is 0.1 mV."""
    reference, other = np.zeros(60), np.full(60, 0.1)
    reference[10:13] = 40.0
    other[30:33] = 40.0
    found = potential_difference(
        potentials(reference), potentials(other), spike_trains([[10.0]]), spike_trains([[30.0]])
    )
    assert found.max_abs == 40.0 and found.rms_between_spikes == pytest.approx(0.1)
    # 8 .. 12 and 28 .. 32, both ends included.
    assert found.n_samples == 60 and found.n_between_spikes == 50
    wide = potential_difference(
        potentials(reference),
        potentials(other),
        spike_trains([[10.0]]),
        spike_trains([[30.0]]),
        margin=5.0,
    )
    assert wide.n_between_spikes == 60 - 22


def test_spikes_of_other_trials_leave_nothing_out():
    signal = potentials(np.zeros((60, 2)), trials=[0, 2])
    spikes = spike_trains([[10.0], [20.0, 30.0], []])
    assert potential_difference(signal, signal, spikes, spikes).n_between_spikes == 120 - 5


def test_margins_that_overlap_are_left_out_once_and_all_may_be():
    signal = potentials(np.zeros(20))
    close = spike_trains([[5.0, 6.0, 6.0]])
    assert potential_difference(signal, signal, close, close).n_between_spikes == 20 - 6
    everywhere = spike_trains([np.arange(0.0, 20.0, 2.0)])
    found = potential_difference(signal, signal, everywhere, everywhere)
    assert math.isnan(found.rms_between_spikes) and found.n_between_spikes == 0


@pytest.mark.parametrize(
    ("reference", "other", "message"),
    [
        (
            potentials([1.0, 2.0]),
            potentials([1.0, 2.0], t_start=0.5),
            r"at 0, 1 \.\. 1 ms and other at 0\.5, 1\.5 \.\. 1\.5 ms",
        ),
        (potentials([1.0], trials=[0]), potentials([1.0], trials=[1]), "trials 0 and other of 1"),
        (potentials([[1.0, 2.0]]), potentials([[1.0]]), "2 potentials and other has 1"),
        (potentials([1.0], trials=[12]), potentials([1.0], trials=[12]), "trial 12 but spike"),
        (potentials([1.0], units="nA"), potentials([1.0]), "reference is in nA"),
        (
            potentials([1.0, 2.0]),
            potentials([1.0, math.nan], trials=[3]),
            "other is nan mV in trial 3 at 1 ms",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(reference, other, message):
    with pytest.raises(ValueError, match=message):
        potential_difference(reference, other, SILENT, SILENT)


@pytest.mark.parametrize("margin", [-1.0, math.nan])
def test_an_impossible_margin_is_refused(margin):
    with pytest.raises(ValueError, match=f"margin is {margin}"):
        potential_difference(potentials([1.0]), potentials([1.0]), SILENT, SILENT, margin)
