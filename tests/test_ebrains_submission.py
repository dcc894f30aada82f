"""Submitting to the queue: once, whatever happens to the request, the answer or the process."""

import json

import httpx
import pytest
from queue_double import EXPERIMENT, TOKEN, FakeClock, QueueDouble, answer, backend_on

from backends import BackendError, JobState, JobTimeout, RunIncomplete
from backends.ebrains import JobKept, JobRecord, Refused, SettingsError
from backends.ebrains.submission import Submission

REFUSED_CONNECTION = httpx.ConnectError("connection refused")
LOST = httpx.ReadError("connection reset by peer")
LATE = httpx.ReadTimeout("timed out")


@pytest.fixture
def double():
    return QueueDouble()


def test_the_folder_and_the_tag_are_on_the_disk_before_the_post(double, tmp_path):
    backend = backend_on(double, tmp_path)
    seen = {}

    def look(request):
        (folder,) = tmp_path.glob("*.partial")
        seen.update(json.loads((folder / "job.json").read_text()))
        assert (folder / "experiment.toml").is_file()
        assert (folder / "run.py").read_text() == json.loads(request.content)["code"]
        return double._queue(request)

    double.fault("POST", "/jobs/", look)
    job = backend.submit(EXPERIMENT)
    assert seen["job_id"] is None
    assert seen["attempts"] == [{"at": seen["attempts"][0]["at"], "outcome": ""}]
    assert double.jobs[1]["tags"] == [seen["tag"]]
    assert job.job_id == 1
    assert not job.served


def test_what_is_sent_is_what_the_service_asks_for(double, tmp_path):
    config = {"timeout": 2}
    backend = backend_on(double, tmp_path, tags=("thesis",), hardware_config=config)
    backend.submit(EXPERIMENT)
    job = double.jobs[1]
    assert job["collab"] == "my-collab"
    assert job["hardware_platform"] == "Demo"
    assert job["hardware_config"] == config
    assert job["tags"][1:] == ["thesis"]
    assert len(job["code"]) < 100_000


@pytest.mark.parametrize(
    "fault",
    [
        "drop",
        REFUSED_CONNECTION,
        LOST,
        LATE,
        answer(500, "Internal Server Error"),
        answer(502, "<html>Bad Gateway</html>"),
        answer(503, {"error": "The service is currently in read-only mode for maintenance"}),
        answer(429, {"detail": "slow down"}, **{"Retry-After": "7"}),
        answer(200, "<html>please log in</html>"),
        answer(201, {"status": "submitted"}),
        httpx.Response(307, headers={"location": "https://queue.example/jobs/"}),
    ],
    ids=lambda fault: repr(fault)[:40],
)
def test_one_job_whatever_happens_to_the_post(fault, double, tmp_path):
    double.fault("POST", "/jobs/", fault)
    job = backend_on(double, tmp_path).submit(EXPERIMENT)
    assert double.posted == 1
    assert job.job_id == 1
    assert len(job.result().populations) == 2


def test_a_lost_answer_is_looked_for_by_tag_and_not_posted_again(double, tmp_path):
    double.fault("POST", "/jobs/", "drop")
    backend_on(double, tmp_path).submit(EXPERIMENT)
    assert double.count("POST") == 1
    assert double.count("GET", "/jobs/") >= 1


def test_a_list_that_lags_behind_is_given_time(double, tmp_path):
    double.fault("POST", "/jobs/", "drop")
    double.hide_lists = 4
    clock = FakeClock()
    backend_on(double, tmp_path, clock).submit(EXPERIMENT)
    assert double.posted == double.count("POST") == 1
    assert sum(clock.naps) <= 30


def test_a_post_that_arrives_late_is_found(double, tmp_path):
    """Our side gives up; the service takes the job 20 s later."""
    clock = FakeClock()

    def late(request):
        clock.at(20, lambda: double._queue(request))
        raise httpx.ReadTimeout("timed out")

    double.fault("POST", "/jobs/", late)
    job = backend_on(double, tmp_path, clock).submit(EXPERIMENT)
    assert double.count("POST") == 1
    assert job.job_id == 1


def test_a_post_that_arrives_very_late_is_taken_back(double, tmp_path):
    """Later than any patience: there are two jobs then, and the younger one is removed."""
    clock = FakeClock()

    def very_late(request):
        clock.at(31, lambda: double._queue(request))
        raise httpx.ReadTimeout("timed out")

    double.fault("POST", "/jobs/", very_late)
    job = backend_on(double, tmp_path, clock).submit(EXPERIMENT)
    clock.sleep(60)
    assert double.posted == 2
    job.result()
    assert [double.jobs[n]["status"] for n in (1, 2)] == ["finished", "removed"]
    assert job.job_id == 1


