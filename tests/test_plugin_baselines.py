"""Baselines: small files that give the spikes back exactly, and never a stale or damaged run."""

import json
import os

import numpy as np
import pytest
from pytest_pynn import baselines
from pytest_pynn.baselines import BaselineError

import backends
from pynn_model import files, stimulus
from pynn_model.experiment import Experiment
from pynn_model.recording import PopulationRecording, Recording


@pytest.fixture
def experiment():
    return files.load("mainen_sejnowski", ["trials=25"])


def recording_of(experiment, backend="nest", seed=1):
    """Two populations of 25 trials with 16 spikes each, at any time, and potentials of 3 trials."""
    generator = np.random.default_rng(seed)

    def population(name):
        index = np.repeat(np.arange(25), 16)[5:]  # trial 0 has fewer, and trial 3 none at all
        index = index[index != 3]
        times = generator.uniform(0, experiment.duration, len(index))
        order = np.lexsort((times, index))
        v = generator.normal(-60, 5, (2000, 3))
        return PopulationRecording(name, 25, times[order], index, v, np.array([0, 4, 7]), 0.5)

    populations = (population("dc"), population("noise"))
    facts = {"versions": {"sPyNNaker": "7.4.1"}}
    return Recording(experiment.to_json(), experiment.digest, backend, populations, facts)


@pytest.fixture
def where(tmp_path, experiment):
    return baselines.place(tmp_path, "nest", experiment, "tests/test_a.py::test_b[nest]")


@pytest.fixture
def kept(where, experiment):
    """The recording that the baseline at `where` was made of."""
    recording = recording_of(experiment)
    assert baselines.record(where, experiment, recording, potentials=0)
    return recording


def test_spikes_come_back_exactly_and_potentials_to_a_tenth_of_a_microvolt(where, experiment):
    before = recording_of(experiment)
    baselines.record(where, experiment, before, potentials=2)
    after = baselines.replay(where, "nest", experiment)
    assert after.digest == experiment.digest
    for a, b in zip(before.populations, after.populations, strict=True):
        assert (a.name, a.size, a.v_interval) == (b.name, b.size, b.v_interval)
        assert np.array_equal(a.spike_times, b.spike_times)
        assert np.array_equal(a.spike_indices, b.spike_indices)
        assert b.v_indices.tolist() == [0, 4]
        assert np.abs(a.v[:, :2] - b.v).max() <= 0.51e-4


def test_a_baseline_is_small_text_that_is_reviewed_line_by_line(where, kept, experiment):
    text = where.path.read_text()
    assert where.path.name == "mainen_sejnowski-nest.json"
    assert len(text) < 25_000
    assert text.count("\n") < 200
    assert max(map(len, text.splitlines())) < 400
    content = json.loads(text)
    assert content["experiment"]["neuron"]["parameters"]["tau_m"] == 30.0
    assert content["versions"]["nest-simulator"]
    other = recording_of(experiment)
    other.populations[1].spike_times[100] += 0.1
    baselines.record(where, experiment, other, potentials=0)
    changed = set(where.path.read_text().splitlines()) - set(text.splitlines())
    assert len(changed) == 2  # the trial, and the checksum


def test_the_same_run_leaves_the_file_as_it_is(where, kept, experiment):
    before = where.path.stat()
    assert not baselines.record(where, experiment, recording_of(experiment), potentials=0)
    assert where.path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_write_that_fails_leaves_the_old_baseline(where, kept, experiment, monkeypatch):
    before = where.path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(os, "replace", full)
        baselines.record(where, experiment, recording_of(experiment, seed=2), potentials=0)
    assert where.path.read_bytes() == before
    assert [path.name for path in where.path.parent.iterdir()] == [where.path.name]


# Stale


