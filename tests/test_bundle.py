"""The script that carries an experiment to where it runs: small, the same bytes, self-contained."""

import ast
import base64
import hashlib
import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

import backends
from backends.bundle import bundle
from pynn_model import files, packing
from pynn_model.currents import pack_samples
from pynn_model.experiment import Experiment
from pynn_model.recording import Recording

ROOT = Path(__file__).resolve().parent.parent
READY = sorted(files.ready_experiments())
SHORT = ["trials=3", "duration=200.0", "record.v=2"]
HOSTILE = "of 'some' \"user\" $HOME; ü {braces} %s"


def contents(script):
    packed = script.split('PACKED = """\n')[1].split('\n"""')[0]
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def write(folder, experiment):
    folder.mkdir(parents=True)
    (folder / "run.py").write_text(bundle(experiment), encoding="utf-8")


def run(folder, system, *options, python=(sys.executable,)):
    return subprocess.run(
        [*python, "run.py", system, *options], cwd=folder, capture_output=True, text=True
    )


def result(folder):
    """The recording, which must be the only new file."""
    (output,) = {path.name for path in folder.iterdir()} - {"run.py"}
    assert output.startswith("recording-")
    return Recording.load(str(folder / output))


def same(a, b):
    assert a.digest == b.digest
    for one, other in zip(a.populations, b.populations, strict=True):
        assert np.array_equal(one.spike_times, other.spike_times)
        assert np.array_equal(one.spike_indices, other.spike_indices)
        assert np.array_equal(one.v, other.v)
    return sum(len(population.spike_times) for population in a.populations)


def own_model():
    source = (
        'PARAMETERS = {"amplitude": 0.5}\n\n'
        "def build(sim, experiment):\n"
        '    cells = sim.Population(2, sim.IF_curr_exp(), label="mine ü")\n'
        '    sim.DCSource(amplitude=experiment.parameters["amplitude"]).inject_into(cells)\n'
        '    return {"mine": cells}\n'
    )
    data = {"name": "own", "duration": 200.0, "timestep": 0.1, "seed": 1}
    data["model"] = {"file": "own.py", "source": source, "parameters": {"amplitude": 0.9}}
    return Experiment.from_dict(data)


@pytest.mark.parametrize("name", READY)
def test_it_is_small(name):
    script = bundle(files.load(name))
    assert len(script.encode("ascii")) < 100_000


DIGESTS = """
import hashlib, json
from backends.bundle import bundle
from pynn_model import files
print({n: hashlib.sha256(bundle(files.load(n)).encode()).hexdigest() for n in sorted(READY)})
"""


def test_it_is_the_same_bytes_in_every_process():
    """Other builds of zlib may pack the same content into other bytes."""
    found = set()
    for seed in ("1", "2"):
        code = DIGESTS.replace("READY", "files.ready_experiments()")
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)
    (one,) = found
    here = hashlib.sha256(bundle(files.load("stimuli")).encode()).hexdigest()
    assert ast.literal_eval(one)["stimuli"] == here


@pytest.mark.parametrize("name", READY)
def test_it_is_python_3_8(name):
    script = bundle(files.load(name))
    ast.parse(script, feature_version=(3, 8))
    inside = contents(script)
    sources = {path: text for path, text in inside.items() if path.endswith(".py")}
    assert "pynn_model/runner.py" in sources
    for text in sources.values():
        ast.parse(text, feature_version=(3, 8))


@pytest.mark.parametrize("name", READY)
def test_it_carries_the_very_experiment_and_code(name):
    experiment = files.load(name)
    inside = contents(bundle(experiment))
    assert Experiment.from_json(packing.restore(inside.pop("experiment.json"))) == experiment
    for path, text in inside.items():
        assert (ROOT / path).read_text(encoding="utf-8") == text


def test_it_gives_the_local_runs_spikes_whatever_lies_beside_it(tmp_path):
    experiment = files.load("mainen_sejnowski", SHORT)
    local = backends.get("nest", tmp_path / "runs").submit(experiment).result()
    folder = tmp_path / HOSTILE
    write(folder, experiment)
    beside = ["nest", "numpy", "json", "zlib", "base64", "neo", "pyNN", "pynn_model", "typing"]
    for name in beside:
        (folder / f"{name}.py").write_text("raise SystemExit('shadowed')")
    done = run(folder, "nest")
    assert done.returncode == 0, done.stderr
    for name in beside:
        (folder / f"{name}.py").unlink()
    assert same(result(folder), local) > 3


