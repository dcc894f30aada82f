"""The file that crosses process and network borders."""

import io
import zipfile

import numpy as np
import pytest

from pynn_model.recording import PopulationRecording, Recording, RecordingError


def population(**changes):
    values = dict(  # noqa: C408
        name="one",
        size=3,
        spike_times=np.array([1.5, 2.0, 0.5]),
        spike_indices=np.array([0, 0, 2]),
        v=np.array([[-70.0, -70.0], [-69.5, -69.0]]),
        v_indices=np.array([0, 2]),
        v_interval=0.5,
    )
    values.update(changes)
    return PopulationRecording(**values)


def recording(*populations):
    return Recording("{}", "abc", "nest", populations or (population(),), {"seed": 1})


def test_what_is_saved_is_read_back_exactly(tmp_path):
    path = str(tmp_path / "r.npz")
    empty = population(name="none", spike_times=np.zeros(0), spike_indices=np.zeros(0, int))
    recording(population(), empty).save(path)
    read = Recording.load(path)
    assert (read.experiment, read.digest, read.backend) == ("{}", "abc", "nest")
    assert read.provenance == {"seed": 1}
    for before, after in zip((population(), empty), read.populations, strict=True):
        for key in ("spike_times", "spike_indices", "v", "v_indices"):
            assert np.array_equal(getattr(before, key), getattr(after, key))
        assert (before.name, before.size, before.v_interval) == (
            after.name,
            after.size,
            after.v_interval,
        )
    assert [p.name for p in tmp_path.iterdir()] == ["r.npz"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spike_times": np.zeros(2)}, "one length"),
        ({"spike_times": np.array([1.0, np.nan, 2.0])}, "spike time is not a finite"),
        ({"spike_indices": np.array([0, 1, 3])}, "neuron 3, but there are 3"),
        ({"v_indices": np.array([0])}, "one column"),
        ({"v": np.array([[np.inf, 0.0]])}, "potential is not a finite"),
    ],
)
def test_arrays_that_contradict_each_other_are_refused(changes, words):
    with pytest.raises(RecordingError, match=words):
        population(**changes)


@pytest.mark.parametrize("keep", [0, 10, 300, -1])
def test_a_cut_file_is_refused(tmp_path, keep):
    path = tmp_path / "r.npz"
    recording().save(str(path))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RecordingError, match=r"r\.npz"):
        Recording.load(str(path))


def test_a_damaged_byte_is_noticed(tmp_path):
    path = tmp_path / "r.npz"
    recording().save(str(path))
    data = bytearray(path.read_bytes())
    data[data.find(np.array([1.5]).tobytes())] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(RecordingError, match="damaged"):
        Recording.load(str(path))


def test_a_pickle_inside_is_refused(tmp_path):
    path = tmp_path / "r.npz"
    recording().save(str(path))
    evil = io.BytesIO()
    np.save(evil, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    entries["spike_times_0.npy"] = evil.getvalue()
    with zipfile.ZipFile(path, "w") as new:
        for name, content in entries.items():
            new.writestr(name, content)
    with pytest.raises(RecordingError):
        Recording.load(str(path))


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        Recording.load(str(tmp_path / "none.npz"))


def test_another_layout_is_refused(tmp_path, monkeypatch):
    path = str(tmp_path / "r.npz")
    monkeypatch.setattr("pynn_model.recording.FORMAT", 99)
    recording().save(path)
    monkeypatch.undo()
    with pytest.raises(RecordingError, match="layout 99"):
        Recording.load(path)
