"""A queue in memory, as strict as the API's facts allow, and a clock that needs no waiting.

Written from the recorded exchanges with the real server. It serves httpx.MockTransport, and over
HTTP whoever wraps it. A job goes one step along `timeline` with each time it is read.
"""

import collections
import copy
import json
import tempfile
from pathlib import Path

import httpx
import numpy as np

from backends import RunStore
from backends.ebrains import Clock, EbrainsBackend, Settings, TokenSource
from pynn_model import files
from pynn_model.experiment import Experiment
from pynn_model.recording import PopulationRecording, Recording

BASE = "https://queue.example"
DATA = "https://data.example"
TOKEN = "secret-token-of-alice"
LIST_FILTERS = {"status", "tags", "collab", "user_id", "hardware_platform", "size", "from_index"}
EXPERIMENT = files.load("mainen_sejnowski", ["trials=2", "duration=100.0", "record.v=0"])


class FakeClock(Clock):
    """Time passes by sleeping only. events: (time, what to do then)."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.naps: list[float] = []
        self.events: list[tuple[float, object]] = []
        super().__init__(lambda: self.now, lambda: self.now, self._sleep, lambda: 0.5)

    def _sleep(self, seconds):
        assert seconds >= 0
        self.naps.append(seconds)
        self.now += seconds
        due = [event for event in self.events if event[0] <= self.now]
        self.events = [event for event in self.events if event[0] > self.now]
        for _, act in due:
            act()

    def at(self, after, act):
        self.events.append((self.now + after, act))


def recording_of(experiment: Experiment, digest: str | None = None) -> Recording:
    """Neuron i of each condition fires at i + 1 ms."""
    trials = np.arange(experiment.trials)
    populations = tuple(
        PopulationRecording(c.name, experiment.trials, trials + 1.0, trials.astype(np.int64))
        for c in experiment.conditions
    )
    return Recording(
        experiment.to_json(),
        digest or experiment.digest,
        "spiNNaker",
        populations,
        {"system": "spiNNaker", "versions": {"sPyNNaker": "7.4"}, "notes": []},
    )


def npz_of(experiment: Experiment, digest: str | None = None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.npz"
        recording_of(experiment, digest).save(str(path))
        return path.read_bytes()


def streamed(status, content, headers=None):
    """A response whose body has not been read yet."""
    return httpx.Response(status, stream=httpx.ByteStream(content), headers=headers)


def answer(status, content, **headers):
    if isinstance(content, (dict, list)) or content is None:
        return httpx.Response(status, json=content, headers=headers)
    return httpx.Response(status, text=content, headers=headers)


class QueueDouble:
    """The queue and, at another host, the data.

    faults: (method, path) -> what to do instead, one entry a request: a Response, an exception to
    raise, "drop" (do it, then lose the answer), a callable, or None for nothing special.
    """

    def __init__(self, base=BASE, data=DATA, experiment=EXPERIMENT) -> None:
        self.base, self.data = base, data
        self.tokens = {TOKEN: "alice"}
        self.jobs: dict[int, dict] = {}
        self.removed_from_view: set[int] = set()
        self.hidden_until: dict[int, int] = {}
        self.faults: dict[tuple[str, str], list] = collections.defaultdict(list)
        self.requests: list[tuple[str, str, int | None]] = []
        self.timeline = ["submitted", "validated", "running", "finished"]
        self.late_output = 0
        self.page_cap = 10
        self.hide_lists = 0
        name = f"recording-{experiment.digest[:12]}-0a1b2c3d.npz"
        self.files: dict[str, bytes] = {f"/out/{name}": npz_of(experiment)}
        self.items: list[dict] | None = None
        self.log = ["", "", "line 1\n", "line 1\nline 2\n"]
        self.leaks: list[str] = []
        self._place: dict[int, int] = {}

    # --- for tests

    def fault(self, method, path, *what):
        self.faults[(method, path)].extend(what)

    def take(self, jobs):
        """Have these jobs, none of which was read yet."""
        self.jobs = copy.deepcopy(jobs)
        self._place = dict.fromkeys(jobs, 0)

    def count(self, method, path=None):
        return sum(m == method and path in (None, p) for m, p, _ in self.requests)

    @property
    def posted(self):
        return len(self.jobs)

    # --- HTTP

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        if origin != self.base and "authorization" in request.headers:
            self.leaks.append(str(request.url))
        where = "" if origin == self.base else "data:"
        waiting = self.faults[(request.method, where + path)]
        fault = waiting.pop(0) if waiting else None
        entry = [request.method, where + path, None]
        self.requests.append(entry)
        if isinstance(fault, httpx.Response):
            response = fault
        elif isinstance(fault, Exception):
            raise fault
        elif callable(fault):
            response = fault(request)
        else:
            response = self._data(request) if where else self._queue(request)
            if fault == "drop":
                raise httpx.RemoteProtocolError("server disconnected without sending a response")
        entry[2] = response.status_code
        return response

    def _data(self, request):
        content = self.files.get(request.url.path)
        if content is None:
            return answer(404, "Not Found")
        start = request.headers.get("range", "")
        headers = {"etag": '"v1"'}
        if start:
            begin = int(start.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(content):
                return httpx.Response(416, headers={"content-range": f"bytes */{len(content)}"})
            headers["content-range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            return streamed(206, content[begin:], headers)
        return streamed(200, content, headers)

    def _queue(self, request):
        path, method = request.url.path, request.method
        if (method, path) == ("GET", "/"):
            return answer(200, {"about": "queue", "version": "3", "status": "ok"})
        if path == "/statistics/queue-length":
            return answer(200, [{"queue_name": "SpiNNaker", "running": 1, "submitted": 4}])
        if path == "/jobs":
            return httpx.Response(307, headers={"location": self.base + "/jobs/"})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            return answer(403, {"detail": "Not authenticated"})
        user = self.tokens.get(token)
        if user is None:
            return answer(401, {"detail": "Token may have expired"})
        if path == "/jobs/":
            return self._post(request, user) if method == "POST" else self._list(request, user)
        if path == "/projects/":
            quota = {"limit": 5000.0, "usage": 7.0, "platform": "SpiNNaker", "units": "core-hours"}
            return answer(200, [{"id": "u", "status": "accepted", "quotas": [quota]}])
        return self._one(request, path.split("/"))

    def _post(self, request, user):
        body = json.loads(request.content)
        for name in ("code", "collab", "hardware_platform"):
            if not isinstance(body.get(name), str):
                missing = {"type": "missing", "loc": ["body", name], "msg": "Field required"}
                return answer(422, {"detail": [missing]})
        assert "import" in body["code"]
        assert all(2 <= len(tag) <= 100 for tag in body.get("tags", []))
        if body["collab"] not in (f"private-{user}", "my-collab"):
            return answer(404, {"detail": "You do not have access to this collab"})
        if body["hardware_platform"] not in ("SpiNNaker", "Demo"):
            return answer(403, {"detail": "You do not have sufficient compute quota"})
        number = len(self.jobs) + 1
        self.jobs[number] = {
            "id": number,
            "user_id": user,
            "command": "",
            "hardware_config": None,
            "tags": [],
            **body,
            "status": self.timeline[0],
            "resource_uri": f"/jobs/{number}",
            "timestamp_submission": "2026-11-20T11:52:48.126517Z",
        }
        self._place[number] = 0
        return answer(201, self.jobs[number])

    def _list(self, request, user):
        params = request.url.params
        assert set(params) <= LIST_FILTERS, params
        if self.hide_lists:
            self.hide_lists -= 1
            return answer(200, [])
        wanted = params.get_list("tags")
        collab = params.get("collab")
        if collab not in (None, f"private-{user}", "my-collab"):
            return answer(403, {"detail": f"You do not have permission to view collab {collab}"})
        found = [
            job
            for number, job in sorted(self.jobs.items(), reverse=True)
            if set(wanted) <= set(job["tags"])
            and (collab == job["collab"] if collab else job["user_id"] == user)
            and job["status"] != "removed"
        ]
        start = int(params.get("from_index", 0))
        size = min(int(params.get("size", 10)), self.page_cap)
        return answer(200, found[start : start + size])

    def _one(self, request, parts):
        number = int(parts[2])
        job = self.jobs.get(number)
        if job is None:
            return answer(404, {"detail": f"Either there is no job with id {number}, or no access"})
        if request.method == "DELETE":
            job["status"] = "removed"
            return answer(200, None)
        if len(parts) > 3:
            return answer(200, self.log[min(self._place[number], len(self.log) - 1)])
        place = self._place[number]
        if job["status"] != "removed":
            job["status"] = self.timeline[min(place, len(self.timeline) - 1)]
        self._place[number] = place + 1
        shown = {
            **job,
            "output_data": None,
            "provenance": None,
            "resource_usage": None,
            "log": None,
        }
        if request.url.params.get("with_log") == "true":
            shown["log"] = self.log[min(place, len(self.log) - 1)] or None
        over = place - len(self.timeline) + 1
        if job["status"] in ("finished", "error") and over >= self.late_output:
            items = self.items
            if items is None:
                items = [item(self.data + path) for path in self.files]
            shown["output_data"] = {"repository": "x", "files": items} if items else None
            shown["resource_usage"] = {"value": 3.5, "units": "core-hours"}
            shown["provenance"] = {"spinnaker_machine": "spalloc-1"}
        return answer(200, shown)


def item(url, **told):
    return {"url": url, "path": None, "content_type": None, "size": None, "hash": None, **told}


def backend_on(double, folder, clock=None, token=None, said=None, **changes):
    """A backend for platform Demo that talks to the double."""
    settings = Settings(**{"base_url": double.base, "collab": "my-collab", **changes})
    token = token or TokenSource([("token", lambda: TOKEN)])
    return EbrainsBackend(
        "ebrains-demo",
        "Demo",
        RunStore(folder),
        settings,
        token,
        clock or FakeClock(),
        httpx.MockTransport(double.handle),
        (said if said is not None else []).append,
    )
