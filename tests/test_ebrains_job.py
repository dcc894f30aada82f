"""Waiting for a job: the service, the network, the token and the job itself may fail meanwhile."""

import json

import httpx
import pytest
from queue_double import (
    EXPERIMENT,
    TOKEN,
    FakeClock,
    QueueDouble,
    answer,
    backend_on,
    item,
    npz_of,
)

from backends import JobFailed, JobState, JobTimeout, ServiceError
from backends.ebrains import JobKept, Refused, TokenSource
from backends.ebrains.clock import Backoff
from backends.ebrains.record import STATES
from pynn_model import files


@pytest.fixture
def double():
    return QueueDouble()


def submitted(double, tmp_path, clock=None, **options):
    return backend_on(double, tmp_path, clock, **options).submit(EXPERIMENT)


def provenance(job):
    return json.loads((job.folder / "provenance.json").read_text())


def test_the_result_and_where_it_came_from(double, tmp_path):
    job = submitted(double, tmp_path)
    recording = job.result()
    assert recording.backend == "ebrains-demo"
    assert recording.digest == EXPERIMENT.digest
    known = provenance(job)
    assert known["versions"] == {"sPyNNaker": "7.4"}
    assert known["log"]["end"] == "line 1\nline 2"
    assert (job.folder / "log.txt").read_text() == "line 1\nline 2\n"
    remote = known["remote"]
    assert (remote["job_id"], remote["collab"], remote["platform"]) == (1, "my-collab", "Demo")
    assert [seen["state"] for seen in remote["states"]] == double.timeline
    assert all(seen["at"].endswith("Z") for seen in remote["states"])
    assert remote["resource_usage"] == {"value": 3.5, "units": "core-hours"}
    assert remote["provenance"] == {"spinnaker_machine": "spalloc-1"}
    (output,) = remote["outputs"]
    assert len(output["sha256"]) == 64


def test_delays_grow_from_2_to_60_s_with_jitter():
    clock = FakeClock()
    steady = Backoff(2, 60, clock)
    delays = [steady.delay() for _ in range(12)]
    assert delays[0] == 2
    assert delays == sorted(delays)
    assert delays[-1] == 60
    for chance in (0.0, 1.0):
        clock.random = lambda chance=chance: chance
        wild = Backoff(2, 60, clock)
        assert all(2 <= wild.delay() <= 60 for _ in range(12))
    clock.random = iter([0.1, 0.9] * 2).__next__
    uneven = Backoff(10, 60, clock)
    assert uneven.delay() == 10
    assert uneven.delay() == pytest.approx(16 * 1.2)
    assert steady.delay(at_least=120) == 120


def test_polling_is_quick_again_after_a_change(double, tmp_path):
    clock = FakeClock()
    double.timeline = ["submitted"] * 20 + ["running"] * 2 + ["finished"]
    submitted(double, tmp_path, clock).wait()
    assert max(clock.naps) == 60
    assert clock.naps[-1] < 5


def test_six_hours_of_waiting_need_360_requests(double, tmp_path):
    clock = FakeClock()
    double.timeline = ["submitted"] * 360 + ["finished"]
    submitted(double, tmp_path, clock).wait()
    assert sum(clock.naps) > 20_000


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("timed out"),
        httpx.RemoteProtocolError("disconnected"),
        answer(500, "Internal Server Error"),
        answer(502, "bad gateway"),
        answer(503, {"error": "The service is currently down for maintenance"}),
        answer(429, "slow down"),
        answer(408, "slow"),
        answer(200, "<html>"),
        answer(200, []),
        answer(200, {"id": 17, "status": "finished"}),
        answer(200, {"id": 1}),
        answer(200, {"id": 1, "status": None}),
        httpx.Response(307, headers={"location": "/jobs/1"}),
    ],
    ids=lambda fault: repr(fault)[:40],
)
def test_waiting_survives(fault, double, tmp_path):
    job = submitted(double, tmp_path)
    double.fault("GET", "/jobs/1", fault, fault)
    assert job.result().digest == EXPERIMENT.digest
    assert double.posted == 1


def test_a_service_down_for_hours_is_waited_for(double, tmp_path):
    clock = FakeClock()
    said = []
    job = submitted(double, tmp_path, clock, said=said)
    double.fault("GET", "/jobs/1", *[answer(500, "identity service down")] * 200)
    job.result()
    assert sum(clock.naps) > 3 * 3600
    assert "trying again" in " ".join(said)


def test_a_service_down_for_more_than_a_day_is_left_and_the_job_kept(double, tmp_path):
    job = submitted(double, tmp_path)
    double.fault("GET", "/jobs/1", *[httpx.ConnectError("refused")] * 2000)
    with pytest.raises(JobKept, match="jobs resume"):
        job.wait()
    double.faults.clear()
    assert backend_on(double, tmp_path).job(job.run_id).result().digest == EXPERIMENT.digest


