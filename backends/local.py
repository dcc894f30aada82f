"""Any PyNN simulator on this machine: one subprocess a run.

A run gets a process of its own because PyNN keeps global state, NEURON never frees old cells, and
a crash of a simulator must not take the caller along. The process dies with its parent: it is
killed on Ctrl-C, and its standard input is a pipe whose end it takes as the order to stop, so it
is not orphaned by a kill -9 of the parent either.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pynn_model.conventions import limits
from pynn_model.experiment import Experiment
from pynn_model.recording import Recording, RecordingError

from . import bundle
from .base import (
    Backend,
    BackendUnavailable,
    Job,
    JobFailed,
    JobState,
    JobTimeout,
    Progress,
    RunIncomplete,
    UnsupportedExperiment,
)
from .runstore import Run, RunStore, write_text

LOG_END = 30
"""Lines of the log that an error carries."""
COMMON = ("numpy", "pyNN", "neo", "quantities")
"""Distributions that matter to every run."""
ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""


@dataclass(frozen=True)
class LocalSystem:
    """What a local backend needs: the system to run, its distributions, and whether it threads.

    own_modules: import paths of this checkout's packages that are the simulator; what they contain
    enters the versions, so that a run is another one when they have changed.
    """

    name: str
    distributions: tuple[str, ...]
    requirements: str
    multithreaded: bool = False
    own_modules: tuple[str, ...] = ()
    launcher: str = ""
    """A module of this checkout whose command() starts Python in a special way."""

    def python(self) -> list[str]:
        """The command that runs a script: Python, or what starts it."""
        if not self.launcher:
            return [sys.executable]
        command: list[str] = importlib.import_module(self.launcher).command()
        return command

    def missing(self) -> list[str]:
        return [name for name in self.distributions if _version(name) is None]

    def require(self, backend: str) -> None:
        """Raise BackendUnavailable, with what to install, if something is missing."""
        missing = self.missing()
        if missing:
            raise BackendUnavailable(
                f"{backend}: {', '.join(missing)} not installed; "
                f"install with: pip install -r {self.requirements}"
            )

    def versions(self) -> dict[str, str]:
        """Distribution -> version of what a run's result can depend on."""
        found = {"python": platform.python_version()}
        for name in (*COMMON, *self.distributions):
            found[name] = _version(name) or "missing"
        for module in self.own_modules:
            found[module] = _digest(ROOT.joinpath(*module.split(".")))
        return found

    def environment(self) -> dict[str, str]:
        """Of the process that runs it."""
        found = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0"}
        if self.own_modules and not self.launcher:  # a launcher finds them itself
            given = os.environ.get("PYTHONPATH")
            found["PYTHONPATH"] = f"{given}{os.pathsep}{ROOT}" if given else str(ROOT)
        return found


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _digest(place: Path) -> str:
    """Of the content of a package, or of a module given without its ending."""
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


class LocalBackend(Backend):
    """A PyNN simulator installed beside this program."""

    def __init__(self, name: str, system: LocalSystem, store: RunStore) -> None:
        self.name = name
        self.system = system
        self.store = store

    def check(self, experiment: Experiment, threads: int = 1) -> None:
        self.system.require(self.name)
        reasons = self._reasons(experiment)
        if threads > 1 and not self.system.multithreaded:
            reasons.append(f"threads = {threads}: {self.name} runs in one thread; leave it at 1")
        if reasons:
            raise UnsupportedExperiment(self.name, reasons)

    def _reasons(self, experiment: Experiment) -> list[str]:
        neuron = experiment.neuron
        if neuron is None:  # only the user's own model knows its cells
            return []
        return limits.unsupported(
            self.system.name,
            neuron.cell_type,
            experiment.timestep,
            record_v=experiment.record.v > 0,
            parameters=neuron.parameters,
        )

    def run_id(self, experiment: Experiment, threads: int = 1) -> str:
        """The run's name: a function of experiment, backend, code and versions.

        The number of threads enters only where it is not 1.
        """
        parts: dict[str, Any] = {
            "experiment": experiment.digest,
            "backend": self.name,
            "code": bundle.code_digest(),
            "versions": self.system.versions(),
        }
        if threads != 1:
            parts["threads"] = threads
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:10]
        return f"{experiment.name}-{self.name}-{key}"

    def submit(self, experiment: Experiment, threads: int = 1, fresh: bool = False) -> LocalJob:
        self.check(experiment, threads)
        job = self.job(self.run_id(experiment, threads))
        if not fresh and job.run.complete:
            return job
        job.run.lock()
        if not fresh and job.run.complete:  # another process was at it and has finished
            job.run.unlock()
            return self.job(job.run_id)
        job.start(self, experiment, threads)
        return job

    def job(self, run_id: str) -> LocalJob:
        return LocalJob(self.store.run(run_id))


