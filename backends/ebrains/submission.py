"""Submitting once: whatever happens to the POST, its answer, or this process.

The rule: the run folder with its tag is on the disk before anything is sent, and each POST is
noted before it is made. A POST whose outcome is not known is settled before another one is made:
the job is looked for by its tag, again and again for a while, since the service may take the POST
late or not list the job at once. All of this happens under the run's lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pynn_model import files
from pynn_model.experiment import Experiment

from .. import bundle
from ..base import RunIncomplete, ServiceError
from ..runstore import Run, write_text
from .client import QueueClient
from .clock import Backoff, seconds_since
from .errors import Refused, Temporary, TokenNeeded, TokenRefused
from .record import JobRecord

COMMAND = "run.py {system}"


def prepare(run: Run, experiment: Experiment, make: Callable[[str], JobRecord]) -> JobRecord:
    """Make the run's partial folder, complete or not at all. The run must be locked.

    make: gives the record for the SHA-256 of the script.
    """
    draft = run.partial.with_name(f".{run.run_id}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    script = bundle.bundle(experiment)
    files.write(experiment, draft)
    write_text(draft / "run.py", script)
    record = make(hashlib.sha256(script.encode()).hexdigest())
    record.save(draft)
    sync(draft)
    os.rmdir(run.begin())
    os.rename(draft, run.partial)
    sync(run.partial.parent)
    return record


def sync(folder: Path) -> None:
    """Force a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Submission:
    """Brings one prepared run into the queue, once. The run must be locked all the while."""

    def __init__(self, run: Run, record: JobRecord, client: QueueClient) -> None:
        self.run = run
        self.record = record
        self.client = client
        self._settings, self._clock = client.settings, client.clock

    def complete(self) -> int:
        """The job's id, submitting it if it was not. Refused, ServiceError or Temporary if not."""
        record = self.record
        if record.job_id is not None:
            return record.job_id
        body = self._body()
        backoff = Backoff(self._settings.poll_first, self._settings.poll_last, self._clock)
        end = self._clock.monotonic() + self._settings.patience
        while True:
            if record.doubtful and self._settled():
                break
            try:
                self._post(body)
                break
            except Temporary as error:
                if not record.doubtful:
                    self._wait(backoff.delay(error.retry_after), end, error)
                elif self._clock.monotonic() > end:
                    raise
                else:
                    self.client.notice(f"{error}; looking whether the job was submitted")
        assert record.job_id is not None
        self.drop_doubles()
        return record.job_id

    def find(self, settle: bool = False) -> int | None:
        """The job's id if it is in the queue. settle: look as long as before another POST."""
        if self.record.job_id is None and self.record.doubtful:
            if settle:
                self._settled()
            else:
                jobs = self._look()
                if jobs:
                    self._found(jobs[0])
        return self.record.job_id

    # --- steps

    def _wait(self, delay: float, end: float, error: Temporary) -> None:
        if self._clock.monotonic() + delay > end:
            raise error
        self.client.notice(f"{error}; trying again")
        self._clock.sleep(delay)

    def _body(self) -> dict[str, Any]:
        record = self.record
        script = (self.run.partial / "run.py").read_bytes()
        if hashlib.sha256(script).hexdigest() != record.run_py_sha256:
            raise RunIncomplete(
                f"{self.run.partial / 'run.py'} was changed since the run was prepared; "
                "submit it again with --fresh"
            )
        body: dict[str, Any] = {
            "code": script.decode("utf-8"),
            "command": COMMAND,
            "collab": record.collab,
            "hardware_platform": record.platform,
            "tags": [record.tag, *record.tags],
        }
        if record.hardware_config:
            body["hardware_config"] = record.hardware_config
        return body

    def _post(self, body: dict[str, Any]) -> None:
        """One POST, noted before and after."""
        attempt = {"at": self._clock.stamp(), "outcome": ""}
        self.client.token.get()  # asked for before the attempt is noted: nothing was sent yet
        self.record.attempts.append(attempt)
        self._save()
        try:
            job = self.client.submit_once(body)
        except Temporary as error:
            if not error.arrived:
                self._refused(attempt)
            raise
        except (Refused, TokenNeeded, TokenRefused):
            self._refused(attempt)
            raise
        attempt["outcome"] = "accepted"
        self._take(job)

    def _refused(self, attempt: dict[str, str]) -> None:
        attempt["outcome"] = "refused"
        self._save()

    def _take(self, job: dict[str, Any]) -> None:
        self.record.job_id = int(job["id"])
        self.client.notice(f"job {self.record.job_id} is in the queue of {self.record.platform}")
        state = job.get("status")
        if isinstance(state, str):
            self.record.saw(state, self._clock.stamp())
        self._save()

    def _settled(self) -> bool:
        """Whether a doubtful POST turns out to have made the job; if not, it counts as refused.

        The list is asked at least twice, over the whole time that a late POST is given.
        """
        backoff = Backoff(self._settings.poll_first, self._settings.poll_last, self._clock)
        age = max(0.0, min(seconds_since(a["at"], self._clock) for a in self.record.attempts))
        end = self._clock.monotonic() + max(self._settings.settle - age, self._settings.poll_first)
        while True:
            jobs = self._look()
            if jobs:
                self._found(jobs[0])
                return True
            left = end - self._clock.monotonic()
            if left <= 0:
                break
            self._clock.sleep(min(backoff.delay(), left))
        for attempt in self.record.attempts:
            attempt["outcome"] = attempt["outcome"] or "not found"
        self._save()
        return False

    def _found(self, job: dict[str, Any]) -> None:
        for attempt in self.record.attempts:
            attempt["outcome"] = attempt["outcome"] or "accepted"
        self._take(job)

    def _look(self) -> list[dict[str, Any]]:
        """The jobs that bear the run's tag, oldest first: mine, or of anyone in the collab."""
        jobs = self.client.tagged(self.record.tag)
        if not jobs:
            with contextlib.suppress(Refused):  # whoever may not see the collab has no job in it
                jobs = self.client.tagged(self.record.tag, self.record.collab)
        return jobs

    def drop_doubles(self) -> None:
        """Take back what a POST that came very late has made beside the job that is followed."""
        if not any(a["outcome"] == "not found" for a in self.record.attempts):
            return
        with contextlib.suppress(ServiceError):  # the job itself is submitted and noted
            jobs = self._look()
            if len(jobs) > 1:
                self._take(jobs[0])
            for job in jobs[1:]:
                self.client.remove(int(job["id"]))
                self.record.notes.append(f"job {job['id']}, submitted twice, was removed")
                self._save()

    def _save(self) -> None:
        self.record.save(self.run.partial)
