"""The few calls of the queue's API that a user needs, and how long each is tried.

A call either returns, or raises Refused (never try again), Temporary (the service did not answer
within the client's patience) or TokenNeeded (no source has a token that the service takes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from ..base import ServiceError
from . import web
from .clock import Backoff, Clock
from .errors import Refused, Temporary, TokenRefused
from .settings import Settings, check_address
from .tokens import Secret, TokenSource

PAGE = 20
"""Jobs asked for at once; each brings its whole script along."""
MAX_PAGES = 500
STALE_PAGES = 3
"""Pages in a row without a job that is new, after which the list has ended."""
TRY_AGAIN = (408, 425, 429)
"""4xx that do change."""
MAX_TOKENS = 4
"""Tokens tried for one call."""

T = TypeVar("T")
Notice = Callable[[str], None]
Params = Mapping[str, str | int]


def silent(text: str) -> None:
    """A notice for nobody."""


class QueueClient:
    """The queue at one address, with one source of tokens."""

    def __init__(
        self,
        settings: Settings,
        token: TokenSource,
        clock: Clock | None = None,
        transport: Any = None,
        base_url: str | None = None,
        notice: Notice = silent,
    ) -> None:
        self.settings = settings
        self.token = token
        self.clock = clock or Clock()
        self.transport = transport
        self.notice = notice
        self.base_url = (base_url or settings.base_url).rstrip("/")
        problems = check_address(self.base_url)
        if problems:
            raise ServiceError("; ".join(problems))
        self._http = web.make_client(
            self.base_url, settings.connect_timeout, settings.request_timeout, transport
        )

    def close(self) -> None:
        self._http.close()

    # --- calls

    def about(self) -> dict[str, Any]:
        """What the service says of itself."""
        return _table(self._patiently(lambda: self._once("GET", "/", public=True)).json())

    def submit_once(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST a job, one time. Temporary.arrived tells whether the job may exist now."""
        answer = self._with_token(lambda token: self._once("POST", "/jobs/", token, body=body))
        job = _table(answer.json())
        if not is_id(job.get("id")):
            raise Temporary("submitting: the service did not name the job", arrived=True)
        return job

    def job_once(self, job_id: int, with_log: bool = False) -> dict[str, Any]:
        """The job as the service knows it, asked for one time."""
        params = {"with_log": "true"} if with_log else {}
        job = _table(self._get(f"/jobs/{job_id}", params).json())
        if job.get("id") != job_id:
            raise Temporary(f"job {job_id}: the service answered with another job", arrived=True)
        return job

    def job(self, job_id: int, with_log: bool = False) -> dict[str, Any]:
        return self._patiently(lambda: self.job_once(job_id, with_log))

    def log(self, job_id: int) -> str:
        """The whole log so far."""
        answer = self._patiently(lambda: self._get(f"/jobs/{job_id}/log"))
        return self.token.scrub(answer.body.decode("utf-8", errors="replace"))

    def remove(self, job_id: int) -> None:
        """Soft delete; a job that runs goes on running, and its next report brings it back."""

        def once() -> web.Answer:
            return self._with_token(lambda token: self._once("DELETE", f"/jobs/{job_id}", token))

        self._patiently(once)

    def tagged(self, tag: str, collab: str | None = None) -> list[dict[str, Any]]:
        """My jobs (or, with `collab`, all of its jobs) that bear the tag, oldest first.

        Offsets shift while jobs are added, so the pages may overlap: by id, and to the last page.
        """
        found = {}
        for job in self._patiently(lambda: list(self._pages({"tags": tag}, collab))):
            tags = job.get("tags")
            if is_id(job.get("id")) and isinstance(tags, list) and tag in tags:
                found[int(job["id"])] = job
        return [found[number] for number in sorted(found)]

    def user_id(self) -> str | None:
        """Who I am, from any job of mine; None if there is none."""
        jobs = self._patiently(lambda: _tables(self._get("/jobs/", {"size": 1}).json()))
        name = jobs[0].get("user_id") if jobs else None
        return name if isinstance(name, str) else None

    def queue_length(self) -> list[dict[str, Any]]:
        """Running and submitted jobs of each platform."""
        return self._patiently(
            lambda: _tables(self._once("GET", "/statistics/queue-length", public=True).json())
        )

    def projects(self, collab: str) -> list[dict[str, Any]]:
        """The collab's resource requests, with their quotas."""
        params = {"collab": collab, "status": "accepted"}
        return self._patiently(lambda: _tables(self._get("/projects/", params).json()))

    # --- how they are made

    def _pages(self, params: Params, collab: str | None) -> Iterator[dict[str, Any]]:
        more: dict[str, str | int] = {**params, **({"collab": collab} if collab else {})}
        seen: set[Any] = set()
        start = stale = 0
        for _ in range(MAX_PAGES):
            answer = self._get("/jobs/", {**more, "size": PAGE, "from_index": start})
            page = _tables(answer.json())
            fresh = [job for job in page if job.get("id") not in seen]
            stale = 0 if fresh else stale + 1
            if not page or stale > STALE_PAGES:
                return
            yield from fresh
            seen.update(job.get("id") for job in page)
            # One of overlap, so that a job that left an earlier page hides none.
            start += max(1, len(page) - 1) if len(page) > 1 else 1
        raise ServiceError("the list of jobs does not end")

    def _get(self, path: str, params: Params | None = None) -> web.Answer:
        return self._with_token(lambda token: self._once("GET", path, token, params=params))

    def _with_token(self, call: Callable[[Secret], web.Answer]) -> web.Answer:
        """The call, with another token if the first one is refused."""
        for _ in range(MAX_TOKENS):
            token = self.token.get()
            try:
                return call(token)
            except TokenRefused:
                self.token.refused(token)
        raise TokenRefused("the service refuses every token (401)")

    def _patiently(self, call: Callable[[], T]) -> T:
        """The call, tried again while the service is away, for as long as the patience lasts."""
        backoff = Backoff(self.settings.poll_first, self.settings.poll_last, self.clock)
        end = self.clock.monotonic() + self.settings.patience
        while True:
            try:
                return call()
            except Temporary as error:
                delay = backoff.delay(error.retry_after)
                if self.clock.monotonic() + delay > end:
                    raise
                self.notice(f"{error}; trying again")
                self.clock.sleep(delay)

    def _once(
        self,
        method: str,
        path: str,
        token: Secret | None = None,
        body: Mapping[str, Any] | None = None,
        params: Params | None = None,
        public: bool = False,
    ) -> web.Answer:
        what = f"{method} {path}"
        assert public or token is not None
        url = httpx.URL(self.base_url + path, params=dict(params) if params else None)
        for _ in range(web.MAX_REDIRECTS + 1):
            answer, location = self._exchange(what, method, url, token, body)
            if location is None:
                return self._judged(what, answer)
            if method != "GET" and answer.status not in (307, 308):
                raise ServiceError(f"{what}: redirected ({answer.status}), which loses its content")
            url = web.same_service(url, location)
        raise ServiceError(f"{what}: too many redirects")

    def _exchange(
        self,
        what: str,
        method: str,
        url: httpx.URL,
        token: Secret | None,
        body: Mapping[str, Any] | None,
    ) -> tuple[web.Answer, str | None]:
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.reveal()}"
        with (
            web.translated(what, self.token.scrub),
            self._http.stream(method, url, headers=headers, json=body) as response,
        ):
            text = web.read_all(response, what, self.settings.request_timeout, self.clock)
            answer = web.Answer(response.status_code, text, web.retry_after(response, self.clock))
            location = response.headers.get("location")
            return answer, location if answer.status in web.REDIRECTS else None

    def _judged(self, what: str, answer: web.Answer) -> web.Answer:
        """The answer if it is a success; otherwise the error that says what to do."""
        status = answer.status
        if 200 <= status < 300:
            return answer
        words = self.token.scrub(answer.words())
        if status == 401:
            raise TokenRefused(f"{what}: {words}")
        if status in TRY_AGAIN:
            raise Temporary(f"{what}: {status}: {words}", status == 408, answer.retry_after)
        if status >= 500:
            # Maintenance refuses a request before looking at it; any other 5xx may come after.
            closed = status == 503 and answer.body.lstrip()[:1] == b"{"
            raise Temporary(f"{what}: {status}: {words}", not closed, answer.retry_after)
        raise Refused(what, status, words)


def host(url: str) -> str:
    """The part of an address that people recognise."""
    return urlsplit(url).netloc


def is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Temporary("the service answered with something that is not a job", arrived=True)
    return value


def _tables(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise Temporary("the service answered with something that is not a list", arrived=True)
    return [entry for entry in value if isinstance(entry, dict)]
