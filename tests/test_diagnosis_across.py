"""What few spikes cannot tell by themselves, and runs of different lengths."""

from __future__ import annotations

import neo
import numpy as np
import pytest

from analysis.compare import compare
from analysis.diagnosis import Cause
from tests import planted

KIND = ("trials=5", "record.v=0")


def segments(*trains_of_conditions, duration=1000.0):
    block = neo.Block()
    for number, trains in enumerate(trains_of_conditions):
        segment = neo.Segment(name=f"condition {number}")
        for times in trains:
            segment.spiketrains.append(neo.SpikeTrain(times, duration, units="ms"))
        block.segments.append(segment)
    return block


MANY = np.cumsum(np.random.default_rng(3).integers(200, 900, 18)) / 10


def test_a_condition_of_one_spike_is_shifted_as_the_others_are():
    found = compare(segments([MANY], [[500.1]]), segments([MANY + 0.1], [[500.2]]))
    assert found.diagnosis.causes == (Cause.CONSTANT_SHIFT,)
    assert "as in other conditions" in found.conditions[1].diagnosis.text()


@pytest.mark.parametrize("late", [[700.5], [300.3, 700.5]])
def test_a_condition_that_loses_its_last_spike_is_cut_as_the_others_are(late):
    cut = [t for t in late if t < 500]
    found = compare(segments([MANY], [late]), segments([MANY[MANY < 500]], [cut]))
    assert found.diagnosis.causes == (Cause.TRUNCATED,)


@pytest.mark.parametrize("by", [1.0, -1.0])
def test_spikes_that_a_shift_moves_out_of_the_recording_are_not_lost(by):
    full = np.concatenate([[0.5], MANY, [999.5]])
    moved = [t for t in full + by if 0 <= t <= 1000]
    assert len(moved) < len(full)
    found = compare(segments([full]), segments([moved]))
    assert found.diagnosis.causes == (Cause.CONSTANT_SHIFT,)


def test_one_spike_is_no_coarser_timestep():
    run = planted.run(*KIND, seed=1)
    one = planted.with_spikes(run, lambda t, i, _: (np.array([40.0]), np.array([0])))
    assert Cause.TIMESTEP not in compare(planted.block(run), planted.block(one)).diagnosis.causes


def test_the_silent_side_is_named():
    run = planted.run("trials=3")
    none = planted.with_spikes(run, lambda t, i, _: (t[:0], i[:0]))
    found = compare(planted.block(run), planted.bare(none)).diagnosis
    assert found.findings[0].sentence.split("] ")[1].startswith("The other run has no spike at all")
    assert found.first is not None and found.first.distance_to_threshold is None


def test_missing_trials_are_a_finding():
    found = compare(
        planted.block(planted.run("trials=5", "record.v=0")),
        planted.block(planted.run("trials=3", "record.v=0")),
    )
    assert not found.passed and found.diagnosis.causes == (Cause.TRUNCATED,)
    assert "The other run has 3 trials, the reference 5" in found.diagnosis.text()


@pytest.mark.parametrize("durations", [("1000", "900"), ("900", "1000")])
def test_runs_of_different_durations(durations):
    runs = [planted.run("trials=3", "record.v=0", f"duration={d}") for d in durations]
    found = compare(*map(planted.block, runs))
    assert found.diagnosis.causes[0] == Cause.TRUNCATED


def test_what_the_experiments_declare_is_not_called_unknown():
    """Also of a cell whose spikes cannot be predicted."""
    spikes = planted.run(*KIND, seed=1)
    runs = []
    for seed in (1, 2):
        table = planted.files.load("mainen_sejnowski", [f"seed={seed}", *KIND]).to_dict()
        table["neuron"] = {"cell_type": "HH_cond_exp", "parameters": {}}
        told = planted.Experiment.from_dict(table)
        late = planted.with_spikes(spikes, lambda t, i, _, by=0.1 * seed: (t + by * (i % 2), i))
        runs.append(planted.replace(late, experiment=told.to_json(), digest=told.digest))
    found = compare(*map(planted.block, runs)).diagnosis
    assert found.causes == (Cause.DIFFERENT_NOISE,)
