"""Experiments in files: TOML, changes by --set, waveforms, a user's own model."""

import numpy as np
import pytest

from pynn_model import files, stimulus
from pynn_model.schema import ExperimentError

MINIMAL = """
name = "small"
trials = 2
duration = 10.0
timestep = 0.5
seed = 1
[neuron]
cell_type = "IF_curr_exp"
[[conditions]]
name = "one"
[[conditions.currents]]
"""
CONSTANT = 'kind = "constant"\namplitude = 0.1\n'
MODEL = 'name = "mine"\nduration = 10.0\ntimestep = 0.5\nseed = 1\n[model]\nfile = "mine.py"\n'


def write(tmp_path, text, name="small.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(path, changes=()):
    with pytest.raises(ExperimentError) as caught:
        files.load(path, changes)
    return str(caught.value)


def test_a_malformed_file_is_refused_with_its_line(tmp_path):
    path = write(tmp_path, 'name = "x"\ntrials = = 3\n')
    assert "line 2" in refused(path)
    assert path in refused(path)


def test_a_file_that_is_not_text_is_refused_with_its_line(tmp_path):
    (tmp_path / "x.toml").write_bytes(b'name = "x"\n\nb = "\xff"\n')
    assert "line 3" in refused(str(tmp_path / "x.toml"))


def test_an_unknown_name_suggests_the_nearest():
    assert "did you mean mainen_sejnowski?" in refused("mainen_sejnovski")


def test_a_condition_in_the_ready_experiment_can_be_changed():
    experiment = files.load(
        "mainen_sejnowski",
        ["conditions.noise.currents.0.stdev=0.05", "trials = 3", "neuron.parameters.tau_m=20"],
    )
    assert experiment.condition("noise").currents[0].stdev == 0.05
    assert experiment.trials == 3
    assert experiment.record.v == 3
    assert experiment.neuron.parameters["tau_m"] == 20.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("trials", "must be key=value"),
        ("conditions.nois.currents.0.stdev=1", "conditions are dc, noise"),
        ("conditions.noise.currents.0.stdef=1", "did you mean stdev?"),
        ("conditions.noise.currents.9.stdev=1", "no such place"),
        ("trials.x=1", "no such place"),
        ("neuron.cell_type=IF_curr_exq", "did you mean IF_curr_exp?"),
    ],
)
def test_a_wrong_change_is_refused(change, words):
    assert words in refused("mainen_sejnowski", [change])


@pytest.mark.parametrize("name", sorted(files.ready_experiments()))
def test_a_written_experiment_is_the_same_one(name, tmp_path):
    experiment = files.load(name)
    assert files.load(str(files.write(experiment, tmp_path))).digest == experiment.digest
    assert files.load(str(tmp_path)).digest == experiment.digest  # the folder will do


def waveform(tmp_path, file, extra=""):
    text = MINIMAL + f'kind = "waveform"\nfile = "{file}"\n{extra}'
    return write(tmp_path, text)


def test_waveforms_from_npy_and_csv_are_played_sample_by_sample(tmp_path):
    samples = np.linspace(-0.1, 0.1, 20)
    np.save(tmp_path / "w.npy", samples)
    np.savetxt(tmp_path / "w.csv", samples, header="current (nA)", comments="")
    for file in ("w.npy", "w.csv"):
        experiment = files.load(waveform(tmp_path, file))
        current = stimulus.shared_current(experiment, experiment.conditions[0])
        np.testing.assert_allclose(current, samples, atol=1e-15)


def test_a_waveform_is_held_shifted_and_scaled(tmp_path):
    np.save(tmp_path / "w.npy", np.array([1, 2]))
    experiment = files.load(waveform(tmp_path, "w.npy", "dt = 1.0\nstart = 2.0\nscale = 0.1\n"))
    current = stimulus.shared_current(experiment, experiment.conditions[0])
    expected = [0, 0, 0, 0, 0.1, 0.1, 0.2, 0.2] + 12 * [0]
    np.testing.assert_allclose(current, expected, atol=1e-15)


