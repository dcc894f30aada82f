"""Any platform of the EBRAINS neuromorphic job queue: SpiNNaker, Demo, and others by name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pynn_model.conventions import limits
from pynn_model.experiment import Experiment

from .. import bundle
from ..base import (
    Backend,
    BackendError,
    BackendUnavailable,
    ServiceError,
    UnsupportedExperiment,
)
from ..runstore import Run, RunStore
from . import settings as settings_module
from .client import Notice, QueueClient, silent
from .clock import Clock
from .errors import (
    JobKept,
    Refused,
    SettingsError,
    Temporary,
    TokenNeeded,
    TokenRefused,
)
from .job import RemoteJob
from .record import JobRecord, new_tag
from .settings import KNOWN_SERVICES, Settings
from .submission import prepare
from .tokens import Secret, TokenSource, fixed, standard

__all__ = [
    "Clock",
    "EbrainsBackend",
    "JobKept",
    "JobRecord",
    "QueueClient",
    "Refused",
    "RemoteJob",
    "Secret",
    "ServiceError",
    "Settings",
    "SettingsError",
    "Temporary",
    "TokenNeeded",
    "TokenRefused",
    "TokenSource",
    "fixed",
    "from_options",
    "open_job",
    "platform_named",
    "split",
    "standard",
]

SPINNAKER = "SpiNNaker"
DEMO = "Demo"
MAX_SCRIPT = 1 << 20
"""Bytes of an inline script that the Demo platform takes; the others take more."""


class EbrainsBackend(Backend):
    """One platform behind the queue."""

    def __init__(
        self,
        name: str,
        platform: str,
        store: RunStore,
        settings: Settings,
        token: TokenSource,
        clock: Clock | None = None,
        transport: Any = None,
        notice: Notice = silent,
    ) -> None:
        self.name = name
        self.platform = platform
        self.store = store
        self.settings = settings
        self.token = token
        self.clock = clock or Clock()
        self.transport = transport
        self.notice = notice

    def client(self, base_url: str | None = None) -> QueueClient:
        return QueueClient(
            self.settings, self.token, self.clock, self.transport, base_url, self.notice
        )

    def check(self, experiment: Experiment, threads: int = 1) -> None:
        """Raise UnsupportedExperiment with every reason; asks no service."""
        reasons = self._reasons(experiment)
        if threads != 1:
            reasons.append(f"threads = {threads}: a remote job has one thread; leave it at 1")
        size = len(bundle.bundle(experiment))
        if size > MAX_SCRIPT:
            reasons.append(
                f"the script to send has {size} bytes, over {MAX_SCRIPT}: give waveforms by a "
                "formula and a seed, not by a file"
            )
        if reasons:
            raise UnsupportedExperiment(self.name, reasons)

    def _reasons(self, experiment: Experiment) -> list[str]:
        if self.platform == SPINNAKER:
            from ..spinnaker import check

            return list(check.reasons(experiment))
        neuron = experiment.neuron
        if self.platform != DEMO or neuron is None:
            return []
        return limits.unsupported(
            "nest",
            neuron.cell_type,
            experiment.timestep,
            record_v=experiment.record.v > 0,
            parameters=neuron.parameters,
        )

    def run_id(self, experiment: Experiment) -> str:
        """The run's name: a function of experiment, platform, code and hardware_config."""
        parts: dict[str, Any] = {
            "experiment": experiment.digest,
            "backend": self.name,
            "platform": self.platform,
            "code": bundle.code_digest(),
        }
        if self.settings.hardware_config:
            parts["hardware_config"] = dict(self.settings.hardware_config)
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:10]
        return f"{experiment.name}-{self.name}-{key}"

    def collab(self, client: QueueClient) -> str:
        """The collab to submit to: the one of the settings, or the user's private space."""
        if self.settings.collab:
            return self.settings.collab
        username = self.token.get().username or client.user_id()
        if not username:
            raise BackendUnavailable(
                f"{self.name}: the token does not tell your user name; set collab in the settings "
                "(your private space is private-<user name>)"
            )
        return f"private-{username}"

    def submit(self, experiment: Experiment, threads: int = 1, fresh: bool = False) -> RemoteJob:
        """Submit the job, once: one that is under way is gone on with, from any process.

        fresh: run again where the last job has ended. JobKept where the service cannot be reached:
        the run is prepared, and going on with it submits it.
        """
        self.check(experiment, threads)
        run = self.store.run(self.run_id(experiment))
        job = RemoteJob(run, None)
        if not fresh and job.complete:
            return job
        with job.locked():
            job.served = False
            if not fresh and job.complete:  # another process was at it
                return RemoteJob(run, None)
            record = JobRecord.load(run.partial)
            if record is None or not self._goes_on(job, record, fresh):
                job.attach(self.client())
                self._prepare(run, experiment, record, job.client)
        job.ensure_submitted()
        return job

    def _goes_on(self, job: RemoteJob, record: JobRecord, fresh: bool) -> bool:
        """Whether the run has a job already that may still give a result. Attaches its service."""
        if record.ended == "failed" or (record.job_id is None and not record.doubtful):
            return False
        job.attach(self.client(service(record, self.settings)))
        if not record.ended and not fresh:
            return True
        final = job.state().final
        if fresh and not final:
            raise BackendError(
                f"{job.run_id}: {job.how_to_return()}\nto run it afresh, cancel it first: "
                f"python -m scripts.jobs cancel {job.run_id}"
            )
        return not (fresh or job.record.ended)

    def _prepare(
        self, run: Run, experiment: Experiment, old: JobRecord | None, client: QueueClient
    ) -> None:
        collab = self.collab(client)
        previous = list(old.previous) if old else []
        if old is not None and old.job_id is not None:
            previous.append({"job_id": old.job_id, "tag": old.tag, "ended": old.ended or "left"})

        def make(sha256: str) -> JobRecord:
            return JobRecord(
                run_id=run.run_id,
                backend=self.name,
                tag=new_tag(),
                base_url=client.base_url,
                collab=collab,
                platform=self.platform,
                digest=experiment.digest,
                run_py_sha256=sha256,
                hardware_config=dict(self.settings.hardware_config),
                tags=[tag.strip() for tag in self.settings.tags],
                experiment=experiment.name,
                created=self.clock.stamp(),
                previous=previous,
            )

        prepare(run, experiment, make)

    def leaving(self, experiment: Experiment) -> str:
        """Where the job of this experiment is, and how to come back to it."""
        run = self.store.run(self.run_id(experiment))
        record = JobRecord.load(run.partial)
        return "nothing was submitted" if record is None else RemoteJob(run, None).how_to_return()

    def job(self, run_id: str) -> RemoteJob:
        return open_job(
            self.store.run(run_id),
            self.settings,
            self.token,
            self.clock,
            self.transport,
            self.notice,
        )


