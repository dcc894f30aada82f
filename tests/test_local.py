"""Local runs: a subprocess and a folder each, and nothing that only looks like a result."""

import contextlib
import json
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import backends
from backends import (
    BackendUnavailable,
    JobFailed,
    JobState,
    JobTimeout,
    RunIncomplete,
    RunStore,
    UnknownBackend,
    UnsupportedExperiment,
)
from backends.local import LocalBackend, LocalSystem
from pynn_model import files
from pynn_model.experiment import Experiment

ROOT = Path(__file__).resolve().parent.parent
SHORT = ["trials=3", "duration=50.0", "record.v=1"]


def short(*changes):
    return files.load("mainen_sejnowski", [*SHORT, *changes])


def model(source, **changes):
    data = {"name": "own", "duration": 10.0, "timestep": 0.1, "seed": 1, **changes}
    data["model"] = {"file": "own.py", "source": source}
    return Experiment.from_dict(data)


@pytest.fixture
def nest(tmp_path):
    return backends.get("nest", tmp_path / "runs with a space")


def test_a_run_leaves_all_that_is_needed_to_understand_it(nest):
    experiment = short()
    job = nest.submit(experiment)
    recording = job.result()
    assert job.state() is JobState.FINISHED
    assert recording.digest == experiment.digest
    assert {p.name for p in job.folder.iterdir()} == {
        "experiment.toml",
        "run.py",
        "log.txt",
        "recording.npz",
        "provenance.json",
    }
    assert files.load(str(job.folder)).digest == experiment.digest
    provenance = json.loads((job.folder / "provenance.json").read_text())
    for key in (
        "digest",
        "versions",
        "host",
        "start",
        "end",
        "seed",
        "effective_parameters",
        "git",
    ):
        assert key in provenance
    assert provenance["effective_parameters"]["dc"]["tau_m"] == 30.0
    assert provenance["versions"]["pyNN"] == provenance["distributions"]["pyNN"]


def test_the_kept_code_runs_again_and_gives_the_same_spikes(nest, tmp_path):
    job = nest.submit(short())
    before = job.result()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "neuron.py").write_text("raise SystemExit('shadowed')")
    script = elsewhere / "run.py"
    script.write_bytes((job.folder / "run.py").read_bytes())
    subprocess.run(
        [sys.executable, "run.py", "nest"], cwd=elsewhere, check=True, capture_output=True
    )
    (output,) = elsewhere.glob("recording-*.npz")
    again = type(before).load(str(output))
    for a, b in zip(before.populations, again.populations, strict=True):
        assert np.array_equal(a.spike_times, b.spike_times)
        assert np.array_equal(a.v, b.v)


def test_the_same_run_is_served_unless_fresh(nest):
    first = nest.submit(short())
    first.result()
    marker = first.folder / "marker"
    marker.touch()
    second = nest.submit(short())
    assert second.state() is JobState.FINISHED
    assert second.run_id == first.run_id
    second.result()
    assert marker.exists()
    nest.submit(short(), fresh=True).result()
    assert not marker.exists()


def test_the_run_id_follows_experiment_backend_and_versions(nest, tmp_path, monkeypatch):
    ids = {nest.run_id(short()), nest.run_id(short("seed=2"))}
    ids.add(backends.get("neuron", tmp_path).run_id(short()))
    ids.add(nest.run_id(short(), threads=2))
    monkeypatch.setattr("backends.local.COMMON", ("numpy",))
    ids.add(nest.run_id(short()))
    assert len(ids) == 5


def test_two_runs_are_identical_and_threads_change_nothing(tmp_path):
    results = []
    for number, threads in enumerate((1, 1, 2)):
        nest = backends.get("nest", tmp_path / str(number))
        results.append(nest.submit(short(), threads=threads).result())
    for other in results[1:]:
        for a, b in zip(results[0].populations, other.populations, strict=True):
            assert np.array_equal(a.spike_times, b.spike_times)
            assert np.array_equal(a.spike_indices, b.spike_indices)
            assert np.array_equal(a.v, b.v)


def test_a_failing_model_is_a_job_failed_with_the_end_of_the_log(nest):
    experiment = model("def build(sim, experiment):\n    raise ValueError('no such cell')\n")
    job = nest.submit(experiment)
    with pytest.raises(JobFailed, match="no such cell") as caught:
        job.result()
    assert "own.py" in caught.value.log
    assert job.state() is JobState.FAILED
    assert nest.job(job.run_id).state() is JobState.FAILED
    with pytest.raises(RunIncomplete):
        RunStore(nest.store.root).find(job.run_id)


def test_a_crash_of_the_simulator_does_not_take_the_caller_along(nest):
    job = nest.submit(model("import os\ndef build(sim, experiment):\n    os.abort()\n"))
    with pytest.raises(JobFailed, match="SIGABRT"):
        job.result()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("return None", "must return the populations"),
        ("return {'a': 3}", "not a population"),
        ("return [sim.Population(1, sim.IF_curr_exp(), label='x') for _ in 'ab']", "one label"),
    ],
)
def test_a_model_that_returns_no_population_is_told_so(nest, source, words):
    with pytest.raises(JobFailed, match=words):
        nest.submit(model(f"def build(sim, experiment):\n    {source}\n")).result()


