"""The rehearsal's server beyond what was recorded: tokens, restarts, every misbehaviour."""

import hashlib
import http.client

import httpx
import pytest

from backends.rehearsal import Rehearsal
from backends.rehearsal.data import OTHER_CONTENTS
from backends.rehearsal.misbehaviour import KINDS, ON_REQUEST, Misbehaviours, start_from_text

JOB = {"code": "import this", "collab": "private-alice", "hardware_platform": "SpiNNaker"}
CONTENTS = bytes(range(256)) * 1000


@pytest.fixture
def server():
    with Rehearsal(provider=False) as rehearsal:
        yield rehearsal


@pytest.fixture
def client(server):
    with user(server) as client:
        yield client


def user(server, name="alice", **token):
    headers = {"authorization": f"Bearer {server.token(name, **token)}"}
    return httpx.Client(base_url=server.base_url, headers=headers, verify=False, trust_env=False)


def put(server, number, **change):
    key = {"x-api-key": server.provider_key}
    answer = httpx.put(f"{server.base_url}/jobs/{number}", json=change, headers=key)
    assert answer.status_code == 200


def finished_job(server, client):
    """A job with one output; its number and the address of the output."""
    number = client.post("/jobs/", json=JOB).json()["id"]
    folder = server.data.folder("private-alice", number)
    folder.mkdir(parents=True)
    (folder / "spikes.npz").write_bytes(CONTENTS)
    url = f"{server.data_url}/services/rest/output/private-alice/{number}/spikes.npz"
    put(
        server,
        number,
        status="finished",
        log="one\ntwo\nthree\n",
        output_data={"repository": "x", "files": [{"url": url}]},
        resource_usage={"value": 1, "units": "core-hours"},
    )
    return number, url


# --- tokens, restarts


def test_a_token_ends_when_its_time_is_up():
    now = [1000.0]
    with (
        Rehearsal(provider=False, clock=lambda: now[0]) as server,
        user(server, lifetime=60) as client,
    ):
        assert client.get("/jobs/").status_code == 200
        now[0] += 61
        answer = client.get("/jobs/")
    assert (answer.status_code, answer.json()) == (401, {"detail": "Token may have expired"})


def test_a_token_of_another_rehearsal_or_a_changed_one_is_refused(server):
    token = server.token()
    head, claims, signature = token.split(".")
    with Rehearsal(provider=False) as other:
        foreign = other.token()
    for bad in (foreign, f"{head}.{claims}x.{signature}", f"{head}.{claims}.", head):
        answer = httpx.get(f"{server.base_url}/jobs/", headers={"authorization": f"Bearer {bad}"})
        assert answer.status_code == 401
    assert httpx.get(
        f"{server.base_url}/jobs/", headers={"authorization": f"Bearer {token}"}
    ).is_success


def test_roles_decide_who_may_submit(server):
    server.grant("eve", "lab", "viewer")
    job = {**JOB, "collab": "lab"}
    with user(server, "eve") as client:
        assert client.post("/jobs/", json=job).status_code == 404
        server.grant("eve", "lab", "editor")
        assert client.post("/jobs/", json=job).status_code == 201
        server.grant("eve", "lab", None)
        assert client.get("/jobs/?collab=lab").status_code == 403


