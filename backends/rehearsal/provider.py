"""What serves the queue: takes jobs through the API, runs them, and posts log and results.

It behaves as the SpiNNaker one does: validated, running, the whole log again and again, finished
or error with data items that carry nothing but an address, and the resource usage last.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
import urllib.parse
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from .data import PREFIX, DataStore
from .execution import Execution, Executor, files_below, harvest
from .misbehaviour import Misbehaviours
from .projects import units_of

HOURS = 168
"""The time limit of a job unless its hardware_config says otherwise."""
LARGEST_DEMO_CODE = 1 << 20
POLL = 0.2
"""s between two questions for the next job, if nothing wakes the provider before."""
REPOSITORY = "SpiNNaker Manchester temporary storage"
DESCRIBED = ("Demo",)
"""Platforms whose data items have path, type, size and hash."""


class Stopped(Exception):
    """The provider was told to stop; the job stays as it is and is begun anew by the next one."""


class Unrunnable(Exception):
    """The provider refuses the job; the text goes to its log."""


@dataclass
class Provider:
    """Serves platforms until it is stopped.

    keys: platform -> key. job_timeout: s, in the place of what hardware_config says.
    """

    base_url: str
    data_url: str
    keys: dict[str, str] = field(repr=False)
    executor: Executor
    data: DataStore
    work: Path
    misbehaviours: Misbehaviours
    job_timeout: float | None = None
    parallel: int = 2

    def __post_init__(self) -> None:
        self.wake = threading.Event()
        """Setting it makes the provider ask at once."""
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._slots = threading.Semaphore(self.parallel)
        self._client = httpx.Client(
            base_url=self.base_url,
            timeout=10,
            trust_env=False,
            verify=False,  # plain HTTP on this machine: there are no certificates to load
        )

    def start(self) -> None:
        self._thread(self._serve)

    def stop(self) -> None:
        """End, and kill what is running."""
        self._stop.set()
        self.wake.set()
        with self.misbehaviours.changed:
            self.misbehaviours.changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _thread(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    # --- taking jobs

    def _serve(self) -> None:
        with contextlib.suppress(Stopped):
            for platform in self.keys:
                for job in self._left_over(platform):
                    self._take(job, platform)
            while True:
                self.wake.clear()
                taken = [self._take_next(platform) for platform in self.keys]
                if not any(taken):
                    self.wake.wait(POLL)
                self._check_stopped()

    def _left_over(self, platform: str) -> list[dict[str, Any]]:
        """The jobs that were going on when an earlier provider ended."""
        query = f"hardware_platform={platform}&status=validated&status=running&size=1000"
        return list(reversed(self._ask(platform, "GET", f"/jobs/?{query}").json()))

    def _take_next(self, platform: str) -> bool:
        answer = self._ask(platform, "GET", f"/jobs/next/{platform}")
        if answer.status_code != 200:
            return False
        self._take(answer.json(), platform)
        return True

    def _take(self, job: dict[str, Any], platform: str) -> None:
        while not self._slots.acquire(timeout=POLL):
            self._check_stopped()
        self._put(job, {"status": "validated"})
        self._thread(self._run, job)

    # --- one job

    def _run(self, job: dict[str, Any]) -> None:
        folder = self.work / f"{job['id']}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        try:
            self._put(job, {"status": "running"})
            self._end(job, *self._execute(job, folder))
        except Stopped:
            return
        except Unrunnable as why:
            with contextlib.suppress(Stopped):
                self._log(job, f"{why}\n")
                self._end(job, 1, [])
        finally:
            self._slots.release()
            shutil.rmtree(folder, ignore_errors=True)

    def _execute(self, job: dict[str, Any], folder: Path) -> tuple[int, list[Path]]:
        """Exit status and outputs."""
        timeout = self._timeout(job)
        script = folder / "run.py"
        script.write_text(_inline(job), encoding="utf-8")
        before = files_below(folder)
        target = self.data.folder(job["collab"], job["id"])
        shutil.rmtree(target, ignore_errors=True)
        if self.misbehaviours.take("fail_job"):
            (folder / "partial.txt").write_text("as far as it came\n", encoding="utf-8")
            self._log(job, "Traceback (most recent call last):\nMemoryError: out of DTCM\n")
            return 1, harvest(folder, before, target)
        status = self._call(job, folder, timeout)
        if self._stop.is_set():
            raise Stopped
        outputs = harvest(folder, before, target)
        garbage = self.misbehaviours.take("garbage_output")
        if garbage:
            for path in outputs:
                path.write_text(garbage.value, encoding="utf-8")
        return status, [] if self.misbehaviours.take("no_output") else outputs

    def _call(self, job: dict[str, Any], folder: Path, timeout: float) -> int:
        log = _Log(self, job)
        if self._hangs(timeout):
            status = -9
        else:
            status = self.executor(Execution(folder, timeout, log, self._stop))
        if status < 0 and not self._stop.is_set():
            log(f"{log.text}Killed after {timeout:g} s, or by signal {-status}\n")
        return status

    def _hangs(self, timeout: float) -> bool:
        """Hang as long as it is asked for; whether the time was up before that ended."""
        changed = self.misbehaviours.changed
        with changed:
            return not changed.wait_for(
                lambda: self._stop.is_set() or self.misbehaviours.peek("hang_job") is None, timeout
            )

    def _timeout(self, job: dict[str, Any]) -> float:
        """s. Raises Unrunnable for what is no number of whole hours."""
        hours = (job["hardware_config"] or {}).get("timeout", HOURS)
        if isinstance(hours, bool) or not isinstance(hours, int) or hours < 1:
            raise Unrunnable(f"timeout must be a whole number of hours, not {hours!r}")
        return hours * 3600.0 if self.job_timeout is None else self.job_timeout

    def _end(self, job: dict[str, Any], status: int, outputs: list[Path]) -> None:
        platform = job["hardware_platform"]
        base = f"{self.data_url}{PREFIX}"
        files: list[dict[str, Any]] = [
            {"url": f"{base}/{urllib.parse.quote('/'.join(path.parts[-3:]))}"} for path in outputs
        ]
        if platform in DESCRIBED:
            for item, path in zip(files, outputs, strict=True):
                item.update(_description(path))
        self._put(
            job,
            {
                "status": "finished" if status == 0 else "error",
                "output_data": {"repository": REPOSITORY, "files": files},
                "provenance": {"rehearsal": type(self.executor).__name__},
            },
        )
        usage = {"value": 0.01, "units": units_of(platform)}
        self._put(job, {"resource_usage": usage})

    # --- the API

    def _put(self, job: dict[str, Any], change: dict[str, Any]) -> None:
        self._ask(job["hardware_platform"], "PUT", f"/jobs/{job['id']}", json=change)

    def _log(self, job: dict[str, Any], text: str) -> None:
        path = f"/jobs/{job['id']}/log"
        self._ask(job["hardware_platform"], "PUT", path, content=text.encode())

    def _ask(self, platform: str, method: str, path: str, **body: Any) -> httpx.Response:
        """One request, again and again while the service is away. Raises Stopped."""
        while True:
            self._check_stopped()
            with contextlib.suppress(httpx.TransportError):
                headers = {"x-api-key": self.keys[platform]}
                answer = self._client.request(method, path, headers=headers, **body)
                if answer.status_code < 500:
                    return answer
            self._stop.wait(POLL)

    def _check_stopped(self) -> None:
        if self._stop.is_set():
            raise Stopped


class _Log:
    """Posts the log of a job as it grows; remembers it."""

    def __init__(self, provider: Provider, job: dict[str, Any]) -> None:
        self.provider = provider
        self.job = job
        self.text = ""

    def __call__(self, text: str) -> None:
        if text != self.text:
            self.text = text
            with contextlib.suppress(Stopped):
                self.provider._log(self.job, text)


def _inline(job: dict[str, Any]) -> str:
    """The script of a job. Raises Unrunnable for what is not one."""
    code = str(job["code"])
    if "import" not in code:
        raise Unrunnable("the code is no address that could be fetched, and no script: no import")
    if job["hardware_platform"] == "Demo" and len(code.encode()) > LARGEST_DEMO_CODE:
        raise Unrunnable(f"inline code of over {LARGEST_DEMO_CODE} bytes")
    return code


def _description(path: Path) -> dict[str, Any]:
    contents = path.read_bytes()
    return {
        "path": "/".join(path.parts[-3:]),
        "content_type": "application/octet-stream",
        "size": len(contents),
        "hash": hashlib.sha1(contents, usedforsecurity=False).hexdigest(),
    }
