"""A project outside this repository: its tests pass, and a difference planted in them is explained.

Each step is pytest as its user starts it, in the project's folder.
"""

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pytest_pynn import baselines
from test_plugin_runs import outside

CELL = """
name = "cell"
trials = 6
duration = 400.0
timestep = 0.1
seed = 4

[neuron]
cell_type = "IF_curr_exp"

[neuron.parameters]
tau_m = 30.0
cm = 0.25
v_rest = -70.0
v_reset = -70.0
v_thresh = -53.0
tau_refrac = 2.0

[record]
spikes = true
v = 1
v_interval = 0.5

[[conditions]]
name = "noise"

[[conditions.currents]]
kind = "noise"
spectrum = "alpha"
tau = 3.0
mean = 0.2
stdev = 0.1
shared = true

[[conditions.currents]]
kind = "noise"
spectrum = "white"
stdev = 0.02
shared = false
"""

TESTS = """
import pytest

CELL = "../cell.toml"
TAU = "neuron.parameters.tau_m"
TAU_M = 30.0


@pytest.mark.backends("neuron", "nest-precise")
def test_other_simulators_give_the_spikes_of_nest(backend, run_on, assert_spiketrains_close):
    assert_spiketrains_close(run_on("nest", CELL), run_on(backend, CELL), policy=POLICY[backend])


POLICY = {"neuron": "exact", "nest-precise": "timing(1, 0.9)"}


def test_nothing_has_changed_since_it_was_reviewed(run_on, baseline, assert_spiketrains_close):
    assert_spiketrains_close(baseline("nest", CELL), run_on("nest", CELL), policy="exact")


def test_the_membrane_is_as_published(run_on, assert_potentials_close):
    mine = run_on("nest", CELL, **{TAU: TAU_M})
    assert_potentials_close(run_on("nest", CELL), mine, within=0.001)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The project, with its baseline recorded and its runs made."""
    project = tmp_path_factory.mktemp("a project of mine")
    (project / "tests").mkdir()
    (project / "cell.toml").write_text(CELL)
    (project / "tests" / "test_cell.py").write_text(TESTS)
    recorded = outside(project, "--record-baselines", "-k", "reviewed")
    assert "tests/baselines/cell-nest.json: recorded" in recorded.stdout, recorded.stdout
    return project


@pytest.fixture
def project(made, tmp_path):
    return shutil.copytree(made, tmp_path / "a project of mine")


def plant(project, old, new, file="tests/test_cell.py"):
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new))


def told(done):
    """What each failure says, without pytest's margin."""
    assert done.returncode == 1, done.stdout + done.stderr
    failures = re.split(r"^_{3,} .* _{3,}$", done.stdout, flags=re.MULTILINE)[1:]
    return ["\n".join(re.findall(r"^E   (.*)", failure, re.MULTILINE)) for failure in failures]


def test_the_project_passes(made):
    done = outside(made, "--require-backends")
    assert "4 passed" in done.stdout, done.stdout + done.stderr
    assert not list(made.rglob("*.html"))


PLANTED = """

def test_the_spikes_are_as_published(run_on, assert_spiketrains_close):
    assert_spiketrains_close(run_on("nest", CELL), run_on("nest", CELL, **{TAU: TAU_M}), "exact")
"""
TAU_M_IS_OTHER = re.compile(r"tau_m .*30\.3.*\+1 %")


def test_a_planted_difference_fails_with_a_diagnosis_and_something_to_look_at(project):
    plant(project, "TAU_M = 30.0", "TAU_M = 30.3" + PLANTED)
    done = outside(project, "--junitxml", "results/junit.xml", "-k", "published")
    assert "2 failed" in done.stdout
    spikes, potentials = told(done)
    # Spikes: the verdict with its numbers, where the runs part, and why.
    assert re.search(r"noise: FAILED: .* of \d+ and \d+ spikes match", spikes)
    assert "(every spike equal asked for)" in spikes
    assert re.search(r"First difference: noise, trial \d, spike \d+: at [\d.]+ ms", spikes)
    assert TAU_M_IS_OTHER.search(spikes)
    # Potentials: by how much, and the same reason.
    assert re.search(r"noise: max of the difference of the potentials is \d+", potentials)
    assert "allowed is 0.001 mV" in potentials
    assert TAU_M_IS_OTHER.search(potentials)
    # The reports lie beside junit's, which names them too.
    properties = ElementTree.parse(project / "results" / "junit.xml").iter("property")
    named = [p.get("value") for p in properties if p.get("name") == "pynn_comparison"]
    for text in (spikes, potentials):
        (figure,) = re.findall(r"figure: (.*\.png)", text)
        (report,) = re.findall(r"report: (.*\.html)", text)
        assert {figure, report} <= set(named)
        assert Path(report).parent == project / "results" / "comparisons"
        assert TAU_M_IS_OTHER.search(Path(report).read_text())
        assert Path(figure).with_suffix(".html") == Path(report)
        assert Path(figure).read_bytes().startswith(b"\x89PNG")


def test_a_changed_experiment_makes_the_baseline_stale(project):
    plant(project, "tau_m = 30.0", "tau_m = 31.5", "cell.toml")
    done = outside(project, "-k", "reviewed")
    assert done.returncode == 1
    assert "tests/baselines/cell-nest.json is stale:" in done.stdout
    assert "  neuron.parameters.tau_m: 30.0 → 31.5" in done.stdout
    again = "python -m pytest --record-baselines 'tests/test_cell.py::test_nothing_has_changed"
    assert again in done.stdout


def test_other_spikes_than_the_baselines_are_explained(project):
    """As with a simulator that now stamps spikes a step later, without another version."""
    path = project / "tests" / "baselines" / "cell-nest.json"
    content = json.loads(path.read_text())
    (population,) = content["populations"]
    population["spikes"] = [[time - 0.1 for time in train] for train in population["spikes"]]
    del content["sha256"]
    path.write_text(json.dumps({**content, "sha256": baselines._checksum(content)}))
    (text,) = told(outside(project, "-k", "reviewed"))
    assert "nest against nest baseline" in text
    assert "First difference: noise, trial" in text
    assert "Every spike of the other run is 1 timestep (0.1 ms) later" in text
    (path,) = re.findall(r"report: (.*\.html)", text)
    assert Path(path).is_relative_to(project / ".pytest_cache")