def test_the_job_is_found_on_any_page_and_counted_once(double, tmp_path):
    """Pages are shorter than asked for, and overlap."""
    double.page_cap = 3
    body = {"code": "import x", "collab": "my-collab", "hardware_platform": "Demo", "tags": ["tt"]}
    client = backend_on(double, tmp_path).client()
    for _ in range(8):
        client.submit_once(body)
    assert [job["id"] for job in client.tagged("tt")] == list(range(1, 9))


def test_jobs_added_while_paging_are_no_doubles(double, tmp_path):
    client = backend_on(double, tmp_path).client()
    body = {"code": "import x", "collab": "my-collab", "hardware_platform": "Demo", "tags": ["tt"]}
    double.page_cap = 2
    for _ in range(5):
        client.submit_once(body)

    def one_more(request):
        response = double._queue(request)
        double._post(httpx.Request("POST", "https://q/jobs/", json=body), "alice")
        return response

    double.fault("GET", "/jobs/", one_more, one_more)
    numbers = [job["id"] for job in client.tagged("tt")]
    assert numbers == sorted(set(numbers))
    assert set(range(1, 6)) <= set(numbers)


def test_a_list_that_never_ends_is_left(double, tmp_path):
    client = backend_on(double, tmp_path).client()
    body = {"code": "import x", "collab": "my-collab", "hardware_platform": "Demo", "tags": ["tt"]}
    client.submit_once(body)
    double.fault("GET", "/jobs/", *[answer(200, [double.jobs[1]])] * 20)
    assert len(client.tagged("tt")) == 1


def test_the_job_of_a_colleague_with_the_same_folder_is_found_in_the_collab(double, tmp_path):
    double.fault("POST", "/jobs/", "drop")
    double.hide_lists = 1000
    with pytest.raises(JobKept):
        double.fault("GET", "/jobs/", *[answer(500, "down")] * 1000)
        backend_on(double, tmp_path).submit(EXPERIMENT)
    double.hide_lists = 0
    double.faults.clear()
    double.tokens = {TOKEN: "bob"}
    job = backend_on(double, tmp_path).submit(EXPERIMENT)
    assert double.posted == 1
    assert job.job_id == 1


def test_a_refusal_is_said_at_once_in_the_servers_words(double, tmp_path):
    clock = FakeClock()
    backend = backend_on(double, tmp_path, clock, collab="nope")
    with pytest.raises(Refused, match="You do not have access to this collab") as caught:
        backend.submit(EXPERIMENT)
    assert caught.value.status == 404
    assert clock.naps == []
    assert double.count("POST") == 1


def test_a_422_names_the_field(double, tmp_path):
    detail = [{"type": "missing", "loc": ["body", "collab"], "msg": "Field required", "input": {}}]
    double.fault("POST", "/jobs/", answer(422, {"detail": detail}))
    with pytest.raises(Refused, match="collab: Field required"):
        backend_on(double, tmp_path).submit(EXPERIMENT)


def test_after_a_refusal_the_settings_can_be_put_right(double, tmp_path):
    with pytest.raises(Refused):
        backend_on(double, tmp_path, collab="nope").submit(EXPERIMENT)
    assert backend_on(double, tmp_path).submit(EXPERIMENT).job_id == 1


def test_a_service_that_stays_away_keeps_the_run_and_says_how_to_return(double, tmp_path):
    double.fault("POST", "/jobs/", *[REFUSED_CONNECTION] * 1000)
    clock = FakeClock()
    backend = backend_on(double, tmp_path, clock)
    with pytest.raises(JobKept, match="jobs resume"):
        backend.submit(EXPERIMENT)
    assert 200 < sum(clock.naps) <= 300
    double.faults.clear()
    assert backend_on(double, tmp_path).submit(EXPERIMENT).job_id == 1


def test_submitting_again_goes_on_with_the_same_job(double, tmp_path):
    first = backend_on(double, tmp_path).submit(EXPERIMENT)
    second = backend_on(double, tmp_path).submit(EXPERIMENT)
    assert first.run_id == second.run_id
    assert double.posted == 1


def test_a_finished_run_is_served_without_the_service(double, tmp_path):
    backend_on(double, tmp_path).submit(EXPERIMENT).result()
    before = len(double.requests)
    job = backend_on(double, tmp_path).submit(EXPERIMENT)
    assert job.served
    assert job.state() is JobState.FINISHED
    assert "line 2" in job.log()
    assert job.result().digest == EXPERIMENT.digest
    assert len(double.requests) == before


def test_fresh_runs_again_but_not_beside_a_job_under_way(double, tmp_path):
    job = backend_on(double, tmp_path).submit(EXPERIMENT)
    with pytest.raises(BackendError, match="cancel it first"):
        backend_on(double, tmp_path).submit(EXPERIMENT, fresh=True)
    job.result()
    again = backend_on(double, tmp_path).submit(EXPERIMENT, fresh=True)
    assert again.job_id == 2
    again.result()
    assert json.loads((again.folder / "provenance.json").read_text())["remote"]["job_id"] == 2


