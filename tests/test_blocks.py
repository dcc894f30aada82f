"""Recordings as Neo blocks, and what files make of them."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import neo
import numpy as np
import pytest
import quantities as pq
import sample_runs
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.blocks import FORMATS, BlockError, build_block, load_block, signal, write_block
from pynn_model import files, stimulus
from pynn_model.experiment import Experiment
from pynn_model.recording import PopulationRecording, Recording

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def recording():
    """Two conditions of four trials, v of three of them, private noise in both."""
    changes = ("trials=4", "duration=200.0", "record.v=3", 'description="α & β, 日本"')
    return sample_runs.sample("mainen_sejnowski", *changes)


@pytest.fixture
def block(recording):
    return build_block(recording, "run-1")


@pytest.fixture(scope="module")
def swept():
    """Six conditions with a series and a level, the lowest of which is silent; no v."""
    changes = ("trials=2", "duration=100.0", "conditions.0.sweep.num=3", "conditions.1.sweep.num=3")
    return sample_runs.sample("fi_curve", *changes)


def network_recording():
    """Two populations of a user's own model."""
    experiment = files.load("balanced_network")
    populations = tuple(
        PopulationRecording(name, size, np.array([5.0, 7.0]), np.array([0, size - 1]))
        for name, size in (("excitatory", 3), ("inhibitory", 2))
    )
    return Recording(experiment.to_json(), experiment.digest, "nest", populations, {})


# --- equality of everything that a block holds -----------------------------------------------


def assert_same(a, b, kind=None):
    assert type(a) is type(b), (kind, a, b)
    if isinstance(a, pq.Quantity):
        assert a.dimensionality == b.dimensionality, kind
        assert a.dtype == b.dtype, kind
        np.testing.assert_array_equal(a.magnitude, b.magnitude)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype, kind
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b), kind
        for key in a:
            assert_same(a[key], b[key], key)
    else:
        assert a == b, kind


def assert_same_blocks(a, b):
    for attribute in ("name", "description", "rec_datetime", "annotations"):
        assert_same(getattr(a, attribute), getattr(b, attribute), attribute)
    assert len(a.segments) == len(b.segments)
    for one, other in zip(a.segments, b.segments, strict=True):
        for attribute in ("name", "description", "rec_datetime", "annotations"):
            assert_same(getattr(one, attribute), getattr(other, attribute), attribute)
        assert len(one.spiketrains) == len(other.spiketrains)
        for train, again in zip(one.spiketrains, other.spiketrains, strict=True):
            assert_same(train.times, again.times, "times")
            for attribute in ("name", "t_start", "t_stop", "annotations", "array_annotations"):
                assert_same(
                    plain(getattr(train, attribute)), plain(getattr(again, attribute)), attribute
                )
        assert [s.name for s in one.analogsignals] == [s.name for s in other.analogsignals]
        for signal_, again in zip(one.analogsignals, other.analogsignals, strict=True):
            assert_same(signal_.rescale(signal_.units).view(pq.Quantity), again.view(pq.Quantity))
            for attribute in ("units", "t_start", "sampling_period", "annotations"):
                assert_same(
                    plain(getattr(signal_, attribute)), plain(getattr(again, attribute)), attribute
                )
            assert_same(plain(signal_.array_annotations), plain(again.array_annotations))


def plain(value):
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, pq.Quantity):  # units are a subclass of their own
        return pq.Quantity(value.magnitude.astype(float), value.dimensionality)
    return value


# --- building --------------------------------------------------------------------------------


def test_block_says_where_it_comes_from(recording, block):
    experiment = Experiment.from_json(recording.experiment)
    assert block.name == "run-1"
    assert block.annotations == {
        "experiment": "mainen_sejnowski",
        "digest": experiment.digest,
        "experiment_text": recording.experiment,
        "backend": "reference",
        "versions": '{"numpy": "2.0", "reference": "1"}',
        "effective": '{"dc": {"tau_m": 30.0}}',
        "timestep": 0.1,
        "duration": 200.0,
        "seed": 1995,
        "trials": 4,
        "run_id": "run-1",
        "notes": "",
    }
    assert [type(value) for value in block.annotations.values()] == [
        str, str, str, str, str, str, float, float, int, int, str, str,
    ]  # fmt: skip
    assert build_block(recording).name == "mainen_sejnowski"