class LocalJob(Job):
    """A run in a subprocess of this process, or one that some other process did or is doing."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.run_id = run.run_id
        self.served = run.complete
        self._process: subprocess.Popen[bytes] | None = None
        self._progress_pipe = -1
        self._backend: LocalBackend | None = None
        self._digest = ""
        self._finished = False

    @property
    def folder(self) -> Path:
        return self.run.folder

    # --- starting

    def start(self, backend: LocalBackend, experiment: Experiment, threads: int) -> None:
        """Write the run folder and start the process. The run must be locked."""
        self.served = False
        self._backend, self._digest = backend, experiment.digest
        folder = self.run.begin()
        try:
            # Not at the top: a bundled run that imports a simulator of this package has none.
            from pynn_model import files

            files.write(experiment, folder)
            (folder / "run.py").write_text(bundle.bundle(experiment), encoding="utf-8")
            self._launch(folder, backend, threads)
        except BaseException:
            self.run.unlock()
            raise

    def _launch(self, folder: Path, backend: LocalBackend, threads: int) -> None:
        self._progress_pipe, child_end = os.pipe()
        command = [
            *(*backend.system.python(), "run.py", backend.system.name),
            *("--output", "recording.npz", "--backend", backend.name),
            *("--threads", str(threads), "--progress-to", str(child_end)),
        ]
        try:
            with open(folder / "log.txt", "wb") as log:
                self._process = subprocess.Popen(
                    command,
                    cwd=folder,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=[child_end],
                    start_new_session=True,
                    env=backend.system.environment(),
                )
        finally:
            os.close(child_end)

    # --- watching

    def state(self) -> JobState:
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return JobState.RUNNING
            if status == 0 or self.run.complete:
                return JobState.FINISHED
            return JobState.FAILED
        if self.run.complete:
            return JobState.FINISHED
        if self.run.locked_elsewhere():
            return JobState.RUNNING
        if (self.run.partial / "failed").exists():
            return JobState.FAILED
        if self.run.partial.exists():
            return JobState.INTERRUPTED
        raise RunIncomplete(self.run.why_incomplete())

    def log(self) -> str:
        path = self.folder / "log.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def cancel(self) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._close()

    def wait(self, timeout: float | None = None, progress: Progress | None = None) -> JobState:
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._process is None:
            while not self.state().final:
                if deadline is not None and time.monotonic() > deadline:
                    raise JobTimeout(f"{self.run_id}: still running after {timeout:g} s")
                time.sleep(0.1)  # another process's run: its lock cannot be waited for with a limit
            return self.state()
        try:
            self._follow(deadline, progress)
        except JobTimeout:
            raise
        except BaseException:  # Ctrl-C: leave no orphan
            self.cancel()
            raise
        self._process.wait()
        return self.state()

    def _follow(self, deadline: float | None, progress: Progress | None) -> None:
        """Read the progress pipe until the process has closed it."""
        while self._progress_pipe >= 0:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise JobTimeout(f"{self.run_id}: still running; the run goes on")
            ready, _, _ = select.select([self._progress_pipe], [], [], left)
            if not ready:
                continue
            text = os.read(self._progress_pipe, 4096)
            if not text:
                os.close(self._progress_pipe)
                self._progress_pipe = -1
            elif progress is not None:
                progress(float(text.split()[-1]))

    # --- the result

    def result(self, timeout: float | None = None, progress: Progress | None = None) -> Recording:
        state = self.wait(timeout, progress)
        if self._process is None:
            if state is JobState.FAILED:
                raise JobFailed(f"{self.run_id} failed", self._log_end())
            return self.run.recording()
        if not self._finished:
            self._finish(self._process)
        return self.run.recording()

    def _finish(self, process: subprocess.Popen[bytes]) -> None:
        """Turn what the ended process left into a result, or into a JobFailed."""
        try:
            if process.returncode != 0:
                self._fail(f"the simulation {_how_it_ended(process.returncode)}")
            try:
                recording = Recording.load(str(self.run.partial / "recording.npz"))
            except (FileNotFoundError, RecordingError) as error:
                self._fail(f"the simulation left no usable recording: {error}")
            if recording.digest != self._digest:
                self._fail("the recording is of another experiment")
            self.run.commit(self._provenance(recording))
            self._finished = True
        finally:
            self._close()

    def _fail(self, why: str) -> None:
        log = self._log_end()
        with contextlib.suppress(OSError):  # a full disk must not hide the reason
            write_text(self.run.partial / "failed", why + "\n")
        raise JobFailed(f"{self.run_id}: {why}; its files are in {self.run.partial}", log)

    def _log_end(self) -> str:
        return "\n".join(self.log().splitlines()[-LOG_END:])

    def _provenance(self, recording: Recording) -> dict[str, Any]:
        assert self._backend is not None
        run_py = (self.run.partial / "run.py").read_bytes()
        return {
            **recording.provenance,
            "run_id": self.run_id,
            "backend": self._backend.name,
            "digest": recording.digest,
            "distributions": self._backend.system.versions(),
            "run_py_sha256": hashlib.sha256(run_py).hexdigest(),
            "git": git_state(),
        }

    def _close(self) -> None:
        if self._progress_pipe >= 0:
            os.close(self._progress_pipe)
            self._progress_pipe = -1
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self.run.unlock()


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was ended by signal {signal.Signals(-status).name}"
    return f"failed with exit status {status}"


def git_state() -> dict[str, Any] | None:
    """Commit and cleanness of the checkout this program runs from; None outside of one."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return None
    command = [git, "-C", str(ROOT), "status", "--porcelain=v2", "--branch"]
    status = subprocess.run(command, capture_output=True, text=True, check=False)
    if status.returncode != 0:
        return None
    lines = status.stdout.splitlines()
    commit = [line.split()[-1] for line in lines if line.startswith("# branch.oid")]
    changed = [line for line in lines if not line.startswith("#")]
    return {"commit": commit[0] if commit else None, "clean": not changed}
