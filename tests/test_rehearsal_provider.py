"""The rehearsal's provider: what it takes, runs, harvests and posts, and that it leaves nothing."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import httpx
import pytest

from backends.rehearsal import Rehearsal
from backends.rehearsal.execution import SubprocessExecutor

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def running():
    with Rehearsal("mock", log_every=0.02) as rehearsal:
        yield rehearsal


def submit(rehearsal, code, **more):
    job = {"code": code, "collab": "private-alice", "hardware_platform": "SpiNNaker", **more}
    answer = ask(rehearsal, "POST", "/jobs/", json=job)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def ask(rehearsal, method, path, **more):
    headers = {"authorization": f"Bearer {rehearsal.token()}"}
    return httpx.request(method, rehearsal.base_url + path, headers=headers, **more)


def ended(rehearsal, number, usage=True):
    """The job as a user reads it, when everything has been posted."""
    rehearsal.wait_for(number, "finished", "error")
    rehearsal.store.wait(lambda: rehearsal.job(number)["resource_usage"] is not None, 30)
    return ask(rehearsal, "GET", f"/jobs/{number}?with_log=true").json()


def outputs(rehearsal, number):
    return {path.name: path.read_bytes() for path in rehearsal.outputs(number)}


# --- running


def test_a_job_runs_as_the_real_one_does(running, monkeypatch):
    """Its command, folder, module and environment; nothing of the user's, and no token."""
    monkeypatch.setenv("EBRAINS_AUTH_TOKEN", "a secret of the user")
    code = """
import json, os, sys
import pyNN.spiNNaker as sim
print("to stdout"); print("to stderr", file=sys.stderr)
seen = {"argv": sys.argv, "files": os.listdir("."), "module": sim.__name__}
seen["environment"] = dict(os.environ)
json.dump(seen, open("seen.json", "w"))
"""
    job = ended(running, submit(running, code, command="ignored.py {system}"))
    assert job["status"] == "finished"
    assert job["log"].splitlines() == ["to stdout", "to stderr"]
    assert job["resource_usage"] == {"value": 0.01, "units": "core-hours"}
    seen = json.loads(outputs(running, job["id"])["seen.json"])
    assert seen["argv"] == ["run.py", "spiNNaker"]
    assert seen["files"] == ["run.py"]
    assert seen["module"] == "pyNN.mock"
    assert "a secret of the user" not in str(seen)
    assert not [name for name in seen["environment"] if "EBRAINS" in name]
    running.stop_provider()
    assert list((running.state / "work").iterdir()) == []


def test_new_files_are_served_by_base_name_alone(running):
    code = """
import os, py_compile
os.makedirs("deep/er"); os.makedirs("reports/1")
open("deep/er/a b.npz", "w").write("deep")
open("one.txt", "w").write("first"); open("deep/one.txt", "w").write("second")
open("reports/1/map.rpt", "w").write("cores")
py_compile.compile("run.py", "run.pyc")
"""
    job = ended(running, submit(running, code))
    urls = [item["url"] for item in job["output_data"]["files"]]
    start = f"{running.data_url}/services/rest/output/private-alice/1/"
    assert urls == [start + name for name in ("a%20b.npz", "one.txt", "reports.zip")]
    assert [list(item.values())[1:] for item in job["output_data"]["files"]] == [[None] * 4] * 3
    assert [httpx.get(url).text for url in urls[:2]] == ["deep", "first"]
    with zipfile.ZipFile(io.BytesIO(httpx.get(urls[2]).content)) as archive:
        assert archive.read("reports/1/map.rpt") == b"cores"


def test_on_the_demo_platform_data_items_are_described(running):
    number = submit(
        running, "import os\nopen('a.txt', 'w').write('hello')", hardware_platform="Demo"
    )
    (item,) = ended(running, number)["output_data"]["files"]
    assert item["path"] == "private-alice/1/a.txt"
    assert (item["size"], item["hash"]) == (5, hashlib.sha1(b"hello").hexdigest())


