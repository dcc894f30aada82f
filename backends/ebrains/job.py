"""A job in the queue, followed from any process that has its run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pynn_model.recording import Recording

from ..base import (
    BackendUnavailable,
    Job,
    JobFailed,
    JobState,
    JobTimeout,
    Progress,
    RunIncomplete,
    ServiceError,
)
from ..runstore import Run
from . import harvest, logs
from .client import QueueClient, host
from .clock import Backoff
from .downloads import items
from .errors import JobKept, Temporary, TokenNeeded, TokenRefused
from .harvest import Harvest, NoRecording
from .record import JobRecord, meaning
from .submission import Submission

REMOVED = "removed"
SOON = 10
"""Shortest polling delays that a recording may come later than other outputs."""


class RemoteJob(Job):
    """One run in the queue of a remote service.

    on_log: called with each piece of the job's log as it arrives, during :meth:`wait`.
    """

    def __init__(self, run: Run, client: QueueClient | None) -> None:
        self.run = run
        self.run_id = run.run_id
        self.served = self.complete
        self._client = client
        self._follower = logs.Follower()
        self._told = ""
        self._depth = 0

    # --- what is on the disk

    @property
    def complete(self) -> bool:
        """Whether there is a result, and no newer job under way that is to replace it."""
        if not self.run.complete:
            return False
        newer = JobRecord.load(self.run.partial)
        return newer is None or newer.ended != ""

    @property
    def folder(self) -> Path:
        return self.run.path if self.complete else self.run.partial

    @property
    def record(self) -> JobRecord:
        """What is known of the job; RunIncomplete if this is no remote run."""
        record = JobRecord.load(self.folder)
        if record is None:
            raise RunIncomplete(self.run.why_incomplete())
        return record

    def attach(self, client: QueueClient) -> None:
        """Let the job be asked for with this client from here on."""
        self._client = client

    @property
    def client(self) -> QueueClient:
        if self._client is None:
            raise BackendUnavailable(f"{self.run_id}: no service to ask")
        return self._client

    @property
    def service_state(self) -> str:
        """The service's own last word on the job; "" if it was not asked yet."""
        return self.record.service_state

    @property
    def job_id(self) -> int | None:
        return self.record.job_id

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only process that changes the run's folder."""
        if self._depth == 0:
            self.run.lock()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self.run.unlock()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[JobRecord]:
        """The record, read anew, and written when it was changed. Not of a complete run."""
        with self.locked():
            record = self.record
            yield record
            if not self.complete:
                record.save(self.run.partial)

    # --- submitting

    def ensure_submitted(self) -> int:
        """The job's id; submits the job if that was not done, or finds it if that is not known."""
        record = self.record
        if record.job_id is not None:
            return record.job_id
        with self.locked():
            try:
                return Submission(self.run, self.record, self.client).complete()
            except (Temporary, TokenNeeded, TokenRefused) as error:
                raise JobKept(f"{error}\n{self.how_to_return()}") from None

    def how_to_return(self) -> str:
        """What to tell a person who leaves now."""
        record = self.record
        runs = "" if str(self.run.path.parent) == "runs" else f" --runs {self.run.path.parent}"
        again = f"come back with: python -m scripts.jobs resume {self.run_id}{runs}"
        if record.job_id is None:
            return f"the run is prepared in {self.run.partial}; {again}"
        return f"job {record.job_id} goes on at {host(record.base_url)}; {again}"

    # --- watching

    def state(self) -> JobState:
        if self.complete:
            return JobState.FINISHED
        record = self.record
        if record.ended == "failed":
            return JobState.FAILED
        if record.job_id is None:
            with self.locked():
                if Submission(self.run, self.record, self.client).find() is None:
                    return JobState.INTERRUPTED
        return self._saw(self.client.job(self._number()))

    def _number(self) -> int:
        number = self.record.job_id
        if number is None:
            raise RunIncomplete(f"{self.run_id}: was not submitted; {self.how_to_return()}")
        return number

    def _saw(self, job: Mapping[str, Any]) -> JobState:
        """Note the state and the log that the service gave."""
        word = job.get("status")
        if not isinstance(word, str) or not word:
            raise Temporary("the service named no state", arrived=True)
        word, log = word[:100], job.get("log")
        told = isinstance(log, str) and log != self._told
        if word != self.record.service_state or told:
            with self._changing() as record:
                back = record.service_state == REMOVED and word != REMOVED
                if record.saw(word, self.client.clock.stamp()):
                    self.client.notice(f"job {record.job_id}: {word}")
                if back:
                    record.notes.append(f"came back to life ({word}) after it was removed")
                    record.ended = ""
                    self.client.notice(f"job {record.job_id} {record.notes[-1]}")
                if told and not self.complete:
                    text = self.client.token.scrub(str(log))
                    logs.keep(self.run.partial, text)
                    self._follower.show(text, self.on_log)
                    self._told = str(log)
        return meaning(word)

    def log(self) -> str:
        if not self.complete and self.record.ended == "" and self.record.job_id is not None:
            text = self.client.log(self._number())
            with self.locked():
                if not self.complete:
                    logs.keep(self.run.partial, text)
                    return text
        return logs.read(self.folder)

    def cancel(self) -> None:
        """Remove the job from the queue. One that runs already goes on, and may come back."""
        if self.complete or self.record.ended == "failed":
            return
        with self.locked():
            number = Submission(self.run, self.record, self.client).find(settle=True)
            with self._changing() as record:
                if number is None:
                    record.ended, record.why = REMOVED, "cancelled before it was submitted"
                    return
                record.cancelled = self.client.clock.stamp()
        self.client.remove(number)
        state = self._saw(self.client.job(number))
        if state is JobState.INTERRUPTED:
            with self._changing() as record:
                record.ended, record.why = REMOVED, "cancelled"

    def wait(self, timeout: float | None = None, progress: Progress | None = None) -> JobState:
        """Wait until the job has ended. The service, the network and the token may fail meanwhile.

        Raises JobTimeout after `timeout` s, and JobKept where waiting cannot go on but the job can.
        """
        if self.complete:
            return JobState.FINISHED
        record = self.record
        if record.ended == "failed":
            return JobState.FAILED
        if record.ended and record.job_id is None:
            return JobState.INTERRUPTED
        self.ensure_submitted()
        return self._until(self._has_ended(), timeout)[0]

    def _has_ended(self) -> Callable[[Mapping[str, Any], JobState], bool]:
        watched = 0.0 if self.record.ended else self.client.settings.removed_wait
        removed_until: list[float] = []

        def ended(job: Mapping[str, Any], state: JobState) -> bool:
            if state is not JobState.INTERRUPTED:
                removed_until.clear()
                return state.final
            if not removed_until:  # its provider may not know, and bring it back
                removed_until.append(self._now() + watched)
            return self._now() >= removed_until[0]

        return ended

    def _until(
        self, enough: Callable[[Mapping[str, Any], JobState], bool], timeout: float | None
    ) -> tuple[JobState, dict[str, Any]]:
        """Ask for the job until it is `enough`; the state and the job as it then is."""
        settings, clock = self.client.settings, self.client.clock
        backoff = Backoff(settings.poll_first, settings.poll_last, clock)
        number, begun = self._number(), self._now()
        answered, before = begun, self.record.service_state
        while True:
            wanted = None
            try:
                job = self.client.job_once(number, with_log=True)
                state = self._saw(job)
                answered = self._now()
                if enough(job, state):
                    return state, job
                if job["status"] != before:
                    before = str(job["status"])
                    backoff.reset()
            except Temporary as error:
                wanted = error.retry_after
                self.client.notice(f"{error}; the job is not affected, trying again")
                if self._now() - answered > settings.outage:
                    raise JobKept(f"{error}\n{self.how_to_return()}") from None
            except (TokenNeeded, TokenRefused) as error:
                raise JobKept(f"{error}\n{self.how_to_return()}") from None
            delay = backoff.delay(wanted)
            if timeout is not None:
                left = begun + timeout - self._now()
                if left <= 0:
                    raise JobTimeout(
                        f"{self.run_id}: {before or 'not ended'} after {timeout:g} s; "
                        f"{self.how_to_return()}"
                    )
                delay = min(delay, left)
            clock.sleep(delay)

    def _now(self) -> float:
        return self.client.clock.monotonic()

    # --- the result

    def result(self, timeout: float | None = None, progress: Progress | None = None) -> Recording:
        """Wait, fetch, check; the recording. JobFailed, JobTimeout or ServiceError otherwise."""
        begun = self.client.clock.monotonic() if self._client else 0.0
        state = self.wait(timeout, progress)
        if self.complete:
            return self.run.recording()
        if self.record.ended == "failed":
            raise JobFailed(f"{self.run_id}: {self.record.why}", logs.end_of(self.log()))
        if state is JobState.INTERRUPTED:
            with self._changing() as record:
                record.ended, record.why = REMOVED, record.why or "removed from the queue"
            which = self.run_id if record.job_id is None else f"{self.run_id}, job {record.job_id}"
            raise JobFailed(f"{which}: {record.why}", logs.end_of(logs.read(self.folder)))
        if timeout is not None:
            timeout = max(0.0, begun + timeout - self._now())
        try:
            return self._finish(state, timeout)
        except (Temporary, TokenNeeded, TokenRefused) as error:
            raise JobKept(f"{error}\n{self.how_to_return()}") from None

    def _finish(self, state: JobState, timeout: float | None) -> Recording:
        if state is JobState.FINISHED:
            job = self._with_data(self.client.settings.output_wait, timeout)
        else:
            job = self._with_data(2 * self.client.settings.poll_first, timeout)
        with self.locked():
            if self.complete:  # another process was quicker
                return self.run.recording()
            self._saw({**job, "log": self._whole_log(job)})
            record, log = self.record, logs.read(self.folder)
            Submission(self.run, record, self.client).drop_doubles()
            work = Harvest(self.run, record, self.client)
            paths = work.fetch(job, wanted=state is JobState.FINISHED)
            if state is JobState.FAILED:
                self._failed(f"job {record.job_id} failed on {record.platform}", log)
            try:
                recording = work.recording(paths)
            except NoRecording as error:
                what = f"job {record.job_id} left no usable recording: {error}"
                if error.final:
                    self._failed(what, log)
                raise ServiceError(
                    f"{self.run_id}: {what}; it is kept, and can be fetched again: "
                    f"python -m scripts.jobs fetch {self.run_id}"
                ) from None
            work.commit(recording, job, log)
            return self.run.recording()

    def _with_data(self, patience: float, timeout: float | None) -> dict[str, Any]:
        """The ended job, with its data if they come in time: they can be later than its end."""
        begun = self._now()
        soon = min(patience, SOON * self.client.settings.poll_first)

        def enough(job: Mapping[str, Any], state: JobState) -> bool:
            found = self.record.outputs
            some = bool(items(job, found))
            if any(harvest.is_recording(item) for item in items(job, found)):
                return True
            return self._now() - begun >= (soon if some else patience)

        return self._until(enough, timeout)[1]

    def _whole_log(self, job: Mapping[str, Any]) -> str | None:
        text = job.get("log")
        return text if isinstance(text, str) else self.client.log(self._number())

    def _failed(self, why: str, log: str) -> None:
        with self._changing() as record:
            record.ended, record.why = "failed", why
        raise JobFailed(
            f"{self.run_id}: {why}; its files are in {self.run.partial}", logs.end_of(log)
        )