def refused(where, experiment, backend="nest"):
    with pytest.raises(BaselineError) as caught:
        baselines.replay(where, backend, experiment)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("neuron.parameters.tau_m=20", ["neuron.parameters.tau_m: 30.0 → 20.0"]),
        ("seed=7", ["seed: 1995 → 7"]),
        (
            "conditions.noise.currents.0.stdev=0.05",
            ["conditions.noise.currents.0.stdev: 0.1 → 0.05"],
        ),
        (
            "conditions.dc.currents.0.stop=500",
            ["conditions.dc.currents.0.stop: 1000.0 → 500.0"],
        ),
        (
            "conditions.dc.currents.1.kind=native",
            [
                'conditions.dc.currents.1.kind: "noise" → "native"',
                'conditions.dc.currents.1.spectrum: "white" → (not there)',
            ],
        ),
    ],
)
def test_a_changed_experiment_is_told_by_its_keys(where, kept, change, told):
    changes = [change, "trials=25"]
    if change.endswith("native"):
        data = files.load("mainen_sejnowski").to_dict()
        data["conditions"][0]["currents"][1] = {"kind": "native", "stdev": 0.02, "dt": 1.0}
        changed = Experiment.from_dict(data)
    else:
        changed = files.load("mainen_sejnowski", changes)
    message = refused(where, changed)
    assert "is stale" in message
    lines = [line.strip() for line in message.splitlines()]
    assert set(told) <= set(lines)
    assert all("→" not in line for line in lines if line.partition(":")[0] not in str(told)) or (
        "native" in change
    )
    assert "python -m pytest --record-baselines 'tests/test_a.py::test_b[nest]'" in message


def test_a_changed_version_is_told(where, kept, experiment, monkeypatch):
    monkeypatch.setattr(
        "backends.local._version", lambda name: "9.9" if name == "nest-simulator" else "0.13.0"
    )
    message = refused(where, experiment)
    assert "version of nest-simulator: 3.10.0 → 9.9" in message
    assert message.count("→") == 1  # numpy's, which decides nothing, is not told


def test_a_changed_generator_is_told(where, kept, experiment, monkeypatch):
    monkeypatch.setattr(stimulus, "GENERATOR", stimulus.GENERATOR + 1)
    assert "generator" in refused(where, Experiment.from_json(experiment.to_json()))


def test_what_does_not_change_the_result_does_not_matter(where, kept, experiment):
    data = experiment.to_dict()
    data["description"] = "told in other words"
    assert baselines.replay(where, "nest", Experiment.from_dict(data)).digest == experiment.digest


def test_a_model_or_waveform_is_compared_by_its_content(tmp_path):
    source = "def build(sim, experiment):\n    return sim.Population(1, sim.IF_curr_exp())\n"
    data = {"name": "own", "duration": 10.0, "timestep": 0.1, "seed": 1}
    before = Experiment.from_dict({**data, "model": {"file": "own.py", "source": source}})
    after = Experiment.from_dict({**data, "model": {"file": "own.py", "source": source + "#"}})
    where = baselines.place(tmp_path, "nest", before, "test")
    population = PopulationRecording("a", 1, np.zeros(0), np.zeros(0, np.int64))
    recording = Recording(before.to_json(), before.digest, "nest", (population,), {})
    baselines.record(where, before, recording, potentials=1)
    assert source.splitlines()[0] not in where.path.read_text()
    assert len(baselines.replay(where, "nest", before).populations[0].spike_times) == 0
    assert 'model.source: "sha256 ' in refused(where, after)


# Damaged


def test_no_baseline_says_how_to_record_it(where, experiment):
    assert "there is no such baseline" in refused(where, experiment)
    remote = baselines.place(where.path.parent, "spinnaker", experiment, "test_it")
    assert "--record-baselines --live 'test_it'" in refused(remote, experiment, "spinnaker")


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.6, 0.99])
def test_a_file_that_was_cut_off_is_damaged(where, kept, experiment, part):
    text = where.path.read_text()
    where.path.write_text(text[: int(len(text) * part)])
    assert "not JSON, at line" in refused(where, experiment)


def test_an_edited_file_is_not_believed(where, kept, experiment):
    text = where.path.read_text()
    population = kept.populations[0]
    edits = [
        (repr(float(population.spike_times[7])), "123.4"),
        ('"nest-simulator": "3', '"nest-simulator": "4'),
        ('"size": 25', '"size": 26'),
        (experiment.digest, "0" * 64),
    ]
    for old, new in edits:
        assert old in text
        where.path.write_text(text.replace(old, new, 1))
        assert "was edited" in refused(where, experiment)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[1, 2]", "is not a baseline"),
        (b"{}", "is not a baseline"),
        (b'{"format": 99}', "layout 99"),
        (b'{"format": 1}', "checksum"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b'{"format": 1, "populations": [NaN]}', "NaN is no number"),
        (b"<<<<<<< HEAD\n{}", "at line 1"),
    ],
)
def test_other_files_are_told_from_baselines(where, experiment, content, words):
    where.path.parent.mkdir()
    where.path.write_bytes(content)
    assert words in refused(where, experiment)