def test_notes_become_one_text(recording):
    provenance = {"notes": ["first", "second"]}
    noted = Recording(
        recording.experiment, recording.digest, "x", recording.populations, provenance
    )
    assert build_block(noted).annotations["notes"] == "first\nsecond"


def test_a_segment_for_each_condition_and_a_train_for_each_trial(recording, block):
    assert [segment.name for segment in block.segments] == ["dc", "noise"]
    for population, segment in zip(recording.populations, block.segments, strict=True):
        assert segment.annotations == {"condition": population.name, "series": ""}
        assert len(segment.spiketrains) == 4
        for trial, train in enumerate(segment.spiketrains):
            mine = population.spike_times[population.spike_indices == trial]
            np.testing.assert_array_equal(train.rescale("ms").magnitude, mine)
            assert train.t_start == 0 * pq.ms
            assert train.t_stop == 200 * pq.ms
            assert train.units == pq.ms
            assert train.segment is segment
            assert {k: train.annotations[k] for k in train.annotations if k != "channel_id"} == {
                "trial": trial,
                "neuron_id": trial,
                "condition": population.name,
                "backend": "reference",
            }


def test_signals_are_the_potentials_and_the_currents(recording, block):
    experiment = Experiment.from_json(recording.experiment)
    for segment, condition in zip(block.segments, experiment.conditions, strict=True):
        v, current, private = (
            signal(segment, name) for name in ("v", "stimulus", "private_current")
        )
        assert [s.name for s in segment.analogsignals] == ["v", "stimulus", "private_current"]
        assert (v.units, v.shape, v.sampling_period) == (pq.mV, (400, 3), 0.5 * pq.ms)
        assert (current.units, current.shape) == (pq.nA, (2000, 1))
        assert (private.shape, private.sampling_period) == ((2000, 3), 0.1 * pq.ms)
        expected = stimulus.shared_current(experiment, condition)
        np.testing.assert_array_equal(current.magnitude[:, 0], expected)
        for column in range(3):
            expected = stimulus.private_current(experiment, condition, column)
            np.testing.assert_array_equal(private.magnitude[:, column], expected)
        for found in (v, private):
            np.testing.assert_array_equal(found.array_annotations["trial"], [0, 1, 2])


def test_swept_conditions_carry_series_and_level(swept):
    segments = build_block(swept).segments
    assert [s.annotations["series"] for s in segments] == ["constant"] * 3 + ["with noise"] * 3
    assert [s.annotations["level"] for s in segments] == [0.1, 0.25, 0.4] * 2
    assert all(s.annotations["condition"] == s.name for s in segments)
    assert [[s.name for s in segment.analogsignals] for segment in segments] == [["stimulus"]] * 6


def test_populations_of_a_users_model_have_no_stimulus():
    segments = build_block(network_recording()).segments
    assert [(s.name, len(s.spiketrains), len(s.analogsignals)) for s in segments] == [
        ("excitatory", 3, 0),
        ("inhibitory", 2, 0),
    ]


def test_a_population_is_no_condition_even_if_it_has_the_name_of_one():
    data = files.load("balanced_network").to_dict()
    current = {"kind": "constant", "amplitude": 0.1}
    data["conditions"] = [{"name": "excitatory", "currents": [current]}]
    experiment = Experiment.from_dict(data)
    made = build_block(replace(network_recording(), experiment=experiment.to_json()))
    assert not made.segments[0].analogsignals