def test_after_a_500_the_connection_is_closed_without_notice(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    token = {"authorization": f"Bearer {server.token()}"}
    connection.request("GET", "/jobs/99999999999", headers=token)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (500, b"Internal Server Error")
    assert not answer.will_close
    assert connection.sock.recv(1) == b""
    connection.close()


def test_a_restart_keeps_address_jobs_and_tokens(server, client):
    number = client.post("/jobs/", json=JOB).json()["id"]
    address = server.base_url
    server.stop_server()
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
    server.start_server()
    with user(server) as again:
        assert again.get(f"/jobs/{number}").json()["code"] == JOB["code"]
    assert server.base_url == address


def test_another_process_goes_on_from_the_same_folder(tmp_path):
    with Rehearsal(provider=False, state=tmp_path) as server, user(server) as client:
        assert client.post("/jobs/", json=JOB).json()["id"] == 1
    with Rehearsal(provider=False, state=tmp_path) as server, user(server) as client:
        assert client.get("/jobs/1").json()["status"] == "submitted"
        assert client.post("/jobs/", json=JOB).json()["id"] == 2


def test_the_log_of_requests_tells_who_but_no_secret(server, client):
    client.get("/jobs/?size=1")
    httpx.get(f"{server.base_url}/jobs/next/SpiNNaker", headers={"x-api-key": server.provider_key})
    httpx.get(server.base_url)
    seen = [(r.where, r.method, r.path, r.who, r.status) for r in server.requests]
    assert seen == [
        ("queue", "GET", "/jobs/", "user", 200),
        ("queue", "GET", "/jobs/next/SpiNNaker", "provider", 404),
        ("queue", "GET", "/", "nobody", 200),
    ]
    assert server.requests[0].query == "size=1"
    text = repr(server.requests) + repr(server.identity.collabs)
    assert server.provider_key not in text and "eyJ" not in text


# --- misbehaviours at a request


def test_a_dropped_post_has_been_done(server, client):
    server.misbehave("drop_post_answer")
    client.get("/jobs/")
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/jobs/", json=JOB)
    assert len(server.jobs) == 1
    assert server.requests[-1].status is None
    assert client.post("/jobs/", json=JOB).status_code == 201


def test_a_post_that_ends_in_500_may_have_been_done(server, client):
    server.misbehave("post_then_500")
    assert client.post("/jobs/", json=JOB).status_code == 500
    assert len(server.jobs) == 1


@pytest.mark.parametrize("kind", ["reset", "drop_answer", "restart"])
def test_connections_are_cut(server, client, kind):
    server.misbehave(kind)
    with pytest.raises(httpx.TransportError):
        client.get("/jobs/")
    server.settle()
    with user(server) as again:
        assert again.get("/jobs/").status_code == 200


def test_a_restart_in_the_middle_of_a_post_keeps_what_it_did(server, client):
    server.misbehave("restart", value="after", methods=("POST",))
    with pytest.raises(httpx.TransportError):
        client.post("/jobs/", json=JOB)
    server.settle()
    assert len(server.jobs) == 1


@pytest.mark.parametrize(
    ("kind", "status", "header"),
    [
        ("error_500", 500, None),
        ("error_503", 503, "7"),
        ("error_429", 429, "7"),
        ("html_answer", 200, None),
    ],
)
def test_canned_answers_do_nothing(server, client, kind, status, header):
    server.misbehave(kind, value="7", times=2)
    for _ in range(2):
        with user(server) as one:  # after a 500 the connection is gone
            answer = one.post("/jobs/", json=JOB)
        assert answer.status_code == status
        assert answer.headers.get("retry-after") == header
    assert server.jobs == []
    assert client.post("/jobs/", json=JOB).status_code == 201


def test_never_answering_and_answering_late(server, client):
    server.misbehave("never")
    with pytest.raises(httpx.ReadTimeout):
        client.get("/jobs/", timeout=0.1)
    server.misbehave("slow", value=0.2)
    with pytest.raises(httpx.ReadTimeout):
        client.get("/jobs/", timeout=0.05)
    server.misbehave("slow", value=0.01)
    assert client.get("/jobs/").status_code == 200


def test_a_redirect_away_shows_whether_a_token_came_along(server, client):
    server.misbehave("redirect_away", times=2)
    answer = client.get("/jobs/", follow_redirects=False)
    assert answer.headers["location"] == f"{server.data_url}/jobs/"
    httpx.get(answer.headers["location"], headers={"authorization": "Bearer x"})
    assert (server.requests[-1].where, server.requests[-1].who) == ("data", "user")


def test_tokens_expire_in_the_middle(server, client):
    server.misbehave("expire_tokens", after=2)
    assert [client.get("/jobs/").status_code for _ in range(4)] == [200, 200, 401, 401]
    with user(server) as again:
        assert again.get("/jobs/").status_code == 200


def test_methods_and_paths_narrow_a_misbehaviour(server, client):
    server.misbehave("error_503", times=None, methods=("GET",), path=r"/jobs/\d+$")
    number = client.post("/jobs/", json=JOB).json()["id"]
    assert client.get("/jobs/").status_code == 200
    assert client.get(f"/jobs/{number}").status_code == 503
    server.behave("error_503")
    assert client.get(f"/jobs/{number}").status_code == 200


# --- misbehaviours when reading


def test_states_that_nobody_knows_yet(server, client):
    number, _ = finished_job(server, client)
    server.misbehave("unknown_state", times=1, value="teleported")
    states = [client.get(f"/jobs/{number}").json()["status"] for _ in range(2)]
    assert states == ["teleported", "finished"]


def test_output_and_usage_come_late_or_never(server, client):
    number, _ = finished_job(server, client)
    server.misbehave("late_output", 2)
    server.misbehave("late_usage", None)
    jobs = [client.get(f"/jobs/{number}").json() for _ in range(3)]
    assert [job["output_data"] is not None for job in jobs] == [False, False, True]
    assert [job["status"] for job in jobs] == ["finished"] * 3
    assert [job["resource_usage"] for job in jobs] == [None] * 3


def test_a_log_shrinks(server, client):
    number, _ = finished_job(server, client)
    server.misbehave("shrinking_log")
    logs = [client.get(f"/jobs/{number}/log").text for _ in range(2)]
    assert logs == ["one\n", "one\ntwo\nthree\n"]


def test_lies_about_data_items(server, client):
    number, url = finished_job(server, client)
    for lie in ("lie_size", "lie_hash", "lie_path", "lie_type"):
        server.misbehave(lie)
    (item,) = client.get(f"/jobs/{number}").json()["output_data"]["files"]
    assert item == {
        "url": url,
        "size": 7,
        "hash": "0" * 40,
        "path": "../../../evil.npz",
        "content_type": "text/html",
    }


def test_two_outputs_of_one_name_have_different_contents(server, client):
    number, _ = finished_job(server, client)
    server.misbehave("two_of_one_name")
    urls = [f["url"] for f in client.get(f"/jobs/{number}").json()["output_data"]["files"]]
    assert [url.rpartition("/")[2] for url in urls] == ["spikes.npz"] * 2
    assert [httpx.get(url).content for url in urls] == [CONTENTS, OTHER_CONTENTS]


def test_an_address_that_ends_in_a_path_elsewhere_is_served(server, client):
    number, _ = finished_job(server, client)
    server.misbehave("lie_name")
    (item,) = client.get(f"/jobs/{number}").json()["output_data"]["files"]
    assert item["url"].endswith("/..%2F..%2Fevil.npz")
    assert httpx.get(item["url"]).content == CONTENTS


def test_pages_overlap(server, client):
    for _ in range(5):
        client.post("/jobs/", json=JOB)
    server.misbehave("inconsistent_pages")
    pages = [client.get(f"/jobs/?size=2&from_index={start}").json() for start in (0, 2, 4)]
    assert [[job["id"] for job in page] for page in pages] == [[5, 4], [4, 3], [2, 1]]


# --- misbehaviours of the data address


def test_data_are_served_without_authentication_and_from_a_byte_on(server, client):
    _, url = finished_job(server, client)
    assert not url.startswith(server.base_url)
    assert httpx.get(url).content == CONTENTS
    part = httpx.get(url, headers={"range": "bytes=1000-"})
    assert (part.status_code, part.content) == (206, CONTENTS[1000:])
    assert part.headers["content-range"] == f"bytes 1000-{len(CONTENTS) - 1}/{len(CONTENTS)}"
    beyond = httpx.get(url, headers={"range": f"bytes={len(CONTENTS)}-"})
    assert beyond.status_code == 416
    server.misbehave("no_range")
    assert httpx.get(url, headers={"range": "bytes=1000-"}).content == CONTENTS


@pytest.mark.parametrize("path", ["../queue.sqlite", "private-alice/1/..%2F..%2F..%2Fqueue.sqlite"])
def test_data_outside_of_the_outputs_are_not_served(server, client, path):
    finished_job(server, client)
    assert httpx.get(f"{server.data_url}/services/rest/output/{path}").status_code == 404


def test_a_download_is_cut_and_can_be_gone_on_with(server, client):
    _, url = finished_job(server, client)
    server.misbehave("cut_download")
    got = b""
    with pytest.raises(httpx.RemoteProtocolError), httpx.stream("GET", url) as answer:
        assert answer.headers["content-length"] == str(len(CONTENTS))
        for piece in answer.iter_raw():
            got += piece
    assert got == CONTENTS[: len(CONTENTS) // 2]
    rest = httpx.get(url, headers={"range": f"bytes={len(got)}-"})
    assert got + rest.content == CONTENTS


def test_contents_can_be_corrupt_missing_or_endless(server, client):
    _, url = finished_job(server, client)
    server.misbehave("corrupt_download")
    corrupt = httpx.get(url).content
    assert len(corrupt) == len(CONTENTS)
    assert hashlib.sha1(corrupt).digest() != hashlib.sha1(CONTENTS).digest()
    server.misbehave("missing_download")
    assert httpx.get(url).status_code == 404
    server.misbehave("endless_download")
    got = 0
    with httpx.stream("GET", url) as answer:
        for piece in answer.iter_raw():
            got += len(piece)
            if got > 10 * len(CONTENTS):
                break
    assert httpx.get(url).content == CONTENTS


def test_the_data_address_fails_too(server, client):
    _, url = finished_job(server, client)
    server.misbehave("error_503", path="^data:")
    assert client.get("/jobs/").status_code == 200
    assert httpx.get(url).status_code == 503


# --- the switchboard


def test_misbehaviours_as_text():
    board = Misbehaviours()
    start_from_text(board, "error_503=30@2*5")
    start_from_text(board, "hang_job")
    start_from_text(board, "reset*always")
    found = [(a.name, a.value, a.after, a.times) for a in board.active()]
    assert found == [("error_503", "30", 2, 5), ("hang_job", "", 0, None), ("reset", "", 0, None)]


@pytest.mark.parametrize("text", ["nonsense", "reset*often", "", "maintenance=never", "a b"])
def test_misbehaviours_that_are_none(text):
    with pytest.raises(ValueError):
        start_from_text(Misbehaviours(), text)


def test_every_kind_can_be_started():
    """A kind at a request that is not handled would end in an assertion of the server."""
    board = Misbehaviours()
    for name in KINDS:
        board.start(name)
    assert len(board.active()) == len(KINDS)


@pytest.mark.parametrize("name", sorted(ON_REQUEST))
def test_every_kind_at_a_request_is_survived(server, name):
    server.misbehave(name, times=1, value="down" if name == "maintenance" else "0.01")
    with user(server) as client:
        try:
            client.post("/jobs/", json=JOB, timeout=0.5)
        except httpx.TransportError:
            assert name in ("drop_post_answer", "drop_answer", "reset", "never", "restart")
    server.settle()
    with user(server) as client:
        assert client.get("/jobs/").status_code == 200
