"""The commands for remote jobs, as a user types them."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from remote_fixtures import files_holding, processes_holding, rehearsal  # noqa: F401 - a fixture

ROOT = Path(__file__).resolve().parent.parent
CHANGES = ["--set", "trials=2", "--set", "duration=100.0", "--set", "record.v=0"]
EXPERIMENT = ["mainen_sejnowski", *CHANGES]


class User:
    """Somebody with a token, a folder for the runs, and a terminal."""

    def __init__(self, queue, folder):
        self.queue, self.runs = queue, folder / "runs"
        self.token = queue.token()
        self.environment = {
            **{key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ},
            "HOME": str(folder),
            "MPLCONFIGDIR": str(folder / "mpl"),
            "EBRAINS_AUTH_TOKEN": self.token,
            "EBRAINS_BASE_URL": queue.base_url,
            "EBRAINS_POLL_FIRST": "0.05",
            "EBRAINS_POLL_LAST": "0.1",
        }
        self.said = ""

    def start(self, name, *arguments):
        runs = [] if name == "queue" else ["--runs", str(self.runs)]
        return subprocess.Popen(
            [sys.executable, "-m", f"scripts.{name}", *arguments, *runs],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def type(self, name, *arguments, status=0, traceback=False):
        with self.start(name, *arguments) as process:
            assert processes_holding(self.token) == []
            output, errors = process.communicate()
        self.said += output + errors
        assert process.returncode == status, errors
        assert ("Traceback" in errors) == traceback
        return output, errors


@pytest.fixture
def user(rehearsal, tmp_path):  # noqa: F811
    somebody = User(rehearsal, tmp_path)
    yield somebody
    assert somebody.token not in somebody.said
    assert files_holding(tmp_path, somebody.token) == []


def test_submit_leave_come_back_and_draw(user):
    user.queue.stop_provider()
    output, _ = user.type("submit", "ebrains-demo", *EXPERIMENT, "--json")
    told = json.loads(output)
    assert (told["job_id"], told["state"], told["collab"]) == (1, "submitted", "private-alice")
    run = told["run"]

    table, _ = user.type("jobs")
    head, row = table.splitlines()
    assert head.split() == ["run", "job", "state", "age", "platform"]
    assert re.fullmatch(rf"{run} +1 +submitted +\d+ (s|min) +Demo", row)

    _, errors = user.type("jobs", "fetch", run, status=1)
    assert f"job 1 goes on at 127.0.0.1:{user.queue.base_url.rsplit(':')[-1]}" in errors
    _, errors = user.type("jobs", "wait", run, "--timeout", "0.2", status=1)
    assert "submitted after 0.2 s" in errors

    user.queue.start_provider()
    output, errors = user.type("jobs", "resume")
    assert f"{run}: fetched" in output
    assert "step 2" in errors  # the log, as it arrived
    assert "fetched" in user.type("jobs")[0]
    assert user.type("jobs", "resume")[0].startswith("nothing unfinished")
    assert user.type("jobs", "log", run)[0].endswith("saved the recording\n")
    shown = json.loads(user.type("jobs", "show", run, "--json")[0])
    assert shown["complete"]
    assert [seen["state"] for seen in shown["states"]][-1] == "finished"

    output, _ = user.type("run", "ebrains-demo", *EXPERIMENT)
    assert "done before" in output
    assert (user.runs / run / "figures").is_dir()
    assert len(user.queue.jobs) == 1


def test_run_submits_waits_and_draws(user):
    output, errors = user.type("run", "ebrains-demo", *EXPERIMENT, "--json")
    told = json.loads(output)
    assert told["state"] == "finished"
    assert Path(told["figures"][0]).read_bytes().startswith(b"\x89PNG")
    assert "job 1: " in errors


def test_ctrl_c_leaves_the_job_and_says_how_to_come_back(user):
    user.queue.misbehave("hang_job")
    with user.start("run", "ebrains-demo", *EXPERIMENT) as process:
        first = process.stderr.readline()
        assert "job 1 is in the queue of Demo" in first
        while "running" not in process.stderr.readline():
            continue
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in errors
    again = re.search(r"python -m scripts\.(jobs) (resume) (\S+) --runs (\S+)", errors)
    assert again is not None
    assert user.queue.job(1)["status"] == "running"
    user.queue.behave()
    user.queue.stop_provider()
    user.queue.start_provider()
    assert "fetched" in user.type("jobs", "resume", again[3])[0]
    assert len(user.queue.jobs) == 1


def test_cancel(user):
    user.queue.stop_provider()
    run = json.loads(user.type("submit", "ebrains-demo", *EXPERIMENT, "--json")[0])["run"]
    output, _ = user.type("jobs", "cancel", run)
    assert "removed" in output
    assert user.queue.job(1)["status"] == "removed"
    _, errors = user.type("jobs", "resume", status=1)
    assert "cancelled" in errors


def test_a_failed_job_is_told_with_its_log(user):
    user.queue.misbehave("fail_job")
    _, errors = user.type("run", "ebrains-demo", *EXPERIMENT, status=1, traceback=True)
    assert "--- end of the log ---" in errors
    rows = json.loads(user.type("jobs", "--json")[0])
    assert rows[0]["state"] == "failed"


def test_queue_tells_length_status_and_quota(user):
    output, _ = user.type("queue")
    assert "SpiNNaker" in output
    assert "collab:  private-alice" in output
    found = json.loads(user.type("queue", "--json")[0])
    assert found["status"] == "ok"
    assert found["version"] == "3"
    assert {queue["queue_name"] for queue in found["queues"]} >= {"SpiNNaker"}


def test_without_a_token_the_queue_is_still_told_and_the_list_is_the_last_known(user):
    user.queue.stop_provider()
    user.type("submit", "ebrains-demo", *EXPERIMENT)
    del user.environment["EBRAINS_AUTH_TOKEN"]
    assert "no EBRAINS token" in user.type("queue")[0]
    table, errors = user.type("jobs")
    assert "submitted (last known)" in table
    assert "no EBRAINS token" in errors
    _, errors = user.type("jobs", "resume", status=1)
    assert "EBRAINS_AUTH_TOKEN" in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("submit", "nest", "mainen_sejnowski"), "python -m scripts.run nest"),
        (("submit", "ebrains-dmo", "mainen_sejnowski"), "did you mean ebrains-demo?"),
        (("run", "nest", "mainen_sejnowski", "--collab", "x"), "no options of a remote service"),
        (("jobs", "show", "none"), "no such remote run"),
        (("jobs", "show"), "name one run"),
        (("jobs", "shw"), "shw"),
        (("submit", "ebrains-demo", "stimuli", "--base-url", "http://h.org"), "https only"),
        (("submit", "ebrains-demo", "stimuli", "--settings", "/none.toml"), "cannot be read"),
    ],
)
def test_bad_input_ends_with_2_and_names_it(arguments, words, user):
    _, errors = user.type(*arguments, status=2)
    assert words in errors
    assert user.queue.jobs == []


def test_a_platform_of_the_settings_is_a_backend(user, tmp_path):
    settings = tmp_path / "s.toml"
    settings.write_text('[platforms]\nmy-demo = "Demo"\n')
    user.queue.stop_provider()
    given = ("my-demo", *EXPERIMENT, "--settings", str(settings), "--json")
    told = json.loads(user.type("submit", *given)[0])
    assert (told["backend"], told["platform"]) == ("my-demo", "Demo")


@pytest.mark.parametrize("name", ["submit", "jobs", "queue"])
def test_help_shows_an_example(name):
    command = [sys.executable, "-m", f"scripts.{name}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"example:\n  python -m scripts.{name}" in done.stdout
    assert "--token" not in done.stdout