@pytest.mark.parametrize("asked", ["120", "Fri, 15 Jan 2027 08:02:00 GMT"])
def test_retry_after_is_honoured(asked, double, tmp_path):
    clock = FakeClock()
    assert clock.now == 1_800_000_000  # 15 Jan 2027, 08:00:00
    job = submitted(double, tmp_path, clock)
    double.fault("GET", "/jobs/1", answer(503, "busy", **{"Retry-After": asked}))
    job.wait()
    assert clock.naps[0] == pytest.approx(120)


def test_a_4xx_that_never_changes_is_raised_at_once(double, tmp_path):
    clock = FakeClock()
    job = submitted(double, tmp_path, clock)
    words = "Either there is no job with id 1, or you do not have access to it"
    double.fault("GET", "/jobs/1", answer(404, {"detail": words}))
    with pytest.raises(Refused, match=words):
        job.wait()
    assert clock.naps == []


def test_a_timeout_leaves_the_job_and_says_how_to_come_back(double, tmp_path):
    clock = FakeClock()
    double.timeline = ["submitted"]
    job = submitted(double, tmp_path, clock)
    with pytest.raises(JobTimeout, match=r"submitted after 100 s; job 1 goes on .*\n?.*resume"):
        job.result(timeout=100)
    assert sum(clock.naps) == pytest.approx(100)
    assert double.jobs[1]["status"] == "submitted"


# --- states


def test_all_seven_states_are_known():
    """The table of the API."""
    text = "submitted validated running mapped finished error removed"
    assert list(STATES) == text.split()


@pytest.mark.parametrize("word", ["compiling", "paused", "Finished"])
def test_a_state_that_appears_later_is_kept_by_its_name(word, double, tmp_path):
    double.timeline = ["submitted", word, word, "finished"]
    job = submitted(double, tmp_path)
    assert job.state() is JobState.QUEUED
    assert job.state() is JobState.RUNNING
    assert job.service_state == word
    job.result()
    assert word in [seen["state"] for seen in provenance(job)["remote"]["states"]]


def test_mapped_and_running_are_running(double, tmp_path):
    double.timeline = ["validated", "mapped", "running", "finished"]
    job = submitted(double, tmp_path)
    states = [job.state() for _ in range(4)]
    assert [state.value for state in states] == ["queued", "running", "running", "finished"]


def test_a_failed_job_brings_its_log_and_its_partial_outputs(double, tmp_path):
    double.timeline = ["submitted", "running", "error"]
    double.log = [f"step {k}\n" * 40 + "Traceback: out of memory\n" for k in (0, 0, 0)]
    double.files = {"/out/reports.zip": b"PK-not-really", "/out/partial.csv": b"1,2\n"}
    job = submitted(double, tmp_path)
    with pytest.raises(JobFailed, match="failed on Demo") as caught:
        job.result()
    assert caught.value.log.endswith("out of memory")
    assert len(caught.value.log.splitlines()) == 30
    outputs = job.folder / "outputs"
    assert (outputs / "partial.csv").read_bytes() == b"1,2\n"
    assert sorted(p.name for p in outputs.iterdir()) == ["partial.csv", "reports.zip"]
    assert job.folder.name.endswith(".partial")
    again = backend_on(double, tmp_path).job(job.run_id)
    with pytest.raises(JobFailed, match="out of memory"):
        again.result()
    assert again.state() is JobState.FAILED


def test_a_failed_job_is_submitted_again_when_it_is_asked_for_again(double, tmp_path):
    double.timeline = ["error"]
    with pytest.raises(JobFailed):
        submitted(double, tmp_path).result()
    double.timeline = ["submitted", "finished"]
    assert submitted(double, tmp_path).result().digest == EXPERIMENT.digest
    assert double.posted == 2


def test_finished_before_its_data(double, tmp_path):
    double.late_output = 5
    assert submitted(double, tmp_path).result().digest == EXPERIMENT.digest


def test_data_that_never_come_end_the_wait_and_keep_the_job(double, tmp_path):
    clock = FakeClock()
    double.items = []
    job = submitted(double, tmp_path, clock)
    with pytest.raises(ServiceError, match="data have not come"):
        job.result()
    assert 600 <= sum(clock.naps) <= 720
    double.items = None
    assert backend_on(double, tmp_path).job(job.run_id).result().digest == EXPERIMENT.digest
    assert double.posted == 1


def test_data_without_a_recording_fail_the_job_soon(double, tmp_path):
    clock = FakeClock()
    double.files = {"/out/reports.zip": b"PK"}
    with pytest.raises(JobFailed, match="there is none among its outputs"):
        submitted(double, tmp_path, clock).result()
    assert sum(clock.naps) < 100


def test_a_recording_that_comes_after_other_files(double, tmp_path):
    whole = dict(double.files)
    first = [item(f"{double.data}/out/reports.zip")]
    double.files["/out/reports.zip"] = b"PK"
    double.items = first
    clock = FakeClock()
    clock.at(12, lambda: first.append(item(double.data + next(iter(whole)))))
    job = submitted(double, tmp_path, clock)
    assert job.result().digest == EXPERIMENT.digest
    assert (job.folder / "outputs" / "reports.zip").read_bytes() == b"PK"


