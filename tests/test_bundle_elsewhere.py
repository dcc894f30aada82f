"""The script where it has to work: old and new Python, PyNN and sPyNNaker, installed for the test.

These need Python 3.8 and 3.13 and the network (about 5 minutes, 1.5 GB of disk):

    .venv/bin/python -m pytest -m slow tests/test_bundle_elsewhere.py

The interpreters are found on PATH and under ~/.pyenv; environments are made in pytest's folder.
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import spinnaker_device

from backends import spinnaker
from backends.bundle import bundle
from pynn_model import files, stimulus
from pynn_model.recording import Recording

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installed")]
READY = sorted(files.ready_experiments())
# PyNN 0.10 uses np.int, which numpy 1.24 has no more.
OLD_PYNN = ("3.8", ["setuptools<58", "wheel", "numpy<1.24", "neo", "PyNN==0.10.1"])
OLDEST = ("3.8", ["setuptools<69", "wheel", "sPyNNaker==1!7.0.0"])  # 6 is for PyNN 0.9
NEWEST = ("3.13", ["sPyNNaker"])
ACCEPTED = {  # where a ready experiment is refused as it is, as its check says
    "noise_native": ["conditions.native noise.currents.0.dt=0.1"],
    "stimuli": ["timestep=1.0", "record.v_interval=1.0"],
}


def interpreter(version):
    found = shutil.which(f"python{version}")
    if found and subprocess.run([found, "-c", ""], check=False).returncode == 0:
        return found
    (*_, path) = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return str(path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Makes an environment, once, and returns its Python."""
    made = {}

    def make(kind):
        version, packages = kind
        if version + str(packages) not in made:
            folder = tmp_path_factory.mktemp("environment")
            subprocess.run([interpreter(version), "-m", "venv", str(folder)], check=True)
            python = str(folder / "bin" / "python")
            # The first two build the others on 3.8, without isolation.
            head, tail = (packages[:2], packages[2:]) if version == "3.8" else ([], packages)
            for some in filter(None, (head, tail)):
                command = [python, "-m", "pip", "install", "-q", *some]
                if version == "3.8" and some is tail:
                    command.insert(5, "--no-build-isolation")
                subprocess.run(command, check=True)
            made[version + str(packages)] = python
        return made[version + str(packages)]

    return make


def run(python, folder, experiment, system, config=""):
    """Run the script there, with a home of its own; its recording and its log."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / ".spynnaker.cfg").touch()
    where = folder / "job"
    where.mkdir()
    (where / "run.py").write_text(bundle(experiment))
    if config:
        (where / "spynnaker.cfg").write_text(config)
    done = subprocess.run(
        [python, "run.py", system],
        cwd=where,
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (output,) = where.glob("*.npz")
    return Recording.load(str(output)), done.stdout + done.stderr, where


@pytest.mark.parametrize("name", READY)
def test_python_3_8_with_pynn_0_10(installed, tmp_path, name):
    experiment = files.load(name, [] if name == "balanced_network" else ["trials=3"])
    recording, _, where = run(installed(OLD_PYNN), tmp_path, experiment, "mock")
    assert recording.digest == experiment.digest
    assert recording.provenance["versions"]["python"].startswith("3.8.")
    assert recording.provenance["versions"]["pyNN"].startswith("0.10.")
    assert {p.name for p in where.iterdir()} == {"run.py", *(p.name for p in where.glob("*.npz"))}


@pytest.mark.parametrize("name", READY)
@pytest.mark.parametrize("kind", [OLDEST, NEWEST], ids=["oldest", "newest"])
def test_a_virtual_board_maps_it_in_one_piece(installed, tmp_path, kind, name):
    experiment = files.load(name, ACCEPTED.get(name, []))
    assert spinnaker.reasons(experiment) == []
    recording, log, _ = run(installed(kind), tmp_path, experiment, "spiNNaker-virtual")
    assert recording.digest == experiment.digest
    assert any("nothing was simulated" in note for note in recording.provenance["notes"])
    assert "Running for 1 steps" in log
    assert "hardware timestep as 1000 microseconds" in log


def test_a_core_is_sent_the_very_current_of_every_neuron_and_step(installed, tmp_path):
    """What the newest sPyNNaker writes for each core, played as the machine code plays it."""
    experiment = files.load("mainen_sejnowski")
    config = "[Reports]\nkeep_dataspec_database = True\n"
    _, _, where = run(installed(NEWEST), tmp_path, experiment, "spiNNaker-virtual", config)
    (database,) = where.rglob("ds.sqlite3")
    cores = [words for words in spinnaker_device.words(database) if len(words) > 1000]
    cost = spinnaker.cost(experiment)
    assert len(cores) == cost.cores
    trials = list(range(experiment.trials))
    expected = np.concatenate(
        [
            stimulus.shared_current(experiment, c)
            + stimulus.private_currents(experiment, c, trials)
            for c in experiment.conditions
        ]
    )
    per_core = cost.populations[0].neurons_per_core
    sent = [spinnaker_device.currents(words, per_core, experiment.n_steps) for words in cores]
    assert np.array_equal(np.concatenate(sent, axis=1).T, np.rint(expected * 32768))
