"""The assertions of the pytest plugin, on blocks made by hand: what passes, what a failure says."""

import neo
import numpy as np
import pytest
import quantities as pq
from pytest_pynn import evidence
from pytest_pynn.checks import Checks
from pytest_pynn.state import COMPARISON

from analysis.blocks import write_block
from analysis.pairing import CompareError
from analysis.policies import PolicyError


def block(trains, name="recorded", v=None, condition="noise", **notes):
    made = neo.Block(name=name, timestep=0.1, **notes)
    segment = neo.Segment(name=condition)
    made.segments.append(segment)
    for train in trains:
        segment.spiketrains.append(neo.SpikeTrain(train, units="ms", t_start=0.0, t_stop=100.0))
    if v is not None:
        signal = neo.AnalogSignal(
            np.array(v)[:, None], units="mV", sampling_period=1 * pq.ms, t_start=0 * pq.ms, name="v"
        )
        segment.analogsignals.append(signal)
    return made


def trains(shift=0.0, size=8):
    generator = np.random.default_rng(3)
    return [np.sort(generator.choice(900, 12, replace=False)) / 10 + 1 + shift for _ in range(size)]


@pytest.fixture
def shown():
    """The labels of what was shown of each failed comparison."""
    return []


@pytest.fixture
def checks(shown):
    def show(comparison, first, second):
        shown.append((first.label, second.label))
        return "shown"

    return Checks(show)


def test_equal_trains_pass_and_the_comparison_is_returned(checks, shown):
    comparison = checks.assert_spiketrains_close(block(trains()), block(trains()), "exact")
    assert comparison.passed
    assert comparison.conditions[0].matching.n_pairs == 96
    assert shown == []


def test_a_policy_says_what_is_close(checks):
    first, second = block(trains()), block(trains(shift=0.1))
    checks.assert_spiketrains_close(first, second, "grid(1)")
    checks.assert_spiketrains_close(first, second, {"noise": "timing(0.2, 1)"})
    with pytest.raises(AssertionError):
        checks.assert_spiketrains_close(first, second, "exact")
    with pytest.raises(PolicyError):
        checks.assert_spiketrains_close(first, second, "roughly")


def test_a_failure_says_the_verdict_the_numbers_the_reason_and_where_to_look(checks):
    with pytest.raises(AssertionError) as caught:
        checks.assert_spiketrains_close(
            block(trains(), backend="mine"), block(trains(shift=0.1), backend="theirs"), "exact"
        )
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("FAILED: theirs against mine")
    assert lines[1].startswith("  noise: FAILED: ")
    assert "96" in lines[1]
    assert lines[2] == "diagnosis:"
    assert lines[3].startswith("  First difference: noise, trial ")
    assert "1 timestep (0.1 ms) later" in lines[4]
    assert lines[-1] == "shown"


@pytest.mark.parametrize(
    ("first", "second", "labels"),
    [
        ({"backend": "nest"}, {"backend": "neuron"}, ("nest", "neuron")),
        ({"backend": "nest", "run_id": "a"}, {"backend": "nest", "run_id": "b"}, ("a", "b")),
        ({"backend": "nest"}, {"backend": "nest"}, ("reference", "other")),
        ({}, {"name": "lab"}, ("recorded", "lab")),
    ],
)
def test_the_sides_are_told_apart(checks, shown, first, second, labels):
    with pytest.raises(AssertionError):
        checks.assert_spiketrains_close(block(trains(), **first), block([[1.0]] * 8, **second))
    assert shown == [labels]


def test_files_and_differently_named_conditions(checks, tmp_path):
    path = tmp_path / "theirs.nix"
    write_block(block(trains(), condition="run 7"), path, "nix")
    mapping = {"noise": "run 7"}
    for given in (path, str(path)):
        checks.assert_spiketrains_close(block(trains()), given, "exact", mapping)


def test_what_cannot_be_compared_is_said(checks):
    with pytest.raises(TypeError, match="dict cannot be compared: must be a run from run_on"):
        checks.assert_spiketrains_close({}, block(trains()))
    with pytest.raises(ValueError, match="no run in the list"):
        checks.assert_spiketrains_close([], block(trains()))


