"""kill -9 at every step of submitting, waiting and fetching; `jobs resume` ends in the result.

The steps are walked through: the command is killed at its first step on the file system or the
network, then, in a new folder, at its second, and so on, until it gets through unharmed. The same
with every request, before it is taken, before it is answered, and in the middle of the answer.
"""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kill_server import Server
from queue_double import EXPERIMENT, TOKEN

from pynn_model.recording import Recording

ROOT = Path(__file__).resolve().parent.parent
CHANGES = ["--set", "trials=2", "--set", "duration=100.0", "--set", "record.v=0"]
SUBMIT = ["ebrains-demo", "mainen_sejnowski", *CHANGES]


class Helper:
    def __init__(self, server):
        self.server = server
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "kill_helper.py")],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder, command, arguments, kill_at=None):
        """The exit status; negative where a signal ended it."""
        environment = {
            "RUNS": str(folder),
            "EBRAINS_AUTH_TOKEN": TOKEN,
            "EBRAINS_BASE_URL": self.server.base,
            "EBRAINS_COLLAB": "my-collab",
            "EBRAINS_POLL_FIRST": "0.01",
            "EBRAINS_POLL_LAST": "0.02",
            "EBRAINS_SETTLE": "0.05",
            "EBRAINS_PATIENCE": "5",
        }
        order = {
            "command": command,
            "arguments": [*arguments, "--runs", str(folder)],
            "environment": environment,
            "output": str(folder.parent / f"{folder.name}.out"),
            "kill_at": kill_at,
        }
        self.server.victim = self._say(order)["process"]
        status = self._say({})["status"]
        self.server.victim = None
        return status

    def _say(self, order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def helper(server):
    helper = Helper(server)
    yield helper
    helper.close()


def check_result(folder, server):
    """The one result, of the one job, and nothing left over that looks unfinished."""
    told = (folder.parent / f"{folder.name}.out").read_text()
    assert TOKEN not in told
    assert len(server.double.jobs) == 1, told
    names = [p.name for p in folder.iterdir() if not p.name.startswith(".")]
    assert len(names) == 1, (names, told)
    (run,) = (folder / name for name in names)
    assert Recording.load(str(run / "recording.npz")).digest == EXPERIMENT.digest
    provenance = json.loads((run / "provenance.json").read_text())
    assert provenance["remote"]["job_id"] == 1
    assert not list(run.rglob("*.part"))
    for path in folder.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def come_back(helper, server, folder):
    """What a user does: resume; where nothing was prepared yet, there is nothing to resume."""
    server.kill_at = None
    if not list(folder.glob("[!.]*/job.json")):
        assert server.double.posted == 0
        assert helper.run(folder, "submit", SUBMIT) == 0
    assert helper.run(folder, "jobs", ["resume"]) == 0, (
        folder.parent / f"{folder.name}.out"
    ).read_text()
    check_result(folder, server)


def walk(helper, server, tmp_path, command, arguments, prepare):
    """Kill the command at its 1st, 2nd, ... step; returns the number of steps it has."""
    step = 0
    while True:
        step += 1
        folder = tmp_path / f"{step:03d}"
        folder.mkdir()
        server.reset()
        prepare(folder)
        status = helper.run(folder, command, arguments, kill_at=step)
        if status != -signal.SIGKILL:
            assert status == 0
            return step - 1
        come_back(helper, server, folder)


def test_killed_at_each_step_of_submitting(helper, server, tmp_path):
    steps = walk(helper, server, tmp_path, "submit", SUBMIT, lambda folder: None)
    assert steps > 10


def test_killed_at_each_step_of_waiting_and_fetching(helper, server, tmp_path):
    server.reset()
    submitted = tmp_path / "submitted"
    submitted.mkdir()
    assert helper.run(submitted, "submit", SUBMIT) == 0
    jobs = server.double.jobs

    def prepare(folder):
        shutil.copytree(submitted, folder, dirs_exist_ok=True)
        server.double.take(jobs)

    steps = walk(helper, server, tmp_path, "jobs", ["resume"], prepare)
    assert steps > 20


@pytest.mark.parametrize("moment", ["before", "after", "during"])
def test_killed_at_each_request(moment, helper, server, tmp_path):
    number = 0
    while True:
        number += 1
        folder = tmp_path / f"{number:03d}"
        folder.mkdir()
        server.reset()
        server.kill_at = (number, moment)
        first = helper.run(folder, "submit", SUBMIT)
        second = 0
        if first == 0:
            second = helper.run(folder, "jobs", ["resume"])
        if (first, second) == (0, 0):
            check_result(folder, server)
            break
        assert -signal.SIGKILL in (first, second)
        come_back(helper, server, folder)
    assert number > 5


def test_killed_again_and_again_while_coming_back(helper, server, tmp_path):
    """Each attempt gets one request further, from the POST on."""
    folder = tmp_path / "runs"
    folder.mkdir()
    server.reset()
    server.kill_at = (1, "after")
    assert helper.run(folder, "submit", SUBMIT) == -signal.SIGKILL
    for step in range(3, 60, 3):
        if helper.run(folder, "jobs", ["resume"], kill_at=step) == 0:
            break
    server.kill_at = None
    assert helper.run(folder, "jobs", ["resume"]) == 0
    check_result(folder, server)