def test_a_script_that_fails_keeps_its_files_and_its_log(running):
    code = "import sys\nopen('partial.txt', 'w').write('half')\nraise SystemExit('out of DTCM')"
    job = ended(running, submit(running, code))
    assert job["status"] == "error"
    assert "out of DTCM" in job["log"]
    assert outputs(running, 1) == {"partial.txt": b"half"}


@pytest.mark.parametrize(
    ("code", "more", "why"),
    [
        ("https://example.com/code.zip", {}, "no script"),
        ("import x", {"hardware_config": {"timeout": "2h"}}, "whole number of hours"),
        ("import x" + " " * (1 << 20), {"hardware_platform": "Demo"}, "1048576 bytes"),
    ],
)
def test_what_the_provider_cannot_run_ends_in_error(running, code, more, why):
    job = ended(running, submit(running, code, **more))
    assert job["status"] == "error"
    assert why in job["log"]
    assert job["output_data"] is None


HANGING = """
import os, subprocess, sys
print("hanging", flush=True)
with open({fifo!r}, "w") as stream:
    command = [sys.executable, "-c", "input()"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[stream.fileno()])
    child.wait()
"""


def hanging(tmp_path):
    """A script that hangs, and a pipe that ends when it and its children are gone."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    return HANGING.format(fifo=str(fifo)), fifo


def wait_until_gone(fifo):
    with open(fifo) as stream:
        assert stream.read() == ""


def test_a_job_is_killed_with_its_children_when_its_time_is_up(tmp_path):
    code, fifo = hanging(tmp_path)
    with Rehearsal("mock", job_timeout=1.0) as running:
        number = submit(running, code)
        wait_until_gone(fifo)
        job = ended(running, number)
    assert job["status"] == "error"
    assert job["log"].splitlines()[0] == "hanging"
    assert "Killed after 1 s" in job["log"]


def test_closing_the_rehearsal_ends_its_jobs_and_its_threads(tmp_path):
    code, fifo = hanging(tmp_path)
    before = threading.active_count()
    with Rehearsal("mock") as running:
        submit(running, code)
        stream = open(fifo)  # noqa: SIM115 - opens when the job has come so far
    with stream:
        assert stream.read() == ""
    assert threading.active_count() == before
    assert not running.state.exists()


OWNER = """
import sys
import httpx
from backends.rehearsal import Rehearsal
from backends.rehearsal.execution import SubprocessExecutor
rehearsal = Rehearsal("mock").start()
job = {"code": sys.stdin.read(), "collab": "private-alice", "hardware_platform": "SpiNNaker"}
headers = {"authorization": "Bearer " + rehearsal.token()}
httpx.post(rehearsal.base_url + "/jobs/", json=job, headers=headers)
rehearsal.wait_for(1, "finished", "error")
"""


def test_a_job_does_not_outlive_a_rehearsal_that_was_killed(tmp_path):
    code, fifo = hanging(tmp_path)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=ROOT, stdin=subprocess.PIPE, env=environment
    )
    owner.stdin.write(code.encode())
    owner.stdin.close()
    with open(fifo) as stream:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert stream.read() == ""


def test_a_job_whose_provider_has_gone_already_does_not_begin(tmp_path):
    """Between the start of the process and its hold on the pipe lies the start of Python."""
    (tmp_path / "run.py").write_text("print('began')")
    theirs, ours = os.pipe()
    os.close(ours)
    with open(tmp_path / "log", "wb") as log:
        process = SubprocessExecutor("mock").begin(["run.py"], tmp_path, log, theirs)
    os.close(theirs)
    assert process.wait() != 0
    assert (tmp_path / "log").read_text() == ""


# --- what happens around a job


class Steps:
    """An executor that shows its state and goes on when it is told to."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.runs = 0

    def __call__(self, execution):
        self.runs += 1
        execution.say(f"run {self.runs}\n" + "working\n" * (3 if self.runs == 1 else 1))
        self.begun.release()
        while not self.go_on.wait(0.01):
            if execution.stop.is_set():
                return -9
        (execution.folder / "result.txt").write_text("done")
        return 0


@pytest.fixture
def steps():
    executor = Steps()
    with Rehearsal(executor=executor) as rehearsal:
        yield rehearsal, executor
        executor.go_on.set()


