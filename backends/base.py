"""What every place to run has in common: backends, jobs, their states, and the errors.

BackendError                      anything a backend can raise
+-- UnknownBackend                no backend has that name
+-- BackendUnavailable            not installed or not reachable; says what to install
+-- UnsupportedExperiment         refused before anything started; carries every reason
+-- ServiceError                  a remote service did not do its part
+-- JobFailed                     the run itself failed; carries the end of its log
+-- JobTimeout                    waiting ended, the job goes on
+-- RunIncomplete                 a run folder that is not a result
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable, Sequence
from pathlib import Path

from pynn_model.experiment import Experiment
from pynn_model.recording import Recording


class BackendError(Exception):
    """Base of every error of this package."""


class UnknownBackend(BackendError):
    """No backend has that name."""


class BackendUnavailable(BackendError):
    """The backend cannot be used here; the message says what to install or to do."""


class UnsupportedExperiment(BackendError):
    """The backend cannot run this experiment correctly; `reasons` lists every one."""

    def __init__(self, backend: str, reasons: Sequence[str]) -> None:
        self.backend = backend
        self.reasons = list(reasons)
        super().__init__("\n  ".join([f"{backend} cannot run this experiment:", *self.reasons]))


class ServiceError(BackendError):
    """A remote service did not do its part."""


class JobFailed(BackendError):
    """The run failed; `log` is the end of what it wrote."""

    def __init__(self, message: str, log: str = "") -> None:
        self.log = log
        super().__init__(f"{message}\n--- end of the log ---\n{log}" if log else message)


class JobTimeout(BackendError):
    """Waiting ended before the job did; the job goes on."""


class RunIncomplete(BackendError):
    """The folder does not hold a finished run: it was interrupted, failed, or is still going on."""


class JobState(enum.Enum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


Progress = Callable[[float], None]


class Job(abc.ABC):
    """One run of one experiment on one backend; everything it needs is in its run folder."""

    run_id: str
    served: bool
    """Whether the result was there before it was asked for."""
    on_log: Callable[[str], None] | None = None
    """Called with each piece of the log as it arrives, by a job whose log comes from elsewhere."""

    @property
    @abc.abstractmethod
    def folder(self) -> Path:
        """The folder of the run as it is now; a finished run's own folder once it is complete."""

    @abc.abstractmethod
    def state(self) -> JobState:
        """Where the job stands now."""

    @abc.abstractmethod
    def log(self) -> str:
        """What the run has written so far."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """Stop the job; nothing happens to a finished one."""

    @abc.abstractmethod
    def wait(self, timeout: float | None = None, progress: Progress | None = None) -> JobState:
        """Wait until the job has ended, at most `timeout` s; JobTimeout if it has not.

        progress: called with the simulated fraction, 0 to 1, where the backend knows it.
        """

    @abc.abstractmethod
    def result(self, timeout: float | None = None, progress: Progress | None = None) -> Recording:
        """Wait, and return the recording; raises JobFailed or JobTimeout, never returns None."""


class Backend(abc.ABC):
    """One place where experiments run."""

    name: str

    @abc.abstractmethod
    def check(self, experiment: Experiment, threads: int = 1) -> None:
        """Raise BackendUnavailable, or UnsupportedExperiment with every reason at once."""

    @abc.abstractmethod
    def submit(self, experiment: Experiment, threads: int = 1, fresh: bool = False) -> Job:
        """Check, then start the run, or find it if it was done before (unless `fresh`)."""

    @abc.abstractmethod
    def job(self, run_id: str) -> Job:
        """The job of an earlier submission, also from another process."""

    def leaving(self, experiment: Experiment) -> str:
        """What to tell a person who stops waiting for this experiment: "" if it stops too."""
        return ""
