"""The backend "rehearsal": the remote backend itself, at a queue that lives as long as the command.

What was interrupted is gone on with by the same command: the queue's memory and addresses are kept
in RUNS/.rehearsal/<run id> until the run has ended.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import shutil
from pathlib import Path
from typing import IO

from pynn_model.experiment import Experiment
from pynn_model.recording import Recording

from ..base import (
    Backend,
    Job,
    JobFailed,
    JobState,
    Progress,
    RunIncomplete,
)
from ..ebrains import EbrainsBackend, JobRecord, RemoteJob, Settings, TokenSource
from ..local import LocalSystem
from ..runstore import RunStore, write_text
from .handle import Rehearsal

FOLDER = ".rehearsal"
PLATFORM = "SpiNNaker"
USER = "rehearsal"
POLL = 0.2
SETTLE = 1.0
"""s. A queue on this machine lists a job at once."""


class Stage:
    """The queue of one run, and the lock that keeps a second command from opening it too."""

    def __init__(self, state: Path, system: str, fresh: bool) -> None:
        self.state = state
        state.parent.mkdir(parents=True, exist_ok=True)
        self._lock: IO[str] | None = open(state.with_name(state.name + ".lock"), "w")  # noqa: SIM115
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            if fresh:
                shutil.rmtree(state, ignore_errors=True)
            self.rehearsal = self._open(system)
        except BaseException:
            self._lock.close()
            raise
        atexit.register(self.close)

    def _open(self, system: str) -> Rehearsal:
        """The queue at the addresses it had before; a new one where they are taken."""
        places = self.state / "ports.json"
        with contextlib.suppress(OSError, ValueError):
            port, data_port = json.loads(places.read_text(encoding="utf-8"))
            return Rehearsal(system, state=self.state, port=port, data_port=data_port).start()
        shutil.rmtree(self.state, ignore_errors=True)
        rehearsal = Rehearsal(system, state=self.state).start()
        write_text(places, json.dumps([rehearsal.port, rehearsal.data_port]))
        return rehearsal

    def close(self, forget: bool = False) -> None:
        """End the queue and what it runs; forget: for good."""
        if self._lock is None:
            return
        atexit.unregister(self.close)
        self.rehearsal.close()
        if forget:
            shutil.rmtree(self.state, ignore_errors=True)
        self._lock.close()
        self._lock = None


class RehearsalBackend(Backend):
    """The whole path of a remote job on this machine, with `system` in the place of SpiNNaker."""

    def __init__(self, name: str, system: LocalSystem, store: RunStore) -> None:
        self.name = name
        self.platform = PLATFORM
        self.system = system
        self.store = store

    def _remote(self, rehearsal: Rehearsal | None) -> EbrainsBackend:
        settings = Settings(
            base_url=rehearsal.base_url if rehearsal else "http://127.0.0.1",
            hardware_config={"rehearsed_by": self.system.name, "versions": self.system.versions()},
            poll_first=POLL,
            poll_last=2 * POLL,
            settle=SETTLE,
        )
        sources = [("rehearsal", lambda: rehearsal.token(USER))] if rehearsal else []
        return EbrainsBackend(self.name, PLATFORM, self.store, settings, TokenSource(sources))

    def check(self, experiment: Experiment, threads: int = 1) -> None:
        self.system.require(self.name)
        self._remote(None).check(experiment, threads)

    def submit(self, experiment: Experiment, threads: int = 1, fresh: bool = False) -> RehearsalJob:
        self.check(experiment, threads)
        run_id = self._remote(None).run_id(experiment)
        if self.store.run(run_id).complete and not fresh:
            return RehearsalJob(RemoteJob(self.store.run(run_id), None), None)
        stage = self._stage(run_id, fresh)
        try:
            job = self._remote(stage.rehearsal).submit(experiment, threads, fresh)
        except BaseException:
            stage.close()
            raise
        return RehearsalJob(job, stage)

    def job(self, run_id: str) -> RehearsalJob:
        """The job of an earlier command; its queue is opened again, and it goes on."""
        run = self.store.run(run_id)
        if run.complete:
            return RehearsalJob(RemoteJob(run, None), None)
        if JobRecord.load(run.partial) is None:
            raise RunIncomplete(run.why_incomplete())
        stage = self._stage(run_id, fresh=False)
        try:
            return RehearsalJob(self._remote(stage.rehearsal).job(run_id), stage)
        except BaseException:
            stage.close()
            raise

    def _stage(self, run_id: str, fresh: bool) -> Stage:
        state = self.store.root.resolve() / FOLDER / run_id
        stage = Stage(state, self.system.name, fresh)
        run = self.store.run(run_id)
        record = JobRecord.load(run.partial)
        if record is not None and record.base_url != stage.rehearsal.base_url:
            shutil.rmtree(run.partial)  # its queue is gone, and the job with it
        return stage


class RehearsalJob(Job):
    """A remote job whose queue ends when the job has ended, or with this process."""

    def __init__(self, job: RemoteJob, stage: Stage | None) -> None:
        self._job = job
        self._stage = stage
        self.run_id = job.run_id
        self.served = job.served

    @property
    def folder(self) -> Path:
        return self._job.folder

    def state(self) -> JobState:
        return self._job.state()

    def log(self) -> str:
        return self._job.log()

    def cancel(self) -> None:
        self._job.cancel()
        self._close(forget=True)

    def wait(self, timeout: float | None = None, progress: Progress | None = None) -> JobState:
        self._job.on_log = self.on_log
        return self._job.wait(timeout, progress)

    def result(self, timeout: float | None = None, progress: Progress | None = None) -> Recording:
        self._job.on_log = self.on_log
        try:
            recording = self._job.result(timeout, progress)
        except JobFailed:
            self._close(forget=True)
            raise
        except KeyboardInterrupt:
            self._close(forget=False)
            raise
        self._close(forget=True)
        return recording

    def _close(self, forget: bool) -> None:
        if self._stage is not None:
            self._stage.close(forget)
            self._stage = None