def test_a_model_of_the_users_own_runs_and_twice_in_one_folder(tmp_path):
    folder = tmp_path / "there"
    write(folder, own_model())
    assert run(folder, "nest").returncode == 0
    first = result(folder)
    assert first.populations[0].name == "mine"
    assert run(folder, "nest").returncode == 0
    found = [Recording.load(str(path)) for path in folder.glob("recording-*.npz")]
    assert len(found) == 2
    assert same(*found) > 3


def test_it_unpacks_to_be_looked_at(tmp_path):
    write(tmp_path / "there", own_model())
    done = run(tmp_path / "there", "--unpack", "code")
    assert done.returncode == 0
    unpacked = tmp_path / "there" / "code" / "pynn_model" / "runner.py"
    assert unpacked.read_bytes() == (ROOT / "pynn_model" / "runner.py").read_bytes()


# --- what is missing is said in one line ---------------------------------------------------------

WITHOUT = (
    "import sys, runpy; sys.modules[{!r}] = None; sys.argv = ['run.py', 'spiNNaker'];"
    "runpy.run_path('run.py', run_name='__main__')"
)


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ([sys.executable, "-I", "-S", "run.py", "nest"], "numpy"),
        ([sys.executable, "-c", WITHOUT.format("pyNN")], "pyNN"),
        ([sys.executable, "-c", WITHOUT.format("spynnaker")], "spynnaker"),
        ([sys.executable, "run.py", "nset"], "No module named 'pyNN.nset'"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path, python, said):
    write(tmp_path / "there", own_model())
    done = subprocess.run(python, cwd=tmp_path / "there", capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith("run.py: ")
    assert said in line
    assert {path.name for path in (tmp_path / "there").iterdir()} == {"run.py"}


def test_a_failing_model_shows_its_traceback(tmp_path):
    data = own_model().to_dict()
    data["model"]["source"] = data["model"]["source"].replace("sim.DCSource", "sim.DCSauce")
    write(tmp_path / "there", Experiment.from_dict(data))
    done = run(tmp_path / "there", "nest")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert 'File "own.py", line 5, in build' in done.stderr


# --- waveforms from files ------------------------------------------------------------------------


def with_waveform(samples):
    data = files.load("mainen_sejnowski", ["trials=3"]).to_dict()
    data["conditions"][0]["currents"] = [
        {"kind": "waveform", "file": "w.csv", "dt": 0.1, "scale": 1.0, "start": 0.0}
        | pack_samples(samples)
    ]
    return Experiment.from_dict(data)


def random(n, digits):
    values = np.random.RandomState(5).standard_normal(n) * 0.1
    return values if digits is None else np.round(values, digits)


@pytest.mark.parametrize(
    ("samples", "most"),
    [
        (random(10_000, 4), 40_000),  # 12 bits each; as float64 they would take 57 kB
        (np.round(np.cumsum(random(20_000, None)) * 0.01, 5), 45_000),
        (np.repeat(random(1000, None), 10), 30_000),  # held; as float64 80 kB
    ],
)
def test_long_waveforms_take_little_room(samples, most):
    plain = len(bundle(files.load("mainen_sejnowski", ["trials=3"])))
    assert len(bundle(with_waveform(samples))) - plain < most


@pytest.mark.parametrize(
    "samples",
    [
        random(1000, None),
        random(1000, 3),
        np.array([-0.0, 0.0, 0.1, 0.2, 0.30000000000000004, 1e-9, -99.123456789]),
        np.array([5.0]),
        np.zeros(10),
        random(999, 2).reshape(333, 3),
        np.array([1e-300, 0.5, 1.0]),
    ],
)
def test_a_waveform_comes_back_to_the_last_bit(samples):
    text = with_waveform(samples).to_json()
    assert packing.restore(packing.pack(text)) == text
    assert packing.restore(text) == text


def test_a_packed_waveform_runs(tmp_path):
    experiment = with_waveform(random(10_000, 4))
    write(tmp_path / "there", experiment)
    assert run(tmp_path / "there", "mock").returncode == 0
    assert result(tmp_path / "there").digest == experiment.digest