def test_a_large_population_costs_nothing_until_it_is_looked_at():
    experiment = files.load("balanced_network", ["duration=2000.0"])
    indices = np.repeat(np.arange(10_000), 120)
    times = np.tile(np.arange(1, 121) * 16.0, 10_000)
    population = PopulationRecording("excitatory", 10_000, times, indices)
    large = Recording(experiment.to_json(), experiment.digest, "nest", (population,), {})
    start = time.perf_counter()
    trains = build_block(large).segments[0].spiketrains
    ids, spikes = trains.multiplexed
    assert time.perf_counter() - start < 0.3
    assert len(trains) == 10_000
    np.testing.assert_array_equal(ids, indices)
    np.testing.assert_array_equal(spikes.rescale("ms").magnitude, times)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 2000)), max_size=60),
    st.integers(5, 8),
)
def test_every_train_holds_its_own_spikes(spikes, size):
    spikes = sorted(spikes)
    indices = np.array([index for index, _ in spikes], dtype=np.int64)
    times = np.array([round(step * 0.1, 9) for _, step in spikes])
    experiment = files.load("balanced_network", ["duration=200.0"])
    population = PopulationRecording("p", size, times, indices)
    block = build_block(Recording(experiment.to_json(), "d", "b", (population,), {}))
    trains = block.segments[0].spiketrains
    assert [train.magnitude.tolist() for train in trains] == [
        times[indices == k].tolist() for k in range(size)
    ]


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["recording", "swept", "network"])
def test_nix_comes_back_equal(which, recording, swept, tmp_path):
    runs = {"recording": recording, "swept": swept, "network": network_recording()}
    written = build_block(runs[which], "run-1")
    write_block(written, tmp_path / "recording.nix", "nix")
    assert_same_blocks(load_block(tmp_path / "recording.nix"), written)
    # Writing left the block as it was.
    assert_same_blocks(written, build_block(runs[which], "run-1"))


def test_nix_of_a_single_trial_keeps_its_shapes(tmp_path):
    changes = ("trials=1", "duration=50.0", "record.v=1", "record.v_interval=50.0")
    written = build_block(sample_runs.sample("mainen_sejnowski", *changes))
    write_block(written, tmp_path / "one.nix", "nix")
    again = load_block(tmp_path / "one.nix")
    assert signal(again.segments[0], "v").shape == (1, 1)
    assert_same_blocks(again, written)


def test_nix_keeps_more_than_ten_trains_in_order(tmp_path):
    written = build_block(sample_runs.sample("mainen_sejnowski", "trials=12", "record.v=12"))
    write_block(written, tmp_path / "order.nix", "nix")
    assert_same_blocks(load_block(tmp_path / "order.nix"), written)


def test_any_neo_reader_opens_the_nix(block, tmp_path):
    write_block(block, tmp_path / "a.nix", "nix")
    with neo.io.NixIO(str(tmp_path / "a.nix"), mode="ro") as reader:
        plainly = reader.read_block()
    assert len(plainly.segments[1].spiketrains) == 4
    assert plainly.annotations["digest"] == block.annotations["digest"]


def test_a_run_reads_the_same_from_folder_recording_and_nix(recording, tmp_path):
    folder = tmp_path / "mainen_sejnowski-reference-01"
    folder.mkdir()
    recording.save(str(folder / "recording.npz"))
    (folder / "provenance.json").write_text("{}")
    block = load_block(folder)
    assert block.annotations["run_id"] == folder.name
    assert_same_blocks(load_block(folder / "recording.npz"), block)
    write_block(block, folder / "recording.nix", "nix")
    assert_same_blocks(load_block(folder / "recording.nix"), block)


def test_a_recording_of_its_own_has_no_run_id(recording, tmp_path):
    recording.save(str(tmp_path / "recording.npz"))
    assert load_block(tmp_path / "recording.npz").annotations["run_id"] == ""


def test_matlab_keeps_all_but_the_trial_of_each_column(recording, block, tmp_path):
    write_block(block, tmp_path / "a.mat", "mat")
    again = load_block(tmp_path / "a.mat")
    for segment in block.segments:
        for found in segment.analogsignals:
            found.array_annotations.clear()
    assert_same(again.annotations, block.annotations)
    for one, other in zip(again.segments, block.segments, strict=True):
        assert_same(one.annotations, other.annotations)
        for train, expected in zip(one.spiketrains, other.spiketrains, strict=True):
            assert_same(train.times, expected.times)
            assert_same(train.annotations, expected.annotations)
            assert (train.t_start, train.t_stop) == (expected.t_start, expected.t_stop)
        for found, expected in zip(one.analogsignals, other.analogsignals, strict=True):
            np.testing.assert_array_equal(found.magnitude, expected.magnitude)
            assert (found.name, found.units) == (expected.name, expected.units)
            assert found.sampling_period == expected.sampling_period
            assert not found.array_annotations


