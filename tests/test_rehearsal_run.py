"""The backend "rehearsal" and the command that keeps one up."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from remote_fixtures import TOKEN_START, files_holding

import backends
from backends import RunIncomplete
from backends.ebrains import RemoteJob
from pynn_model import files

ROOT = Path(__file__).resolve().parent.parent


def small():
    return files.load("mainen_sejnowski", ["trials=3", "duration=200.0", "record.v=1"])


def test_a_rehearsal_gives_what_nest_gives(tmp_path):
    """The accepted one: every spike and every potential, by way of the queue."""
    experiment = files.load("mainen_sejnowski")
    remote = backends.get("rehearsal", tmp_path).submit(experiment)
    log = []
    remote.on_log = log.append
    rehearsed = remote.result()
    local = backends.get("nest", tmp_path).submit(experiment).result()
    assert sum(len(p.spike_times) for p in local.populations) > 500
    for one, other in zip(local.populations, rehearsed.populations, strict=True):
        assert one.name == other.name
        for field in ("spike_times", "spike_indices", "v", "v_indices"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    provenance = json.loads((remote.folder / "provenance.json").read_text())
    assert provenance["remote"]["job_id"] == 1
    assert "saved recording-" in "".join(log)
    # Nothing is left but the run, and it is served from then on.
    assert list((tmp_path / ".rehearsal").glob("*/*")) == []
    assert files_holding(tmp_path, TOKEN_START) == []
    again = backends.get("rehearsal", tmp_path).submit(experiment)
    assert again.served and again.result().digest == experiment.digest


def test_what_was_interrupted_is_gone_on_with(tmp_path, monkeypatch):
    experiment = small()
    backend = backends.get("rehearsal", tmp_path)
    with monkeypatch.context() as patched:

        def interrupted(*_):
            raise KeyboardInterrupt

        patched.setattr(RemoteJob, "result", interrupted)
        first = backend.submit(experiment)
        with pytest.raises(KeyboardInterrupt):
            first.result()
    assert first._job.job_id == 1
    second = backend.job(first.run_id)
    assert second._stage.rehearsal.store.all("job")[0]["id"] == 1
    second.result()
    provenance = json.loads((second.folder / "provenance.json").read_text())
    assert provenance["remote"]["job_id"] == 1


def test_a_run_that_is_none(tmp_path):
    with pytest.raises(RunIncomplete):
        backends.get("rehearsal", tmp_path).job("nothing")


# --- the command


@pytest.fixture
def serve(tmp_path):
    """Starts `rehearse serve` and gives the process and what it said of itself."""
    processes = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.rehearse", "serve", "--json", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        processes.append(process)
        return process, json.loads(process.stdout.readline())

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def typed(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_serve_is_used_with_what_it_shows_and_obeys(serve, tmp_path):
    process, shown = serve("--misbehave", "error_429=3@1*1", "--system", "mock")
    with httpx.Client(
        base_url=shown["base_url"], headers={"authorization": f"Bearer {shown['token']}"}
    ) as client:
        assert [client.get("/jobs/").status_code for _ in range(3)] == [200, 429, 200]
        assert typed(process, "misbehave expire_tokens") == "misbehaving: expire_tokens="
        assert client.get("/jobs/").status_code == 401
        client.headers["authorization"] = f"Bearer {typed(process, 'token bob 60')}"
        assert client.get("/jobs/?user_id=bob").status_code == 200
        assert typed(process, "restart") == "misbehaving: no"
        assert client.get("/jobs/?user_id=bob").status_code == 200
    assert typed(process, "jobs") == "no jobs"
    assert typed(process, "misbehave nonsense").startswith("error: nonsense: no such misbehaviour")
    assert files_holding(tmp_path, TOKEN_START) == []
    typed(process, "quit")
    assert process.wait() == 0
    assert list(tmp_path.glob("rehearsal-*")) == []


def test_serve_cleans_up_when_it_is_told_to_end(serve, tmp_path):
    process, _ = serve()
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert list(tmp_path.glob("rehearsal-*")) == []


def test_serve_refuses_what_is_no_misbehaviour(capsys):
    from scripts import rehearse

    with pytest.raises(ValueError, match="no such misbehaviour"):
        rehearse.main(["serve", "--misbehave", "nonsense"])
    assert rehearse.main(["kinds"]) == 0
    assert "drop_post_answer" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--port", "--data-port"])
def test_an_impossible_port_is_refused(option, capsys):
    from scripts import rehearse

    with pytest.raises(SystemExit) as caught:
        rehearse.main(["serve", option, "65536"])
    assert caught.value.code == 2
    assert f"{option} 65536: must be 0 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "provider", "found"),
    [
        ("rehearsal", None, "rehearsal"),
        ("rehearsal", "nest", "rehearsal"),
        ("rehearsal", "spinnaker-twin", "rehearsal-spinnaker-twin"),
        ("rehearsal", "spinnaker-emulator", "rehearsal-spinnaker-emulator"),
        ("nest", None, "nest"),
    ],
)
def test_a_rehearsal_can_have_another_provider(name, provider, found):
    assert backends.rehearsed_by(name, provider) == found
    assert found in backends.BACKENDS


def test_a_provider_that_is_not_there_is_named():
    with pytest.raises(backends.UnknownBackend, match="did you mean spinnaker-twin"):
        backends.rehearsed_by("rehearsal", "spinaker-twin")
    with pytest.raises(backends.UnknownBackend, match="only the backend rehearsal"):
        backends.rehearsed_by("nest", "spinnaker-twin")