def test_a_condition_that_the_other_run_lacks_is_a_failure(checks):
    first, second = block(trains()), block(trains())
    first.segments.append(neo.Segment(name="dc"))
    first.segments[1].spiketrains.append(neo.SpikeTrain([1.0], units="ms", t_stop=100.0))
    with pytest.raises(AssertionError, match="without condition dc"):
        checks.assert_spiketrains_close(first, second, "exact")


# Potentials


def test_potentials_within_a_limit_pass(checks):
    v = np.linspace(-70, -60, 100)
    first, second = block(trains(), v=v), block(trains(), v=v + 0.01)
    found = checks.assert_potentials_close(first, second, within=0.011)
    assert found["noise"].max == pytest.approx(0.01)
    with pytest.raises(AssertionError, match=r"noise: max of .* is 0\.01 mV, allowed is 0\.009 mV"):
        checks.assert_potentials_close(first, second, within=0.009)


def test_the_measure_can_be_chosen(checks):
    v = np.linspace(-70, -60, 100)
    spiky = v.copy()
    spiky[50] += 1.0
    first, second = block(trains(), v=v), block(trains(), v=spiky)
    checks.assert_potentials_close(first, second, within=0.11, measure="rms")
    with pytest.raises(AssertionError, match="max of the difference"):
        checks.assert_potentials_close(first, second, within=0.11)
    with pytest.raises(ValueError, match="measure = 'mean': must be one of max, rms, rms_between"):
        checks.assert_potentials_close(first, second, measure="mean")
    with pytest.raises(ValueError, match="within = nan mV: must be 0 or more"):
        checks.assert_potentials_close(first, second, within=float("nan"))


def test_no_potentials_are_no_agreement(checks):
    with pytest.raises(CompareError, match="noise: the potentials cannot be compared"):
        checks.assert_potentials_close(block(trains(), v=np.zeros(100)), block(trains()))


# Statistics


def renewal(rate, seed, size=60):
    """Poisson trains of 100 ms at `rate` spikes a trial."""
    generator = np.random.default_rng(seed)
    return [np.sort(generator.uniform(0, 100, generator.poisson(rate))) for _ in range(size)]


def test_the_same_distributions_pass_and_others_do_not(checks):
    checks.assert_same_statistics(block(renewal(20, 1)), block(renewal(20, 2)))
    seeds = [block(renewal(20, seed)) for seed in range(6)]
    checks.assert_same_statistics(seeds[:3], seeds[3:])
    with pytest.raises(AssertionError, match="statistical"):
        checks.assert_same_statistics(block(renewal(20, 1)), block(renewal(26, 2)))


# What is left to look at


class Item:
    """As much of a test as is asked for."""

    def __init__(self):
        self.nodeid = "tests/test_a.py::test_b[nest/é 1]"
        self.user_properties = []


def compared(checks):
    from pytest_pynn.sides import compared, two_sides

    sides = two_sides(block(trains()), block(trains(shift=0.1), name="lab"))
    return compared(*sides, "exact", None), sides


def test_the_figure_and_the_report_are_files_named_after_the_test(checks, tmp_path):
    item = Item()
    lines = evidence.show(*compared(checks), item, tmp_path / "new").splitlines()
    again = evidence.show(*compared(checks), item, tmp_path / "new").splitlines()
    assert len({*lines, *again}) == 4
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert [name.partition("-test_b")[0] for name in names] == ["tests-test_a.py"] * 4
    assert [path for _, path in item.user_properties] == [
        line.partition(": ")[2] for line in (*lines, *again)
    ]
    assert {name for name, _ in item.user_properties} == {COMPARISON}


def test_a_long_name_of_a_test_is_cut_and_stays_its_own(checks, tmp_path):
    for end in "ab":
        item = Item()
        item.nodeid = "test_it[" + "e" * 300 + end
        lines = evidence.show(*compared(checks), item, tmp_path).splitlines()
        assert all((tmp_path / line.rpartition("/")[2]).is_file() for line in lines)
    assert len(list(tmp_path.iterdir())) == 4


def test_what_cannot_be_drawn_does_not_hide_the_failure(checks, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("no fonts")

    monkeypatch.setattr(evidence, "_figure", broken)
    figure, report = evidence.show(*compared(checks), Item(), tmp_path).splitlines()
    assert figure == "figure: could not be made (RuntimeError: no fonts)"
    assert report.endswith(".html")
