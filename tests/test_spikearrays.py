"""Neo spike trains of every form become the same flat arrays."""

from __future__ import annotations

import neo
import numpy as np
import pytest
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList

from analysis.spikearrays import SpikeArrays, spike_arrays
from tests.synthetic_trials import spike_trains

TIMES = [[10.0, 30.0, 30.0], [], [5.5]]


def multiplexed(all_channel_ids: list[int]) -> SpikeTrainList:
    """TIMES as a list made from arrays, in no order, with these labels."""
    labels = np.array(all_channel_ids)
    return SpikeTrainList.from_spike_time_array(
        np.array([0.0055, 0.030, 0.010, 0.030]),
        labels[[2, 0, 0, 0]],
        all_channel_ids=all_channel_ids,
        units="s",
        t_start=0.0 * pq.ms,
        t_stop=100.0 * pq.ms,
    )


def check(spikes: SpikeArrays) -> None:
    np.testing.assert_allclose(spikes.times, [10, 30, 30, 5.5], rtol=1e-15)
    np.testing.assert_array_equal(spikes.trials, [0, 0, 0, 2])
    np.testing.assert_array_equal(spikes.counts, [3, 0, 1])
    np.testing.assert_array_equal(spikes.ordinals, [1, 2, 3, 1])
    assert spikes.n_trials == 3
    assert (spikes.t_start, spikes.t_stop) == (0.0, pytest.approx(100.0, rel=1e-12))
    assert spikes.times.dtype == np.float64
    assert spikes.trials.dtype == np.int64


def test_a_plain_list():
    check(spike_arrays(spike_trains(TIMES)))


def test_an_unsorted_train():
    check(spike_arrays(spike_trains([[30.0, 10.0, 30.0], *TIMES[1:]])))


def test_an_iterator():
    check(spike_arrays(iter(spike_trains(TIMES))))


def test_other_and_mixed_units():
    for units in ("s", "us"):
        check(spike_arrays(spike_trains(TIMES, units=units)))
    check(spike_arrays([*spike_trains(TIMES[:2], units="s"), *spike_trains(TIMES[2:])]))


@pytest.mark.parametrize("labels", [[0, 1, 2], [17, 3, 8], [2, 1, 0]])
def test_a_list_made_from_arrays_whatever_its_labels(labels):
    check(spike_arrays(multiplexed(labels)))


def test_a_list_made_from_arrays_is_not_taken_apart(monkeypatch):
    trains = multiplexed([4, 5, 6])
    monkeypatch.setattr(trains, "_spiketrains_from_array", lambda: pytest.fail("taken apart"))
    check(spike_arrays(trains))


def test_a_list_made_from_arrays_and_looked_into():
    trains = multiplexed([17, 3, 8])
    assert [len(train) for train in trains] == [3, 0, 1]
    check(spike_arrays(trains))


def test_a_list_that_has_grown():
    trains = multiplexed([17, 3, 8])[:2]
    assert trains.multiplexed[0].size == 3
    trains.append(spike_trains(TIMES)[2])
    check(spike_arrays(trains))


def test_trains_that_share_a_channel_are_different_trials():
    trains = spike_trains(TIMES)
    for train in trains:
        train.annotate(channel_id=5)
    check(spike_arrays(SpikeTrainList(items=trains)))


def test_a_segment():
    segment = neo.Segment()
    segment.spiketrains.extend(spike_trains(TIMES))
    check(spike_arrays(segment))


def test_a_single_train_is_one_trial():
    spikes = spike_arrays(spike_trains(TIMES)[0])
    assert spikes.n_trials == 1
    np.testing.assert_array_equal(spikes.times, [10, 30, 30])


def test_arrays_stay_as_they_are():
    spikes = spike_arrays(spike_trains(TIMES))
    assert spike_arrays(spikes) is spikes


def test_a_window_that_does_not_start_at_zero():
    spikes = spike_arrays(spike_trains([[60.0], []], t_start=50.0, units="s"))
    assert spikes.t_start == pytest.approx(50.0)
    assert spikes.duration == pytest.approx(50.0)


def test_windows_that_differ_by_rounding_are_one():
    trains = [*spike_trains([[1.0]], t_stop=100.0), *spike_trains([[1.0]], t_stop=100.0005)]
    assert spike_arrays(trains).t_stop == 100.0005


def test_different_windows_are_refused():
    trains = [*spike_trains([[1.0]] * 2, t_stop=100.0), *spike_trains([[1.0]], t_stop=90.0)]
    with pytest.raises(ValueError, match=r"trials\[2\] over 0\.\.90 ms"):
        spike_arrays(trains)


def test_an_empty_window_is_refused():
    with pytest.raises(ValueError, match="t_stop is 0 ms"):
        spike_arrays(spike_trains([[]], t_stop=0.0))


@pytest.mark.parametrize("nothing", [[], SpikeTrainList(), neo.Segment()])
def test_no_trials_are_refused(nothing):
    with pytest.raises(ValueError, match="trials is empty"):
        spike_arrays(nothing)


def test_what_is_no_spike_train_is_refused():
    with pytest.raises(TypeError, match=r"trials\[1\] is a ndarray"):
        spike_arrays([*spike_trains([[1.0]]), np.array([1.0])])