def test_a_sound_file_with_unsound_content_is_damaged(where, kept, experiment):
    """Someone who also mends the checksum still does not get a wrong recording."""
    content = json.loads(where.path.read_text())
    del content["sha256"]
    for spoil in (
        lambda p: p.update(size=26),
        lambda p: p["spikes"].pop(),
        lambda p: p["spikes"][0].append("x"),
        lambda p: p.pop("name"),
        lambda p: p.update(v={"a": [1.0]}),
    ):
        spoilt = json.loads(json.dumps(content))
        spoil(spoilt["populations"][0])
        spoilt["sha256"] = baselines._checksum(spoilt)
        where.path.write_text(json.dumps(spoilt))
        assert "is damaged or was edited" in refused(where, experiment)


def test_a_baseline_of_another_backend_is_not_taken(where, kept, experiment):
    other = baselines.place(where.path.parent.parent, "neuron", experiment, "test_it")
    other.path.write_bytes(where.path.read_bytes())
    assert "is of nest, not of neuron" in refused(other, experiment, "neuron")


# In a test session

SHORT = ["trials=2", "duration=20.0", "record.v=1"]
PROJECT = """
    import numpy as np

    CHANGES = {"trials": 2, "duration": 20.0, "record.v": 1}

    def test_local(baseline, run_on):
        old = baseline("nest", "mainen_sejnowski", potentials=1, **CHANGES)
        new = run_on("nest", "mainen_sejnowski", **CHANGES)
        assert old.block.segments[0].analogsignals[0].shape == (40, 1)
        for a, b in zip(old.recording.populations, new.recording.populations, strict=True):
            assert np.array_equal(a.spike_times, b.spike_times)

    def test_remote(run_on):
        run = run_on("spinnaker", "mainen_sejnowski", **CHANGES)
        assert run.recording.populations[0].spike_times.tolist() == [1.5, 2.25]
        assert run.folder is None
        assert repr(run).startswith("<mainen_sejnowski on spinnaker, from ")
"""


@pytest.fixture
def project(pytester, runs_folder):
    pytester.makeini("[pytest]\naddopts = -p pytest_pynn.plugin -p no:hypothesispytest")
    pytester.makepyfile(PROJECT)
    pytester.makeconftest(
        "import pathlib, pytest\n@pytest.fixture(scope='session')\n"
        f"def runs_folder(): return pathlib.Path({str(runs_folder)!r})"
    )
    return pytester


def record_remote(folder):
    experiment = files.load("mainen_sejnowski", SHORT)
    spikes = np.array([1.5, 2.25]), np.array([0, 1])
    populations = tuple(PopulationRecording(name, 2, *spikes) for name in ("dc", "noise"))
    facts = {"versions": {"sPyNNaker": "7.4.1"}}
    recording = Recording(experiment.to_json(), experiment.digest, "spinnaker", populations, facts)
    where = baselines.place(folder, "spinnaker", experiment, "x")
    baselines.record(where, experiment, recording, potentials=0)


def test_a_session_records_replays_and_leaves_remote_baselines_alone(project):
    project.runpytest_inprocess("-W", "error").assert_outcomes(failed=2)
    record_remote(project.path)
    remote = project.path / "baselines" / "mainen_sejnowski-spinnaker.json"
    before = remote.stat().st_mtime_ns
    result = project.runpytest_inprocess("--record-baselines", "-W", "error")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines("baselines/mainen_sejnowski-nest.json: recorded")
    assert remote.stat().st_mtime_ns == before
    project.runpytest_inprocess().assert_outcomes(passed=2)
    result = project.runpytest_inprocess("--record-baselines", "-n", "2", "-p", "xdist")
    result.stdout.fnmatch_lines("baselines/mainen_sejnowski-nest.json: unchanged")


def test_live_goes_to_the_remote_backend(project, monkeypatch):
    """Not to a real one: what is asked of it is caught at its door."""
    asked = []

    def get(name, runs="runs", options=None):
        asked.append(name)
        raise backends.BackendUnavailable(f"{name}: no token")

    monkeypatch.setattr(backends, "get", get)
    result = project.runpytest_inprocess("--live", "-k", "test_remote", "-rs")
    result.assert_outcomes(skipped=1, deselected=1)
    result.stdout.fnmatch_lines("*spinnaker: no token")
    assert asked == ["spinnaker"]


def test_two_experiments_do_not_share_a_baseline(project):
    project.makepyfile(
        """
        def test_it(baseline):
            for trials in (2, 3):
                baseline("nest", "mainen_sejnowski", trials=trials, duration=20.0)
        """
    )
    result = project.runpytest_inprocess("--record-baselines")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines('*recorded from another experiment*name="..."')