def test_a_result_of_another_experiment_is_refused(double, tmp_path):
    other = files.load("mainen_sejnowski", ["trials=3", "duration=100.0"])
    double.files = {path: npz_of(other) for path in double.files}
    with pytest.raises(JobFailed, match="of another experiment"):
        submitted(double, tmp_path).result()


def test_a_digest_that_only_claims_to_be_ours_is_refused(double, tmp_path):
    other = files.load("mainen_sejnowski", ["trials=3", "duration=100.0"])
    double.files = {path: npz_of(other, EXPERIMENT.digest) for path in double.files}
    with pytest.raises(JobFailed, match="another one"):
        submitted(double, tmp_path).result()


# --- removed, and back


def test_a_removed_job_ends_the_wait(double, tmp_path):
    clock = FakeClock()
    job = submitted(double, tmp_path, clock)
    double.jobs[1]["status"] = "removed"
    with pytest.raises(JobFailed, match="removed"):
        job.result()
    assert sum(clock.naps) < 120


def test_a_job_that_comes_back_to_life_is_noticed_and_followed(double, tmp_path):
    clock, said = FakeClock(), []
    job = submitted(double, tmp_path, clock, said=said)
    double.jobs[1]["status"] = "removed"
    clock.at(20, lambda: double.jobs[1].update(status="running"))
    assert job.result().digest == EXPERIMENT.digest
    assert "came back to life" in " ".join(said)
    assert "came back to life" in provenance(job)["remote"]["notes"][0]


def test_a_cancelled_job_that_comes_back_is_taken_up_instead_of_a_second_one(double, tmp_path):
    job = submitted(double, tmp_path)
    job.cancel()
    assert double.jobs[1]["status"] == "removed"
    assert job.record.ended == "removed"
    double.jobs[1]["status"] = "running"  # its provider did not know
    assert submitted(double, tmp_path).result().digest == EXPERIMENT.digest
    assert double.posted == 1


def test_a_cancelled_job_is_submitted_again_when_it_is_asked_for_again(double, tmp_path):
    job = submitted(double, tmp_path)
    job.cancel()
    again = submitted(double, tmp_path)
    assert again.job_id == 2
    assert again.record.previous == [{"job_id": 1, "tag": job_tag(double, 1), "ended": "removed"}]


def job_tag(double, number):
    return double.jobs[number]["tags"][0]


# --- logs


def test_log_lines_come_as_they_arrive_and_a_new_beginning_is_told(double, tmp_path):
    double.timeline = ["submitted", "running", "running", "running", "running", "finished"]
    double.log = ["", "a\n", "a\nb\n", "c\n", "c\nd\n", "c\nd\n"]
    job = submitted(double, tmp_path)
    pieces = []
    job.on_log = pieces.append
    job.result()
    assert pieces == ["a\n", "b\n", "--- the job began anew ---\nc\n", "d\n"]
    assert (job.folder / "log.1.txt").read_text() == "a\nb\n"
    assert (job.folder / "log.txt").read_text() == "c\nd\n"


def test_the_log_can_be_read_at_any_time(double, tmp_path):
    job = submitted(double, tmp_path)
    assert job.log() == ""
    for _ in range(3):
        job.state()
    assert job.log() == "line 1\nline 2\n"


# --- tokens


def test_a_token_that_expires_while_waiting_is_replaced(double, tmp_path):
    given = iter([TOKEN, "second-token-of-alice"])
    source = TokenSource([("token_command", lambda: next(given))])
    job = submitted(double, tmp_path, token=source)
    double.tokens = {"second-token-of-alice": "alice"}
    assert job.result().digest == EXPERIMENT.digest
    assert double.posted == 1


def test_without_a_new_token_the_wait_stops_and_the_job_is_kept(double, tmp_path):
    job = submitted(double, tmp_path)
    double.tokens = {"new": "alice"}
    with pytest.raises(JobKept) as caught:
        job.result()
    assert "refused by the service, perhaps expired" in str(caught.value)
    assert "job 1 goes on at queue.example" in str(caught.value)
    assert TOKEN not in str(caught.value)
    new = TokenSource([("EBRAINS_AUTH_TOKEN", lambda: "new")])
    later = backend_on(double, tmp_path, token=new).job(job.run_id)
    assert later.result().digest == EXPERIMENT.digest
    assert double.posted == 1


def test_a_source_that_repeats_a_refused_token_is_asked_no_more(double, tmp_path):
    job = submitted(double, tmp_path)
    double.tokens = {}
    before = len(double.requests)
    with pytest.raises(JobKept):
        job.wait()
    assert len(double.requests) == before + 1


def test_the_server_cannot_put_the_token_into_an_error(double, tmp_path):
    job = submitted(double, tmp_path)
    double.fault("GET", "/jobs/1", answer(403, {"detail": f"Bearer {TOKEN} is not welcome"}))
    with pytest.raises(Refused) as caught:
        job.state()
    assert TOKEN not in str(caught.value)
    assert "[token] is not welcome" in str(caught.value)