def test_a_waveform_with_a_column_a_trial_is_private(tmp_path):
    table = np.arange(40).reshape(20, 2) / 100
    np.save(tmp_path / "w.npy", table)
    experiment = files.load(waveform(tmp_path, "w.npy"))
    for trial in (0, 1):
        private = stimulus.private_current(experiment, experiment.conditions[0], trial)
        np.testing.assert_allclose(private, table[:, trial])


def test_waveform_contents_are_in_the_digest_and_travel_with_the_run(tmp_path):
    digests = set()
    for last in (0.1, 0.2):
        np.save(tmp_path / "w.npy", np.array([0.0, last]))
        experiment = files.load(waveform(tmp_path, "w.npy"))
        digests.add(experiment.digest)
        target = tmp_path / f"copy {last}"
        target.mkdir()
        files.write(experiment, target)
        assert files.load(str(target)).digest == experiment.digest
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("w.csv", "0.1\n0.2\nabc\n", "line 3"),
        ("w.csv", "0.1,0.2\n0.2\n", "line 2: 1 columns, but 2 before"),
        ("w.csv", "0.1\nnan\n", "sample 1 is not a finite number"),
        ("w.csv", "150\n", "pA"),
        ("w.csv", "", "no samples"),
        ("w.csv", "1,2,3\n", "has 3 columns"),
        ("w.npy", "not an array", "w.npy"),
        ("w.wav", "", "must end in"),
    ],
)
def test_a_wrong_waveform_file_is_refused(tmp_path, name, content, words):
    write(tmp_path, content, name)
    assert words in refused(waveform(tmp_path, name))


def test_a_missing_waveform_file_is_named(tmp_path):
    text = refused(waveform(tmp_path, "gone.npy"))
    assert "conditions.one.currents.0.file" in text
    assert "gone.npy" in text


def test_a_pickle_is_not_unpickled(tmp_path):
    np.save(tmp_path / "w.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "w.npy" in refused(waveform(tmp_path, "w.npy"))


def test_a_models_parameters_are_its_own_with_the_experiments_in_their_place(tmp_path):
    write(tmp_path, 'PARAMETERS = {"n": 3, "w": 0.5}\ndef build(sim, experiment): ...\n', "mine.py")
    experiment = files.load(write(tmp_path, MODEL + "[model.parameters]\nw = 1\n"))
    assert experiment.parameters == {"n": 3, "w": 1.0}


@pytest.mark.parametrize(
    ("source", "parameters", "words"),
    [
        ("def build(sim):\n    pass\n", "", "two arguments"),
        ("def bild(sim, experiment):\n    pass\n", "", "must define build"),
        ("def build(sim, experiment)\n    pass\n", "", "line 1"),
        ("PARAMETERS = {'n': 1}\ndef build(s, e): ...\n", "m = 1", "declares no such parameter"),
        ("PARAMETERS = {'n': 1}\ndef build(s, e): ...\n", 'n = "1"', "same kind"),
        ("PARAMETERS = dict(n=1)\ndef build(s, e): ...\n", "", "literal dict"),
    ],
)
def test_a_wrong_model_is_refused_without_running_it(tmp_path, source, parameters, words):
    write(tmp_path, source, "mine.py")
    assert words in refused(write(tmp_path, MODEL + f"[model.parameters]\n{parameters}\n"))


def test_a_missing_model_file_is_named(tmp_path):
    assert 'model.file = "mine.py"' in refused(write(tmp_path, MODEL))


def test_the_models_source_is_in_the_digest(tmp_path):
    digests = set()
    for value in (1, 2):
        write(tmp_path, f"X = {value}\ndef build(sim, experiment): ...\n", "mine.py")
        digests.add(files.load(write(tmp_path, MODEL)).digest)
    assert len(digests) == 2


def test_ready_experiments_are_all_there():
    assert {"mainen_sejnowski", "stimuli", "fi_curve", "noise_native", "balanced_network"} <= set(
        files.ready_experiments()
    )
