"""The pytest plugin: experiments, changed or not, run once a session and are the same for all."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import pytest_pynn
from pytest_pynn.runs import load_experiment

from pynn_model import files
from pynn_model.schema import ExperimentError

PLUGIN = str(Path(pytest_pynn.__file__).parents[1])
PLUGIN_ONLY = ["-p", "pytest_pynn.plugin", "-p", "no:hypothesispytest"]
SHORT = {"trials": 2, "duration": 20.0, "record.v": 1}

OWN_MODEL = """
import os

def build(sim, experiment):
    with open({log!r}, "a") as log:
        log.write("ran\\n")
    return sim.Population(2, sim.IF_curr_exp(i_offset=1.0), label="cells")
"""
OWN_EXPERIMENT = """
name = "own"
duration = 50.0
timestep = 0.1
seed = 1
[model]
file = "own.py"
"""


def outside(folder, *options):
    """pytest in a project elsewhere, as its user would start it."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGIN_ONLY, "-W", "error", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PLUGIN, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )


# Experiments


def test_values_are_changed_by_their_keys(tmp_path):
    changes = {
        "trials": np.int64(3),
        "name": "short",
        "neuron.parameters.tau_m": np.float64(20.5),
        "conditions.noise.currents.0.spectrum": "ou",
        "record.v": 3,
    }
    changed = load_experiment("mainen_sejnowski", changes, tmp_path)
    texts = [
        "trials=3",
        "record.v=3",
        "name=short",
        "neuron.parameters.tau_m=20.5",
        "conditions.noise.currents.0.spectrum=ou",
    ]
    assert changed.digest == files.load("mainen_sejnowski", texts).digest
    again = load_experiment(load_experiment("mainen_sejnowski", {}, tmp_path), changes, tmp_path)
    assert again.digest == changed.digest


def test_lists_are_values_too(tmp_path):
    (tmp_path / "own.toml").write_text(OWN_EXPERIMENT)
    (tmp_path / "own.py").write_text("PARAMETERS = {'a': [1, 2]}\ndef build(s, e): pass\n")
    changed = load_experiment("own.toml", {"model.parameters.a": np.array([3, 4])}, tmp_path)
    assert changed.parameters == {"a": [3, 4]}
    assert load_experiment(Path("own.toml"), {}, tmp_path).parameters == {"a": [1, 2]}


def test_wrong_changes_are_told(tmp_path):
    with pytest.raises(ExperimentError, match="did you mean tau_m"):
        load_experiment("mainen_sejnowski", {"neuron.parameters.taum": 1}, tmp_path)
    with pytest.raises(TypeError, match=r"neuron = \{\}: must be a number"):
        load_experiment("mainen_sejnowski", {"neuron": {}}, tmp_path)
    with pytest.raises(ExperimentError, match=r"missing\.toml: no such file"):
        load_experiment("missing.toml", {}, tmp_path)
    with pytest.raises(ExperimentError, match="did you mean stimuli"):
        load_experiment("stimulii", {}, tmp_path)


# Runs


@pytest.fixture(scope="module")
def shared(run_on):
    """A fixture of a wider scope can run things as well."""
    return run_on("nest", "mainen_sejnowski", **SHORT)


def test_a_run_has_all_that_a_test_may_ask_for(shared):
    assert shared.experiment.trials == 2
    assert shared.recording.digest == shared.experiment.digest
    assert (shared.folder / "log.txt").is_file()
    assert [segment.name for segment in shared.block.segments] == ["dc", "noise"]
    assert shared.block.annotations["backend"] == "nest"
    assert shared.block.annotations["run_id"] == shared.folder.name
    assert repr(shared) == "<mainen_sejnowski on nest>"


def test_no_test_can_change_what_another_one_gets(shared, run_on):
    again = run_on("nest", "mainen_sejnowski", **SHORT)
    assert again.recording is shared.recording
    assert again.block is not shared.block
    population = again.recording.populations[0]
    for array in (population.spike_times, population.spike_indices, population.v):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_an_unknown_backend_is_told_with_the_nearest_name(run_on, baseline):
    with pytest.raises(ValueError, match="run_on: nset: no such backend; did you mean nest"):
        run_on("nset", "stimuli")
    with pytest.raises(ValueError, match=r"baseline: arbor: .* no point neurons"):
        baseline("arbor", "stimuli")


TWICE = """
    import pytest

    @pytest.mark.backends("nest")
    @pytest.mark.parametrize("number", range(2))
    def test_it(backend, number, run_on, tmp_path_factory):
        run = run_on(backend, "own.toml")
        assert run.recording.populations[0].size == 2
"""


@pytest.mark.parametrize("cache", [[], ["-p", "no:cacheprovider"]], ids=["cache", "no cache"])
def test_a_run_that_two_workers_ask_for_is_made_once(pytester, cache):
    log = pytester.path / "log"
    pytester.makepyfile(TWICE, own=OWN_MODEL.format(log=str(log)))
    (pytester.path / "own.toml").write_text(OWN_EXPERIMENT)
    done = outside(pytester.path, "-n", "2", "--dist", "each", "--basetemp", "temporary", *cache)
    assert "4 passed" in done.stdout, done.stdout + done.stderr
    assert log.read_text() == "ran\n"
    assert (pytester.path / ".pytest_cache").exists() == (not cache)
    if not cache:  # another session finds it there
        done = outside(pytester.path)
        assert "2 passed" in done.stdout, done.stdout + done.stderr
        assert log.read_text() == "ran\n"


def test_a_run_that_fails_shows_its_log(pytester):
    pytester.makepyfile(TWICE, own="def build(sim, experiment):\n    raise ValueError('no cell')\n")
    (pytester.path / "own.toml").write_text(OWN_EXPERIMENT)
    pytester.makeini("[pytest]\naddopts = -p pytest_pynn.plugin -p no:hypothesispytest")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=2)
    assert "ValueError: no cell" in result.stdout.str()


# Beside a project's own folders


def test_a_projects_own_packages_stay_what_they_are(pytester):
    """Even with the names of folders in the checkout; where that cannot be, it is said."""
    for package in ("scripts", "tests", "analysis"):
        (pytester.path / package).mkdir()
        (pytester.path / package / "__init__.py").touch()
        (pytester.path / package / "own.py").write_text("VALUE = 3")
    (pytester.path / "tests" / "test_it.py").write_text(
        "from scripts.own import VALUE\n"
        "from pynn_model.experiment import Experiment\n"
        "def test_own(run_on): assert VALUE == 3\n"
        "def test_taken(): import analysis.own\n"
    )
    done = outside(pytester.path, "-p", "no:cacheprovider")
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert f"rename {pytester.path / 'analysis'}" in done.stdout


def test_another_package_of_the_name_is_refused(tmp_path, monkeypatch):
    other = ModuleType("analysis")
    other.__file__ = str(tmp_path / "analysis" / "__init__.py")
    monkeypatch.setitem(sys.modules, "analysis", other)
    before = list(sys.path)
    with pytest.raises(ImportError, match=rf"needs the package analysis of .*, but {tmp_path}"):
        pytest_pynn._import_from_checkout()
    assert sys.path == before
