"""Comparisons: what is paired with what, verdicts by each policy, measures, and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import neo
import numpy as np
import pytest
import quantities as pq

from analysis.blocks import load_block, write_block
from analysis.compare import CompareError, compare
from analysis.diagnosis import Cause
from analysis.policies import Grid, PolicyError
from tests import planted
from tests.synthetic_trials import poisson_trials

SMALL = ("trials=6", "record.v=2")


@cache
def run(*changes: str, seed: int = 1) -> planted.Recording:
    return planted.run(*SMALL, *changes, seed=seed)


def block(*changes: str, seed: int = 1) -> neo.Block:
    return planted.block(run(*changes, seed=seed), "run")


def moved(by: float) -> neo.Block:
    return planted.block(planted.shifted(run(), by), "moved")


# --- policies --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "passed"),
    [("exact", False), ("grid(0)", False), ("grid(1)", True), ("timing(0.05, 1)", False),
     ("timing(0.1, 1)", True), ("timing(0.05, 0)", True), (Grid(2), True)],
)  # fmt: skip
def test_a_shift_of_one_step_passes_what_allows_a_step(policy, passed):
    found = compare(block(), moved(0.1), policy)
    assert found.passed is passed
    assert [condition.policy_reason for condition in found.conditions] == ["asked for"] * 2


def test_a_policy_for_one_condition_leaves_the_other_its_default():
    found = compare(block(), moved(0.1), {"dc": "grid(1)"})
    assert [condition.passed for condition in found.conditions] == [True, False]
    assert str(found.conditions[1].policy) == "exact"
    assert "default for reference and reference" in found.conditions[1].policy_reason
    assert found.verdict.startswith("FAILED: moved against run: 1 of 2 conditions (noise)")


def test_the_window_of_a_policy_may_grow():
    grown = planted.with_spikes(run(), _later_and_later)
    assert compare(block(), planted.block(grown), "timing(0.1, 1, 0.1)").passed
    assert not compare(block(), planted.block(grown), "timing(0.1, 1, 0.09)").passed


def _later_and_later(times, trials, _):
    number = np.arange(times.size) - np.searchsorted(trials, trials)
    return times + 0.1 * (number + 1), trials


def test_the_verdict_says_what_is_missing():
    lost = planted.block(planted.dropped(run(), 0.05, 1))
    condition = compare(block(), lost, "timing(2, 0.99)").conditions[0]
    assert not condition.passed and "missing" in condition.verdict
    assert "99 % of the spikes within 2 ms" in condition.verdict
    assert compare(block(), lost, "timing(2, 0.9)").passed


def test_a_trial_less_is_no_pass():
    fewer = planted.block(planted.run("trials=5", "record.v=2", seed=1))
    found = compare(block(), fewer, "timing(5, 0)")
    assert not found.passed and "5 trials for 6" in found.conditions[0].verdict


def test_bad_policies_are_refused_before_anything_is_compared():
    with pytest.raises(PolicyError, match="there are exact"):
        compare(block(), block(), "nearly")
    with pytest.raises(CompareError, match="the conditions are dc, noise"):
        compare(block(), block(), {"DC": "exact"})
    with pytest.raises(CompareError, match="neither run says its timestep"):
        compare(planted.bare(run()), planted.bare(run()), "grid(1)")


# --- pairing ---------------------------------------------------------------------------------


def test_conditions_are_paired_by_name_by_map_or_by_position():
    other = planted.bare(run())
    assert compare(block(), other).passed
    for segment, name in zip(other.segments, ("second", "first"), strict=True):
        segment.name = name
    found = compare(block(), other)
    assert found.passed and "by position" in found.conditions[0].pair.how
    assert [c.other_name for c in found.conditions] == ["second", "first"]
    crossed = compare(block(), other, mapping={"dc": "first", "noise": "second"})
    assert [c.other_name for c in crossed.conditions] == ["first", "second"] and not crossed.passed


def test_a_condition_without_a_partner_fails():
    other = neo.Block()
    other.segments.append(planted.bare(run()).segments[0])
    found = compare(block(), other)
    assert found.conditions[0].passed and not found.passed
    assert found.unpaired == ("noise",) and "without condition noise" in found.verdict


def test_what_cannot_be_paired_is_refused():
    other = planted.bare(run())
    other.segments[0].name, other.segments[1].name = "a", "b"
    other.segments.append(planted.bare(run()).segments[0])
    other.segments[2].name = "c"
    with pytest.raises(CompareError, match="NAME=NAME"):
        compare(block(), other)
    with pytest.raises(CompareError, match="no condition 'x'"):
        compare(block(), other, mapping={"dc": "x"})
    with pytest.raises(CompareError, match="no spike train"):
        compare(block(), neo.Block())
    with pytest.raises(CompareError, match="must be a neo"):
        compare(block(), "runs/nest")


def test_trials_go_by_their_number_and_not_by_their_place():
    ours, theirs = planted.block(run()), planted.bare(run())
    for segment in theirs.segments:
        trains = list(segment.spiketrains)
        for number, train in enumerate(trains):
            train.annotate(source_index=number, channel_id=number + 8)
        segment.spiketrains = neo.core.spiketrainlist.SpikeTrainList(trains[::-1])
    assert compare(ours, theirs).passed


def test_other_units_that_a_file_declares_are_no_difference(tmp_path):
    other = planted.bare(run())
    for segment in other.segments:
        segment.spiketrains = neo.core.spiketrainlist.SpikeTrainList(
            [train.rescale("s") for train in segment.spiketrains]
        )
    write_block(other, tmp_path / "other.nix", "nix")
    found = compare(block(), load_block(tmp_path / "other.nix"))
    assert found.passed and not found.diagnosis.findings


def test_a_recording_that_says_it_ends_earlier():
    other = planted.bare(planted.truncated(run(), 600.0))
    for segment in other.segments:
        for number, train in enumerate(segment.spiketrains):
            segment.spiketrains[number] = neo.SpikeTrain(train, 600 * pq.ms)
    found = compare(block(), other)
    assert found.diagnosis.causes == (Cause.TRUNCATED,)
    assert "ends at 600 ms instead of 1000 ms" in found.diagnosis.text()


# --- measures and facts ----------------------------------------------------------------------


def test_measures_of_equal_runs_are_at_their_ends():
    condition = compare(block(), block()).conditions[0]
    ones = ("matched_fraction", "coincidence_factor", "spike_synchronization", "schreiber")
    zeros = ("victor_purpura", "van_rossum", "isi_distance", "spike_distance", "max_offset")
    assert all(condition.measures[name] == pytest.approx(1) for name in ones)
    assert all(condition.measures[name] == pytest.approx(0) for name in zeros)
    assert condition.potentials.max == 0 and condition.potentials.n_samples == 2 * 2000
    assert [test.name for test in condition.tests][:2] == ["rate", "CV"]


def test_potentials_are_compared_where_both_have_a_sample():
    coarse = block("record.v_interval=1")
    found = compare(block(), coarse).conditions[0].potentials
    assert found.n_samples == 2 * 1000 and found.max == 0
    assert compare(block(), block("record.v=0")).conditions[0].potentials is None


def test_run_facts_are_what_the_file_says():
    facts = compare(block(seed=7), planted.bare(run())).reference
    assert (facts.backend, facts.seed, facts.timestep, facts.trials) == ("reference", 7, 0.1, 6)
    assert facts.experiment == "mainen_sejnowski" and facts.versions["numpy"] == "2.0"
    other = compare(block(), planted.bare(run())).other
    assert (other.label, other.backend, other.seed) == ("a colleague's", "", None)


def test_everything_goes_into_json():
    noisy = planted.block(planted.run(*SMALL, "neuron.parameters.tau_m=31", seed=1))
    table = json.loads(json.dumps(compare(block(), noisy).to_dict(), allow_nan=False))
    assert table["passed"] is False and table["conditions"][0]["policy"] == "exact"
    assert table["diagnosis"]["findings"][0]["cause"] == "parameter"
    assert table["diagnosis"]["first"]["time_reference"] > 0


def test_silent_runs_are_equal_and_a_silent_one_is_no_pass():
    quiet = block("conditions.0.currents.0.amplitude=0.0", "conditions.1.currents.0.mean=-1.0")
    assert compare(quiet, quiet, "grid(0)").passed
    found = compare(block(), quiet, "timing(2, 0.5)")
    assert not found.passed and found.diagnosis.findings


# --- statistics ------------------------------------------------------------------------------


def poisson(seed: int, rate: float, n_trials: int = 30) -> neo.Block:
    made = neo.Block(name=f"poisson {seed}")
    for part in range(2):
        spikes = poisson_trials(n_trials, rate, 1000.0, 2 * seed + part)
        segment = neo.Segment(name=str(part))
        for trial in range(n_trials):
            times = spikes.times[spikes.trials == trial]
            segment.spiketrains.append(neo.SpikeTrain(times, 1000.0, units="ms"))
        made.segments.append(segment)
    return made


def rejected(pairs, policy: str) -> int:
    return sum(not compare(one, other, policy).passed for one, other in pairs)


def test_a_statistical_policy_rejects_equal_distributions_rarely_and_others_surely():
    """24 pairs at 20 %: more than 10 rejections have a probability of 0.4 % or less."""
    pairs = [(poisson(2 * k, 14), poisson(2 * k + 1, 14)) for k in range(24)]
    assert rejected(pairs, "statistical(0.2)") <= 10
    different = [(poisson(2 * k, 14), poisson(2 * k + 1, 20)) for k in range(4)]
    assert rejected(different, "statistical(0.01)") == 4
    found = compare(*different[0], "statistical(0.01)").conditions[0]
    assert "rate differs: 14" in found.verdict and "corrected p" in found.verdict


@pytest.mark.slow
def test_the_error_rate_holds_over_all_conditions_and_tests():
    """600 pairs at 5 %: at most 30 are expected; more than 46 have a probability of 0.2 %."""
    pairs = ((poisson(2 * k, 14, 25), poisson(2 * k + 1, 14, 25)) for k in range(600))
    assert rejected(pairs, "statistical(0.05)") <= 46


@pytest.mark.slow
def test_the_error_rate_holds_where_all_trials_share_one_noise():
    changes = ("trials=10", "record.v=0", "timestep=0.5", "record.v_interval=1")

    def noisy(seed):
        return planted.block(planted.run(*changes, seed=seed))

    pairs = ((noisy(2 * k), noisy(2 * k + 1)) for k in range(150))
    assert rejected(pairs, "statistical(0.05)") <= 15


def test_trials_under_one_frozen_noise_are_no_independent_samples():
    """25 trials that follow one draw of the noise differ from 25 that follow another, of course."""
    one, other = block(seed=3), block(seed=4)
    found = compare(one, other, "statistical(0.05)").conditions[1]
    assert found.passed and "part of the run" in found.verdict


def test_several_seeds_on_either_side():
    changes = ("record.v=0", "timestep=0.5", "record.v_interval=1")
    ours = [block(*changes, seed=k) for k in range(6)]
    theirs = [block(*changes, seed=k) for k in range(6, 12)]
    found = compare(ours, theirs, "statistical(0.01, 6)")
    assert found.passed and "one value a run" in found.conditions[1].verdict
    assert found.reference.seeds == (0, 1, 2, 3, 4, 5)
    alone = compare(ours[0], theirs[0], "statistical(0.01, 6)")
    assert not alone.passed and "needs 6 runs" in alone.conditions[0].verdict
    assert compare(ours, ours, "grid(0)").passed
    with pytest.raises(CompareError, match="as many on each side"):
        compare(ours, theirs[:2], "grid(0)")


def test_the_default_for_noise_of_the_simulator_is_statistical():
    changes = ("trials=20", "record.v=0")
    one = planted.simulate(planted.files.load("noise_native", changes), "nest")
    other = planted.simulate(planted.files.load("noise_native", [*changes, "seed=9"]), "brian2")
    found = compare(planted.block(one), planted.block(other))
    assert found.passed and str(found.conditions[0].policy) == "statistical(0.01)"
    assert found.diagnosis.causes[0] == Cause.DIFFERENT_NOISE
    same = replace(other, backend="nest")
    assert not compare(planted.block(one), planted.block(same)).passed