def test_the_states_of_a_job(steps):
    rehearsal, executor = steps
    rehearsal.stop_provider()
    number = submit(rehearsal, "import x")
    assert rehearsal.job(number)["status"] == "submitted"
    puts = len(rehearsal.requests)
    rehearsal.start_provider()
    executor.begun.acquire()
    assert rehearsal.job(number)["status"] == "running"
    executor.go_on.set()
    ended(rehearsal, number)
    calls = [(r.method, r.path) for r in rehearsal.requests[puts:] if r.who == "provider"]
    calls = [path for method, path in calls if method == "PUT"]
    assert calls == ["/jobs/1", "/jobs/1", "/jobs/1/log", "/jobs/1", "/jobs/1"]


def test_a_provider_that_starts_again_begins_the_job_anew(steps):
    rehearsal, executor = steps
    number = submit(rehearsal, "import x")
    executor.begun.acquire()
    rehearsal.stop_provider()
    first = rehearsal.job(number)
    assert first["status"] == "running"
    rehearsal.start_provider()
    executor.begun.acquire()
    assert len(rehearsal.job(number)["log"]) < len(first["log"])
    executor.go_on.set()
    assert ended(rehearsal, number)["status"] == "finished"


def test_a_deleted_job_that_runs_comes_back_to_life(steps):
    rehearsal, executor = steps
    number = submit(rehearsal, "import x")
    executor.begun.acquire()
    assert ask(rehearsal, "DELETE", f"/jobs/{number}").status_code == 200
    assert rehearsal.job(number)["status"] == "removed"
    executor.go_on.set()
    job = ended(rehearsal, number)
    assert job["status"] == "finished" and job["output_data"] is not None


def test_a_deleted_job_that_waits_is_never_run(steps):
    rehearsal, executor = steps
    rehearsal.stop_provider()
    first, second = submit(rehearsal, "import x"), submit(rehearsal, "import y")
    ask(rehearsal, "DELETE", f"/jobs/{first}")
    executor.go_on.set()
    rehearsal.start_provider()
    ended(rehearsal, second)
    assert (rehearsal.job(first)["status"], executor.runs) == ("removed", 1)


def test_a_provider_outlives_restarts_and_maintenance_of_the_queue(steps):
    rehearsal, executor = steps
    number = submit(rehearsal, "import x")
    executor.begun.acquire()
    rehearsal.stop_server()
    executor.go_on.set()
    rehearsal.misbehave("maintenance", times=2)
    rehearsal.start_server()
    assert ended(rehearsal, number)["status"] == "finished"
    assert executor.runs == 1


def test_jobs_fail_hang_and_leave_nothing_when_told_to(steps):
    rehearsal, executor = steps
    executor.go_on.set()
    rehearsal.misbehave("fail_job")
    failed = ended(rehearsal, submit(rehearsal, "import x"))
    assert failed["status"] == "error" and "MemoryError" in failed["log"]
    assert outputs(rehearsal, failed["id"]) == {"partial.txt": b"as far as it came\n"}

    rehearsal.misbehave("no_output")
    silent = ended(rehearsal, submit(rehearsal, "import x"))
    assert (silent["status"], silent["output_data"]) == ("finished", None)

    rehearsal.misbehave("garbage_output")
    garbage = ended(rehearsal, submit(rehearsal, "import x"))
    assert outputs(rehearsal, garbage["id"]) == {"result.txt": b"garbage"}

    rehearsal.misbehave("hang_job")
    runs = executor.runs
    hanging = submit(rehearsal, "import x")
    rehearsal.wait_for(hanging, "running")
    assert executor.runs == runs
    rehearsal.behave("hang_job")
    assert ended(rehearsal, hanging)["status"] == "finished"


def test_a_hanging_job_ends_when_its_time_is_up():
    with Rehearsal(executor=Steps(), job_timeout=0.05) as rehearsal:
        rehearsal.misbehave("hang_job")
        job = ended(rehearsal, submit(rehearsal, "import x"))
    assert job["status"] == "error" and "Killed after 0.05 s" in job["log"]