def foreign_block():
    """What another program may give: no annotations of ours, and values NIX cannot hold."""
    block = neo.Block(name="theirs", nothing=None, table={"a": {"b": 1}}, matrix=[[1, 2], [3, 4]])
    segment = neo.Segment()
    segment.spiketrains.append(neo.SpikeTrain([0.1, 0.2], units="s", t_stop=1.0, channel_id=7))
    segment.spiketrains.append(neo.SpikeTrain([0.3], units="s", t_stop=1.0, channel_id=7))
    block.segments.append(segment)
    return block


def test_blocks_of_other_programs_are_written_and_read(tmp_path):
    block = foreign_block()
    for name, format in (("a.nix", "nix"), ("a.h5", "nix"), ("a.mat", "mat")):
        write_block(block, tmp_path / name, format)
        again = load_block(tmp_path / name)
        assert json.loads(again.annotations["table"]) == {"a": {"b": 1}}
        assert json.loads(again.annotations["matrix"]) == [[1, 2], [3, 4]]
        assert "nothing" not in again.annotations
        times = [train.rescale("s").magnitude.tolist() for train in again.segments[0].spiketrains]
        assert times == [[0.1, 0.2], [0.3]]
    assert block.annotations["nothing"] is None
    assert "nix_name" not in block.annotations


def test_reading_does_not_change_a_nix_file(block, tmp_path):
    for name in ("a.nix", "a.h5"):
        write_block(block, tmp_path / name, "nix")
        before = (tmp_path / name).stat().st_mtime_ns
        load_block(tmp_path / name)
        assert (tmp_path / name).stat().st_mtime_ns == before


def test_a_file_is_complete_or_not_there(block, tmp_path, monkeypatch):
    target = tmp_path / "recording.nix"
    write_block(block, target, "nix")
    before = target.read_bytes()

    def broken(self, block, *rest, **more):
        raise OSError("disk full")

    monkeypatch.setattr(neo.io.NixIO, "write_block", broken)
    with pytest.raises(BlockError, match="disk full"):
        write_block(block, target, "nix")
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["recording.nix"]
    assert "nix_name" not in block.annotations


def test_an_unknown_format_names_the_known_ones(block, tmp_path):
    with pytest.raises(BlockError) as caught:
        write_block(block, tmp_path / "a.xyz", "xyz")
    assert all(name in str(caught.value) for name in ("'xyz'", *FORMATS))
    with pytest.raises(BlockError, match="no folder"):
        write_block(block, tmp_path / "missing" / "a.nix", "nix")


def test_what_cannot_be_read_is_named(recording, block, tmp_path):
    recording.save(str(tmp_path / "whole.npz"))
    write_block(block, tmp_path / "whole.nix", "nix")
    write_block(block, tmp_path / "whole.mat", "mat")
    for name in ("whole.npz", "whole.nix", "whole.mat"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / f"half-{name}").write_bytes(data[: len(data) // 2])
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.pkl").write_bytes(b"")
    (tmp_path / "a.unknown").write_bytes(b"x")
    (tmp_path / "text.nix").write_text("not HDF5")
    for name, why in {
        "missing": "no such file or folder",
        "empty": "not a finished run",
        "half-whole.npz": "damaged",
        "half-whole.nix": "cannot be read",
        "half-whole.mat": "cannot be read",
        "text.nix": "cannot be read",
        "other.npz": "not a recording",
        "a.pkl": "pickles are not read",
        "a.unknown": "not a supported format",
    }.items():
        with pytest.raises(BlockError, match=why) as caught:
            load_block(tmp_path / name)
        assert name in str(caught.value)


def test_a_recording_of_an_invalid_experiment_is_refused(recording, tmp_path):
    text = recording.experiment.replace('"trials":4', '"trials":-4')
    odd = Recording(text, recording.digest, "x", recording.populations, {})
    odd.save(str(tmp_path / "odd.npz"))
    with pytest.raises(BlockError, match="trials = -4"):
        load_block(tmp_path / "odd.npz")


def test_reading_a_run_imports_neither_matplotlib_nor_elephant():
    program = (
        "import sys, analysis.blocks; "
        "sys.exit(bool({'matplotlib', 'elephant', 'pyNN', 'scipy.stats'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0