WAITS = """
import os, signal
def build(sim, experiment):
    open({ready!r}, "w").write(str(os.getpid()))
    while True:
        signal.pause()
"""


def waiting(tmp_path):
    ready = tmp_path / "ready"
    return ready, model(WAITS.format(ready=str(ready)))


def wait_for(condition):
    """Poll until `condition()` holds; fails after a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def alive(pid):
    """Whether the process is there and not a zombie."""
    status = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_waiting_can_end_before_the_job_does(nest, tmp_path):
    ready, experiment = waiting(tmp_path)
    job = nest.submit(experiment)
    with pytest.raises(JobTimeout):
        job.wait(timeout=0.1)
    assert job.state() is JobState.RUNNING
    wait_for(ready.exists)
    job.cancel()
    assert job.state() is JobState.FAILED
    wait_for(lambda: not alive(int(ready.read_text())))


def command(runs, *arguments):
    return [sys.executable, "-m", "scripts.run", "nest", *arguments, "--runs", str(runs)]


def experiment_file(tmp_path, experiment):
    folder = tmp_path / "experiment"
    folder.mkdir()
    return str(files.write(experiment, folder))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_command_leaves_no_orphan_and_no_result(tmp_path, how):
    ready, experiment = waiting(tmp_path)
    process = subprocess.Popen(
        command(tmp_path / "runs", experiment_file(tmp_path, experiment)),
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )
    wait_for(ready.exists)
    wait_for(lambda: ready.read_text())
    process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert b"interrupted" in errors
    wait_for(lambda: not alive(int(ready.read_text())))
    store = RunStore(tmp_path / "runs")
    assert store.runs() == []
    (partial,) = (p for p in store.root.iterdir() if p.name.startswith("own"))
    with pytest.raises(RunIncomplete, match="interrupted"):
        store.find(str(partial))


@pytest.mark.slow
def test_killed_at_any_moment_a_run_is_whole_or_no_result(tmp_path):
    """kill -9 of the command after 0, 0.1, 0.2 ... s until it gets through."""
    runs = tmp_path / "runs"
    for attempt in range(200):
        process = subprocess.Popen(
            command(runs, "mainen_sejnowski", "--set", "trials=3"),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        try:
            assert process.wait(timeout=0.1 * attempt) == 0
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for run in RunStore(runs).runs():
            assert len(run.recording().populations) == 2
    (run,) = RunStore(runs).runs()
    assert run.recording().populations[0].size == 3


def test_a_replaced_run_survives_a_kill_between_its_two_renames(nest):
    job = nest.submit(short())
    before = job.result()
    run = job.run
    run.path.rename(run.path.with_name(run.path.name + ".replaced"))
    again = nest.store.run(job.run_id)
    assert again.complete
    assert np.array_equal(
        again.recording().populations[0].spike_times, before.populations[0].spike_times
    )


def test_a_full_disk_is_an_error_and_leaves_no_result(tmp_path):
    """Files are limited to 100 kB, as if the disk were full; the recording has 800 kB."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        command(tmp_path / "runs", "mainen_sejnowski"),
        cwd=ROOT,
        preexec_fn=limit,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert RunStore(tmp_path / "runs").runs() == []


def test_two_processes_that_want_the_same_run_do_it_once(tmp_path):
    runs = tmp_path / "runs"
    arguments = command(runs, "mainen_sejnowski", "--set", "trials=3", "--no-figure")
    both = [subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in "ab"]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("done before" in output for output in outputs) == 1


def test_another_process_finds_the_job_again(nest):
    job = nest.submit(short())
    other = nest.job(job.run_id)
    assert other.state() is JobState.RUNNING
    job.result()
    assert other.state() is JobState.FINISHED
    assert other.result().digest == short().digest


def test_a_job_that_never_was(nest):
    with pytest.raises(RunIncomplete, match="no such run"):
        nest.job("nothing").state()


def test_a_folder_without_provenance_is_no_result(nest):
    job = nest.submit(short())
    job.result()
    (job.folder / "provenance.json").unlink()
    with pytest.raises(RunIncomplete):
        nest.store.find(job.run_id)


def test_an_unknown_backend_suggests_the_nearest():
    with pytest.raises(UnknownBackend, match="did you mean brian2"):
        backends.get("brian")
    with pytest.raises(UnknownBackend, match="no point neurons"):
        backends.get("arbor")


def test_a_missing_simulator_says_how_to_install_it(tmp_path):
    system = LocalSystem("nest", ("no-such-simulator",), "requirements-simulators.txt")
    backend = LocalBackend("gone", system, RunStore(tmp_path))
    with pytest.raises(BackendUnavailable, match=r"pip install -r requirements-simulators\.txt"):
        backend.submit(short())
    assert list(tmp_path.iterdir()) == []


def test_threads_are_refused_where_there_is_one(tmp_path):
    with pytest.raises(UnsupportedExperiment, match="threads = 2"):
        backends.get("brian2", tmp_path).check(short(), threads=2)


def test_progress_goes_from_nothing_to_all(nest):
    seen = []
    nest.submit(short()).result(progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