def open_job(
    run: Run,
    settings: Settings,
    token: TokenSource,
    clock: Clock | None = None,
    transport: Any = None,
    notice: Notice = silent,
) -> RemoteJob:
    """The job of a run folder, at the service that the folder names.

    A folder can come from elsewhere, so the token goes only to a service that is known, or that
    the settings name. Raises RunIncomplete if the folder holds no remote job.
    """
    job = RemoteJob(run, None)
    record = job.record
    if job.complete:
        return job
    base_url = service(record, settings)
    return RemoteJob(run, QueueClient(settings, token, clock, transport, base_url, notice))


def service(record: JobRecord, settings: Settings) -> str:
    """The address of the record's service; BackendUnavailable if it is not to be trusted."""
    if record.base_url not in (settings.base_url.rstrip("/"), *KNOWN_SERVICES):
        raise BackendUnavailable(
            f"{record.run_id}: its job is at {record.base_url}, which the settings do not name; if "
            f"you trust that address with your token: --base-url {record.base_url}"
        )
    return record.base_url


def from_options(
    name: str,
    platform: str,
    store: RunStore,
    options: Mapping[str, Any] | None = None,
) -> EbrainsBackend:
    """A backend with the usual settings and tokens.

    options: settings by name, "settings" for their file, and "notice", which is told what happens.
    """
    settings, notice = split(options)
    return EbrainsBackend(
        name, platform, store, settings, standard(settings.token_command), notice=notice
    )


def split(options: Mapping[str, Any] | None) -> tuple[Settings, Notice]:
    """The settings and the notice that a command's options give."""
    given = dict(options or {})
    notice: Notice = given.pop("notice", silent)
    return settings_module.load(given.pop("settings", None), given), notice


def platform_named(name: str, options: Mapping[str, Any] | None = None) -> str | None:
    """The platform that the settings give to a backend's name; None if they know none."""
    return split(options)[0].platforms.get(name)
