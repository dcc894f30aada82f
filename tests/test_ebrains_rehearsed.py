"""The client against the rehearsal's server, over real HTTP, while that misbehaves."""

import pytest
from remote_fixtures import files_holding, rehearsal  # noqa: F401 - a fixture

from backends import BackendError, JobFailed, RunStore, ServiceError
from backends.ebrains import EbrainsBackend, JobKept, Settings, TokenSource
from backends.rehearsal.misbehaviour import KINDS
from pynn_model import files

EXPERIMENT = files.load("mainen_sejnowski", ["trials=2", "duration=100.0", "record.v=0"])

SURVIVED = {
    "drop_post_answer": {},
    "drop_answer": {"times": 2},
    "reset": {"times": 3},
    "slow": {"value": 0.3},
    "never": {"times": 1},
    "error_500": {"times": 3},
    "post_then_500": {},
    "error_503": {"value": 0.1, "times": 2},
    "error_429": {"value": 0.1, "times": 2},
    "html_answer": {},
    "restart": {"after": 1},
    "unknown_state": {"times": 3},
    "late_output": {"times": 3},
    "late_usage": {},
    "shrinking_log": {},
    "lie_path": {},
    "lie_name": {},
    "lie_type": {},
    "two_of_one_name": {},
    "inconsistent_pages": {},
    "cut_download": {"times": 2},
    "no_range": {},
}
"""Misbehaviours that delay the result, no more, with what they are given."""

ENDED = {
    "redirect_away": (BackendError, "another host"),
    "lie_size": (ServiceError, "fetched again"),
    "lie_hash": (ServiceError, "fetched again"),
    "corrupt_download": (ServiceError, "fetched again"),
    "endless_download": (ServiceError, "max_download"),
    "missing_download": (ServiceError, "404"),
    "no_output": (ServiceError, "data have not come"),
    "fail_job": (JobFailed, "failed on Demo"),
    "garbage_output": (ServiceError, "damaged"),
}
"""Misbehaviours that end the wait, each with an error that says what it is."""

FAR_AWAY = {"maintenance", "identity_down", "expire_tokens", "hang_job"}
"""Those with a test of their own."""


def backend(queue, folder, token=None, said=None, **changes):
    settings = Settings(
        **{
            "base_url": queue.base_url,
            "poll_first": 0.02,
            "poll_last": 0.1,
            "settle": 0.4,
            "output_wait": 0.5,
            "removed_wait": 0.1,
            "patience": 8.0,
            "request_timeout": 0.8,
            "max_download": 1_000_000,
            **changes,
        }
    )
    source = TokenSource([("test", token or queue.token)])
    notice = (said if said is not None else []).append
    return EbrainsBackend("ebrains-demo", "Demo", RunStore(folder), settings, source, notice=notice)


def test_each_misbehaviour_has_a_test():
    assert set(SURVIVED) | set(ENDED) | FAR_AWAY == set(KINDS)


@pytest.mark.parametrize("name", SURVIVED)
def test_it_costs_time_only(name, rehearsal, tmp_path):  # noqa: F811
    rehearsal.misbehave(name, **SURVIVED[name])
    job = backend(rehearsal, tmp_path / "runs").submit(EXPERIMENT)
    assert job.result(timeout=10).digest == EXPERIMENT.digest
    assert len(rehearsal.jobs) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]
    inside = {p.name for p in (job.folder / "outputs").iterdir()}
    assert len(inside) == (2 if name == "two_of_one_name" else 1)


@pytest.mark.parametrize("name", ENDED)
def test_it_ends_the_wait_and_nothing_is_lost(name, rehearsal, tmp_path):  # noqa: F811
    error, words = ENDED[name]
    there = backend(rehearsal, tmp_path)
    rehearsal.misbehave(name)
    with pytest.raises(error, match=words):
        there.submit(EXPERIMENT).result(timeout=10)
    assert len(rehearsal.jobs) <= 1
    rehearsal.behave()
    if name in ("fail_job", "garbage_output", "no_output"):
        return  # the job itself has no result
    assert there.submit(EXPERIMENT).result(timeout=10).digest == EXPERIMENT.digest
    assert len(rehearsal.jobs) == 1


@pytest.mark.parametrize("name", ["maintenance", "identity_down"])
def test_a_service_that_is_away_for_a_while(name, rehearsal, tmp_path):  # noqa: F811
    """It is back when the client has tried three times."""
    said = []

    class Listening(list):
        def append(self, text):
            said.append(text)
            if len(said) == 3:
                rehearsal.behave()

    rehearsal.misbehave(name)
    job = backend(rehearsal, tmp_path, said=Listening()).submit(EXPERIMENT)
    assert job.result(timeout=10).digest == EXPERIMENT.digest
    assert any("trying again" in text for text in said)
    assert len(rehearsal.jobs) == 1


def test_a_service_that_goes_away_while_a_job_is_waited_for(rehearsal, tmp_path):  # noqa: F811
    rehearsal.misbehave("hang_job")
    said = []

    class Listening(list):
        def append(self, text):
            said.append(text)
            if sum("trying again" in entry for entry in said) == 3:
                rehearsal.behave()
                rehearsal.stop_provider()
                rehearsal.start_provider()

    job = backend(rehearsal, tmp_path, said=Listening()).submit(EXPERIMENT)
    rehearsal.wait_for(1, "running")
    rehearsal.misbehave("identity_down")
    assert job.result(timeout=10).digest == EXPERIMENT.digest


def test_a_job_that_hangs_is_left_after_the_time_and_can_be_cancelled(rehearsal, tmp_path):  # noqa: F811
    rehearsal.misbehave("hang_job")
    job = backend(rehearsal, tmp_path).submit(EXPERIMENT)
    rehearsal.wait_for(1, "running")
    with pytest.raises(BackendError, match=r"running after 0\.3 s"):
        job.result(timeout=0.3)
    job.cancel()
    assert rehearsal.job(1)["status"] == "removed"
    rehearsal.behave()
    rehearsal.stop_provider()


def test_expired_tokens_are_renewed(rehearsal, tmp_path):  # noqa: F811
    job = backend(rehearsal, tmp_path).submit(EXPERIMENT)
    rehearsal.misbehave("expire_tokens")
    assert job.result(timeout=10).digest == EXPERIMENT.digest
    assert len(rehearsal.jobs) == 1


def test_a_token_that_cannot_be_renewed_keeps_the_job(rehearsal, tmp_path):  # noqa: F811
    token = rehearsal.token()
    job = backend(rehearsal, tmp_path, lambda: token).submit(EXPERIMENT)
    rehearsal.misbehave("expire_tokens")
    with pytest.raises(JobKept, match="resume"):
        job.result(timeout=10)
    later = backend(rehearsal, tmp_path).job(job.run_id)
    assert later.result(timeout=10).digest == EXPERIMENT.digest
    assert len(rehearsal.jobs) == 1
    assert files_holding(tmp_path, token) == []


def test_the_page_of_a_job_among_many(rehearsal, tmp_path):  # noqa: F811
    """The tag is found on a later page, while the pages overlap."""
    rehearsal.stop_provider()
    there = backend(rehearsal, tmp_path)
    client = there.client()
    body = {"code": "import x", "collab": "private-alice", "hardware_platform": "Demo"}
    for number in range(45):
        client.submit_once({**body, "tags": ["mine", f"n{number}"]})
    rehearsal.misbehave("inconsistent_pages")
    assert len(client.tagged("mine")) == 45