def test_two_waiting_processes_submit_once(double, tmp_path):
    """Both want to go on with a run whose POST is in doubt; the second finds it settled."""
    double.fault("POST", "/jobs/", "drop")
    double.fault("GET", "/jobs/", *[LOST] * 1000)
    with pytest.raises(JobKept):
        backend_on(double, tmp_path).submit(EXPERIMENT)
    double.faults.clear()
    jobs = [backend_on(double, tmp_path).job(p.stem) for p in tmp_path.glob("*.partial")] * 2
    assert [job.ensure_submitted() for job in jobs] == [1, 1]
    assert double.posted == 1


def test_a_script_that_was_changed_is_not_sent(double, tmp_path):
    double.fault("POST", "/jobs/", *[REFUSED_CONNECTION] * 1000)
    with pytest.raises(JobKept):
        backend_on(double, tmp_path).submit(EXPERIMENT)
    double.faults.clear()
    (folder,) = tmp_path.glob("*.partial")
    (folder / "run.py").write_text("import os\n")
    job = backend_on(double, tmp_path).job(folder.stem)
    with pytest.raises(RunIncomplete, match="was changed"):
        job.ensure_submitted()
    assert double.posted == 0


def test_the_private_space_is_the_default_collab(double, tmp_path):
    """Its name is known from any job, where the token is no JWT."""
    backend_on(double, tmp_path / "a").submit(EXPERIMENT)
    backend_on(double, tmp_path / "b", collab=None).submit(EXPERIMENT)
    assert [double.jobs[n]["collab"] for n in (1, 2)] == ["my-collab", "private-alice"]


def test_a_folder_from_elsewhere_gets_no_token_for_its_address(double, tmp_path):
    job = backend_on(double, tmp_path).submit(EXPERIMENT)
    record = JobRecord.load(job.folder)
    record.base_url = "https://evil.example"
    record.save(job.folder)
    with pytest.raises(BackendError, match=r"--base-url https://evil\.example"):
        backend_on(double, tmp_path).job(job.run_id)
    assert double.leaks == []


def test_a_plain_http_address_is_refused():
    double = QueueDouble(base="http://queue.example")
    with pytest.raises(SettingsError, match="https only"):
        backend_on(double, "unused")


def test_a_redirect_to_another_host_does_not_get_the_token(double, tmp_path):
    for location in ("https://evil.example/jobs/", "http://queue.example:81/jobs/"):
        double.fault("POST", "/jobs/", httpx.Response(307, headers={"location": location}))
        with pytest.raises(BackendError, match="another host"):
            backend_on(double, tmp_path).submit(EXPERIMENT)
    assert double.leaks == []
    assert double.posted == 0


def test_a_redirect_to_http_on_the_same_host_stays_on_https(double, tmp_path):
    there = httpx.Response(307, headers={"location": "http://queue.example/jobs/"})
    double.fault("POST", "/jobs/", there)
    assert backend_on(double, tmp_path).submit(EXPERIMENT).job_id == 1
    assert double.leaks == []


def test_the_lock_is_free_after_an_error(double, tmp_path):
    with pytest.raises(Refused):
        backend_on(double, tmp_path, collab="nope").submit(EXPERIMENT)
    (folder,) = tmp_path.glob("*.partial")
    run = backend_on(double, tmp_path).store.run(folder.stem)
    assert not run.locked_elsewhere()


def test_cancelling_what_was_never_submitted_asks_nobody_to_remove_it(double, tmp_path):
    double.fault("POST", "/jobs/", *[REFUSED_CONNECTION] * 1000)
    with pytest.raises(JobTimeout):
        backend_on(double, tmp_path).submit(EXPERIMENT)
    double.faults.clear()
    (folder,) = tmp_path.glob("*.partial")
    job = backend_on(double, tmp_path).job(folder.stem)
    job.cancel()
    assert job.wait() is JobState.INTERRUPTED
    assert double.posted == double.count("DELETE") == 0


def test_finding_looks_at_the_queue_once(double, tmp_path):
    double.fault("POST", "/jobs/", "drop")
    double.fault("GET", "/jobs/", *[LOST] * 1000)
    with pytest.raises(JobKept):
        backend_on(double, tmp_path).submit(EXPERIMENT)
    double.faults.clear()
    (folder,) = tmp_path.glob("*.partial")
    job = backend_on(double, tmp_path).job(folder.stem)
    with job.locked():
        assert Submission(job.run, job.record, job.client).find() == 1
    assert job.state() is JobState.QUEUED
